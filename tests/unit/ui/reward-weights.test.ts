/** Weights follow their rewards through every choice, in the order that reward_weights has. */
import { describe, expect, it } from 'vitest';
import { settingOf, typedWeight, weightsOf, withRewards } from '../../../src/ui/reward/weights.ts';
import { type Form, initialState } from '../../../src/ui/state.ts';

const form = (rewards: string[], reward_weights?: string, codeIsOn = false): Form => ({
  ...initialState.form,
  rewards,
  codeIsOn,
  settings: { seed: '7', ...(reward_weights !== undefined && { reward_weights }) },
});

describe('weights of rewards', () => {
  it('are read from the setting, 1 where it says nothing', () => {
    expect([...weightsOf('[2, 0.5]', ['a', 'b', 'c'])]).toEqual([
      ['a', '2'],
      ['b', '0.5'],
      ['c', '1'],
    ]);
    expect([...weightsOf(undefined, ['a']).values()]).toEqual(['1']);
    expect([...weightsOf('null', ['a']).values()]).toEqual(['1']);
    // What is no number stays as it was typed, for its field to show.
    expect([...weightsOf('[1, much]', ['a', 'b']).values()]).toEqual(['1', 'much']);
  });

  it('are written as a list, and not at all where each counts once', () => {
    expect(settingOf(['1', '0.5'])).toBe('[1, 0.5]');
    expect(settingOf(['1', '1.0'])).toBeUndefined();
    expect(settingOf(['-1'])).toBe('[-1]');
    expect(typedWeight('0,25')).toBe('0.25');
    expect(typedWeight(' ')).toBe('0');
  });

  it('stay with their rewards when others come and go', () => {
    const two = form(['boxed_answer', 'format'], '[1, 0.25]');
    expect(withRewards(two, { rewards: ['format'] }).settings).toEqual({
      seed: '7',
      reward_weights: '[0.25]',
    });
    expect(withRewards(two, { rewards: ['boxed_answer', 'format', 'numeric'] }).settings).toEqual({
      seed: '7',
      reward_weights: '[1, 0.25, 1]',
    });
    expect(withRewards(two, { codeIsOn: true }).settings?.reward_weights).toBe('[1, 0.25, 1]');
    expect(withRewards(two, { rewards: ['boxed_answer'] }).settings).toEqual({ seed: '7' });
    const withCode = form(['format'], '[0.5, 3]', true);
    expect(withRewards(withCode, { rewards: ['format', 'numeric'] }).settings?.reward_weights).toBe(
      '[0.5, 1, 3]',
    );
    expect(withRewards(withCode, { codeIsOn: false }).settings?.reward_weights).toBe('[0.5]');
  });

  it('are left alone where none is set', () => {
    expect(withRewards(form(['format']), { rewards: [] })).toEqual({ rewards: [] });
  });
});
