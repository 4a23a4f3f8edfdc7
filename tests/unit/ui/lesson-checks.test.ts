/** What each step of the lesson counts as happened, on states made by hand. */
import { describe, expect, it } from 'vitest';
import { emptyHistory, type History, withRow } from '../../../src/ui/curves/history.ts';
import * as checks from '../../../src/ui/lesson/checks.ts';
import { type Facts, type Measured, partOf, weightsOf } from '../../../src/ui/lesson/facts.ts';
import type { ComparisonResult } from '../../../src/worker/evaluation-protocol.ts';
import type { AskView } from '../../../src/worker/lab-protocol.ts';
import type { CompletionView, GroupView, HeldOut, ImageView } from '../../../src/worker/protocol.ts';

const nothing: Facts = {
  run: 'none',
  step: 0,
  groups: [],
  history: emptyHistory(),
  heldOut: [],
  gamma: 0,
  eta: 0,
  runs: {},
};

function picture(shade: (pixel: number) => number): ImageView {
  const data = new Uint8ClampedArray(16 * 4);
  for (let i = 0; i < 16; i++) data.set([shade(i), shade(i), shade(i), 255], 4 * i);
  return { width: 4, height: 4, data };
}

const completion = (reward: number, advantage: number, kl: number | null = null): CompletionView => ({
  text: '',
  tokens: [0, 1].map(() => ({ text: 'a', kl, tint: 0 })) as unknown as CompletionView['tokens'],
  rewards: [{ name: 'boxed_answer', value: reward }],
  advantage,
  correct: reward > 0,
  error: null,
});

/** Of its 16 pixels the mask hides so many. */
const group = (prompt: string, completions: CompletionView[], hidden = 9): GroupView => ({
  id: prompt,
  prompt,
  answer: 'circle',
  image: picture(() => 40),
  masked: picture((i) => (i < hidden ? 0 : 40)),
  completions,
});

function historyWith(kl: number[]): History {
  return kl.reduce((history, value, i) => withRow(history, i + 1, { perception_kl: value }), emptyHistory());
}

const rising = historyWith([0.04, 0.04, 0.05, 0.05, 0.07, 0.5, 0.9, 1.0, 1.1, 1.5]);
const flat = historyWith(new Array(10).fill(0.05));

const heldOut = (step: number, accuracy: number, format = 0): HeldOut => ({
  step,
  questions: 256,
  accuracy,
  accuracyError: 0.03,
  shares: { sound: accuracy, perception: 1 - accuracy - format, reasoning: 0, format },
});

const measured = (accuracy: number, format: number, more: Partial<Measured> = {}): Measured => ({
  id: 'run',
  gamma: 0.3,
  eta: 0,
  steps: 50,
  accuracy,
  accuracyError: 0.03,
  format,
  kl: 1,
  ...more,
});

describe('a group', () => {
  it('waits for an update', () => {
    expect(checks.group(nothing)).toBeUndefined();
    expect(checks.group({ ...nothing, groups: [group('which shape', [])], step: 1 })).toBeUndefined();
  });

  it('is seen where rewards differ', () => {
    const groups = [
      group('all alike', [completion(0, 0), completion(0, 0)]),
      group('which shape', [completion(1, 1.73), completion(0, -0.58), completion(0, -0.58)]),
    ];
    const found = checks.group({ ...nothing, groups, step: 1 });
    expect(found?.state).toBe('met');
    expect(found?.say).toContain('“which shape”: 1 of 3');
    expect(found?.say).toContain('from −0.58 to +1.73');
    expect(found?.say).toContain('In 1 of 2 groups');
  });

  it('is told apart from groups that teach nothing', () => {
    const groups = [group('one', [completion(1, 0), completion(1, 0)])];
    expect(checks.group({ ...nothing, groups, step: 1 })?.state).toBe('missed');
  });
});

describe('answers rewarded without the picture', () => {
  const blind = group('maybe circle', [completion(1, 0.4, 0.001), completion(1, 0.4, 0.001)], 16);
  const seeing = group('which shape', [completion(1, 1.7, 0.5), completion(0, -0.6, 0.001)], 16);

  it('wait for a mask over everything', () => {
    expect(checks.reward({ ...nothing, groups: [blind], step: 0 })).toBeUndefined();
    const half = group('maybe circle', [completion(1, 0.4, 0.001)], 8);
    expect(checks.reward({ ...nothing, groups: [half], step: 1 })).toBeUndefined();
  });

  it('are counted among the rewarded ones', () => {
    const found = checks.reward({ ...nothing, groups: [blind, seeing], step: 1 });
    expect(found?.state).toBe('met');
    expect(found?.say).toMatch(/^2 of 3 rewarded answers/);
    expect(found?.say).toContain('“maybe circle”');
  });

  it('are not claimed where there are none', () => {
    expect(checks.reward({ ...nothing, groups: [seeing], step: 1 })?.state).toBe('missed');
    const unrewarded = group('one', [completion(0, 0, 0.001)], 16);
    expect(checks.reward({ ...nothing, groups: [unrewarded], step: 1 })?.state).toBe('missed');
  });

  it('are not seen where the KL was not computed', () => {
    const blank = group('one', [completion(1, 0.4)], 16);
    expect(checks.reward({ ...nothing, groups: [blank], step: 1 })?.state).toBe('missed');
  });
});

describe('the mask', () => {
  const share = (value: number) => ({ count: 64 * value, share: value, low: 0, high: 1 });
  const answers = [
    { kind: 'answer', answer: 'circle', image: share(0.75), masked: share(0.25) },
    { kind: 'answer', answer: 'square', image: share(0.25), masked: share(0.75) },
  ];
  const tokens = [{ kl: 0.1 }, { kl: 0.3 }];
  const view = { answers, tokens, samples: 64 } as unknown as AskView;

  it('waits for both answers', () => {
    expect(checks.mask(nothing)).toBeUndefined();
    const alone = { ...view, answers: answers.map((one) => ({ ...one, masked: null })) } as AskView;
    expect(checks.mask({ ...nothing, looked: { share: 0.6, view: alone } })).toBeUndefined();
  });

  it('is measured: the share hidden, the answers that changed, the KL', () => {
    const found = checks.mask({ ...nothing, looked: { share: 0.5625, view } });
    expect(found?.state).toBe('met');
    expect(found?.say).toContain(
      '56 % of the picture is hidden, and 50 % of the samples went to other answers',
    );
    expect(found?.say).toContain('0.200 nats');
  });

  it('hides something, and leaves something', () => {
    expect(checks.mask({ ...nothing, looked: { share: 0, view } })?.state).toBe('missed');
    expect(checks.mask({ ...nothing, looked: { share: 1, view } })?.state).toBe('missed');
  });
});

describe('the perception term', () => {
  const papo: Facts = {
    ...nothing,
    gamma: 0.005,
    eta: 0.03,
    history: rising,
    heldOut: [heldOut(0, 0.37), heldOut(40, 0.7)],
  };

  it('waits for ten steps and an evaluation after training', () => {
    expect(checks.term({ ...papo, heldOut: [heldOut(0, 0.37)] })).toBeUndefined();
    expect(checks.term({ ...papo, history: historyWith([0.1, 0.2]) })).toBeUndefined();
  });

  it('is no run of GRPO, and none whose γ is too high', () => {
    expect(checks.term({ ...papo, gamma: 0 })).toBeUndefined();
    expect(checks.term({ ...papo, gamma: 0.3 })).toBeUndefined();
  });

  it('says from where to where', () => {
    const found = checks.term(papo);
    expect(found?.state).toBe('met');
    expect(found?.say).toContain('from 0.050 to 1');
    expect(found?.say).toContain('from 37 % ± 3 % to 70 % ± 3 %');
  });

  it('says where the KL did not rise', () => {
    expect(checks.term({ ...papo, history: flat })?.state).toBe('missed');
  });
});

describe('hacking', () => {
  const hacked: Facts = {
    ...nothing,
    run: 'finished',
    gamma: 0.3,
    history: rising,
    heldOut: [heldOut(0, 0.37), heldOut(25, 0.6), heldOut(50, 0.3, 0.5)],
  };

  it('is a high γ without double entropy, measured', () => {
    expect(checks.hacking({ ...hacked, eta: 0.1 })).toBeUndefined();
    expect(checks.hacking({ ...hacked, gamma: 0.005 })).toBeUndefined();
    expect(checks.hacking({ ...hacked, heldOut: [heldOut(0, 0.37)] })).toBeUndefined();
  });

  it('is seen where accuracy falls from its best by more than two standard errors', () => {
    const found = checks.hacking(hacked);
    expect(found?.state).toBe('met');
    expect(found?.say).toContain('60 % ± 3 % at step 25');
    expect(found?.say).toContain('30 % ± 3 % at step 50; 50 % of the answers lost their form');
  });

  it('is seen where answers lose their form', () => {
    const formless = { ...hacked, heldOut: [heldOut(0, 0.37), heldOut(50, 0.4, 0.3)] };
    expect(checks.hacking(formless)?.state).toBe('met');
  });

  it('says honestly where nothing collapsed', () => {
    const fine = { ...hacked, heldOut: [heldOut(0, 0.37), heldOut(50, 0.7, 0.02)] };
    expect(checks.hacking(fine)?.state).toBe('missed');
    expect(checks.hacking({ ...hacked, history: flat })?.state).toBe('missed');
    // It may still come.
    expect(checks.hacking({ ...fine, run: 'running' })).toBeUndefined();
  });
});

describe('double entropy', () => {
  const mended: Facts = {
    ...nothing,
    run: 'finished',
    gamma: 0.3,
    eta: 0.3,
    history: rising,
    heldOut: [heldOut(0, 0.37), heldOut(50, 0.7, 0.04)],
    runs: { hacked: measured(0.3, 0.5) },
  };

  it('waits for the end of a run that has it', () => {
    expect(checks.entropy({ ...mended, eta: 0 })).toBeUndefined();
    expect(checks.entropy({ ...mended, run: 'running' })).toBeUndefined();
  });

  it('needs a collapse to compare with', () => {
    expect(checks.entropy({ ...mended, runs: {} })?.state).toBe('missed');
  });

  it('is said to help where accuracy, or form, is better than without', () => {
    const found = checks.entropy(mended);
    expect(found?.state).toBe('met');
    expect(found?.say).toContain('70 % ± 3 % after 50 steps, against 30 % ± 3 %');
    const form = { ...mended, heldOut: [heldOut(0, 0.37), heldOut(50, 0.3, 0.04)] };
    expect(checks.entropy(form)?.state).toBe('met');
  });

  it('is not said to help where it did not', () => {
    const worse = { ...mended, heldOut: [heldOut(0, 0.37), heldOut(50, 0.33, 0.4)] };
    expect(checks.entropy(worse)?.state).toBe('missed');
  });
});

describe('the measured difference', () => {
  const runs = { hacked: measured(0.3, 0.5), mended: measured(0.7, 0.02) };
  const compared = (low: number, high: number): ComparisonResult => {
    const quantity = {
      quantity: 'accuracy',
      first: { estimate: 0.3, low: 0.2, high: 0.4, n: 256 },
      second: { estimate: 0.7, low: 0.6, high: 0.8, n: 256 },
      difference: { estimate: 0.4, low, high, n: 256, p: 0.01 },
      adjusted: 0.01,
    } as const;
    return { over: 'questions', seeds: 1, questions: 256, quantities: [quantity] };
  };

  it('needs both runs', () => {
    expect(checks.measured(nothing)?.state).toBe('missed');
    expect(checks.measured({ ...nothing, runs: { hacked: runs.hacked } })?.state).toBe('missed');
    expect(checks.measured({ ...nothing, runs })).toBeUndefined();
  });

  it('is said with its interval', () => {
    const found = checks.measured({ ...nothing, runs, compared: compared(0.31, 0.49) });
    expect(found?.state).toBe('met');
    expect(found?.say).toContain('+31.0');
    expect(found?.say).toContain('+49.0');
    expect(found?.say).not.toContain('nothing was shown');
  });

  it('is no more than luck where zero is in the interval', () => {
    const found = checks.measured({ ...nothing, runs, compared: compared(-0.02, 0.1) });
    expect(found?.say).toContain('nothing was shown');
  });
});

it('taking it home is seen in what the page says of the download', () => {
  expect(checks.home(nothing)).toBeUndefined();
  expect(checks.home({ ...nothing, handedOver: 'one.zip went to your downloads.' })?.say).toContain(
    'one.zip',
  );
});

describe('a real model', () => {
  const groups = [group('what is it?', [completion(1, 1, 0.2), completion(0, -1, 0.1)])];
  const shown: Facts = { ...nothing, step: 1, groups, history: historyWith([0.15]), real: 'own/smolvlm' };

  it('has made a step with LoRA', () => {
    const found = checks.real(shown);
    expect(found?.state).toBe('met');
    expect(found?.say).toBe(
      'A LoRA step of own/smolvlm: 2 answers of 4 tokens in all, 1 of them rewarded, and a perception KL of 0.150 nats a token.',
    );
  });

  it('is waited for before that, and with another model', () => {
    expect(checks.real({ ...shown, step: 0 })).toBeUndefined();
    expect(checks.real({ ...shown, real: undefined })).toBeUndefined();
  });

  it('that does not fit is said with the numbers', () => {
    const found = checks.real({ ...nothing, tooMuch: { needed: 2.2e9, limit: 1e9 } });
    expect(found).toMatchObject({ state: 'missed' });
    expect(found?.say).toContain('needs 2.2 GB here, and there are 1.0 GB');
    expect(checks.real({ ...nothing, tooMuch: { needed: 5e9, limit: null } })?.say).toContain(
      'needs 5.0 GB here: too',
    );
  });
});

describe('the part that a run plays', () => {
  it('follows from γ and both η', () => {
    expect(partOf(0, 0.03)).toBeUndefined();
    expect(partOf(0.005, 0)).toBe('papo');
    expect(partOf(0.3, 0)).toBe('hacked');
    expect(partOf(0.3, 0.03)).toBe('mended');
  });

  it('is read from the settings as typed; one entropy alone is not double', () => {
    const values = { perception_loss_weight: '3e-1', der_loss_weight1: '0.1', der_loss_weight2: '0' };
    expect(weightsOf(values)).toEqual({ gamma: 0.3, eta: 0 });
  });
});
