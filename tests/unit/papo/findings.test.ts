import { describe, expect, it } from 'vitest';
import { FINDINGS } from '../../../src/papo/findings.ts';
import { PRESETS } from '../../../src/papo/presets.ts';
import { describeSetting, SETTING_NAMES, type SettingName } from '../../../src/papo/settings.ts';

describe('what the paper found', () => {
  it('is there for every setting that the paper varies', () => {
    const varied: SettingName[] = [
      'perception_loss_weight',
      'der_loss_weight1',
      'der_loss_weight2',
      'mask_ratio',
      'mask_type',
      'mask_patch_size',
      'perception_kl',
      'num_generations',
      'learning_rate',
      'beta',
      'epsilon',
      'epsilon_high',
      'loss_type',
      'objective',
    ];
    for (const name of varied) expect(describeSetting(name).finding, name).toBeDefined();
  });

  it('is a sentence, says where the paper says it, and belongs to a setting', () => {
    for (const [name, { says, source }] of Object.entries(FINDINGS)) {
      expect(SETTING_NAMES, name).toContain(name);
      expect(says, name).toMatch(/\.$/);
      expect(source, name).toMatch(/Table|Fig\.|Eq\.|App\.|ablation|training settings|codebases/);
    }
  });

  it('names the values that the presets of the paper have', () => {
    const g = PRESETS['papo-g-7b'].settings;
    const d = PRESETS['papo-d'].settings;
    const named: [SettingName, ...unknown[]][] = [
      ['beta', g.beta],
      ['epsilon', g.epsilon, d.epsilon],
      ['epsilon_high', g.epsilon_high, d.epsilon_high],
      ['mask_patch_size', g.mask_patch_size],
      ['mask_ratio', g.mask_ratio],
      ['perception_loss_weight', g.perception_loss_weight, d.perception_loss_weight],
      ['der_loss_weight1', g.der_loss_weight1, d.der_loss_weight1],
      ['max_resample_attempts', d.max_resample_attempts],
      ['num_generations', g.num_generations],
      ['temperature', g.temperature],
      ['top_p', g.top_p],
      ['weight_decay', g.weight_decay],
      ['max_grad_norm', g.max_grad_norm],
      ['num_train_epochs', g.num_train_epochs],
    ];
    for (const [name, ...values] of named) {
      const numbers = FINDINGS[name]!.says.match(/\d+(?:[.,]\d+)*/g)!.map(Number);
      for (const value of values) expect(numbers, name).toContain(value);
    }
    expect(FINDINGS.learning_rate!.says).toContain(g.learning_rate!.toExponential());
  });
});
