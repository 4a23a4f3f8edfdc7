import { describe, expect, it } from 'vitest';
import { SETTING_NAMES } from '../../../src/papo/settings.ts';
import { groupsOf, matching } from '../../../src/ui/train/settings-groups.ts';
import { catalogue } from '../../../src/worker/catalogue.ts';

const { settings } = catalogue();
const named = (some: readonly { name: string }[]) => some.map(({ name }) => name);

describe('the settings on the page', () => {
  it('are all there, each once', () => {
    const shown = groupsOf(settings).flatMap(({ first, more }) => named([...first, ...more]));
    expect(shown.toSorted()).toEqual([...SETTING_NAMES].sort());
  });

  it('stand in the group that they belong to', () => {
    const titles: Record<string, string> = {
      PAPO: 'PAPO',
      rollout: 'Rollout',
      optimisation: 'Optimisation',
      LoRA: 'LoRA',
      run: 'Run',
    };
    for (const { title, first, more } of groupsOf(settings))
      for (const { name, group } of [...first, ...more]) expect(titles[group], name).toBe(title);
  });

  it('know which are true or false', () => {
    const flags = settings.filter(({ isFlag }) => isFlag);
    expect(named(flags)).toContain('freeze_vision_tower');
    expect(named(flags)).not.toContain('remove_unused_columns');
    expect(named(flags)).not.toContain('scale_rewards');
  });

  it('are found by their names and by words of their meaning', () => {
    const none = () => false;
    expect(named(matching(settings, 'MASK ratio', none))).toEqual(['mask_ratio']);
    expect(named(matching(settings, 'γ', none))).toContain('perception_loss_weight');
    expect(matching(settings, 'zzz', none)).toEqual([]);
    expect(named(matching(settings, 'zzz', ({ name }) => name === 'seed'))).toEqual(['seed']);
  });
});
