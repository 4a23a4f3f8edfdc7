/** Histories that grow in place, the numbers that follow from them, smoothing, and the files they become. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHARTS, numbersIn } from '../../../src/ui/curves/charts.ts';
import { csvPieces } from '../../../src/ui/curves/csv.ts';
import {
  emptyHistory,
  firstAfter,
  type History,
  heldOutMetrics,
  historyOf,
  rowAt,
  withRow,
} from '../../../src/ui/curves/history.ts';
import { Smoothing } from '../../../src/ui/curves/smooth.ts';
import { lastOf, metric, numbersOf, type Source, valueAt } from '../../../src/ui/curves/source.ts';

const column = (history: History, name: string) =>
  history.steps.map((_, row) => history.columns.get(name)?.at(row) ?? null);

describe('a history', () => {
  it('has every value as it came, and null where none came', () => {
    let history = emptyHistory();
    history = withRow(history, 0, { eval_accuracy: 0.25 });
    history = withRow(history, 1, { loss: 0.1 });
    history = withRow(history, 2, { loss: Number.NaN, reward: -0 });
    history = withRow(history, 2, { eval_accuracy: 0.5 });
    history = withRow(history, 3, { loss: Number.POSITIVE_INFINITY });
    expect(history.steps).toEqual([0, 1, 2, 3]);
    expect(column(history, 'loss')).toEqual([null, 0.1, Number.NaN, Number.POSITIVE_INFINITY]);
    expect(column(history, 'reward')).toEqual([null, null, -0, null]);
    expect(column(history, 'eval_accuracy')).toEqual([0.25, null, 0.5, null]);
    expect(lastOf(history, metric('eval_accuracy'))).toBe(0.5);
    expect(lastOf(history, metric('none'))).toBeNull();
  });

  it('is the same from a log as from events', () => {
    const heldOut = {
      step: 2,
      questions: 64,
      accuracy: 0.5,
      accuracyError: 0.06,
      shares: { sound: 0.5, perception: 0.2, reasoning: 0.2, format: 0.1 },
    };
    let live = withRow(emptyHistory(), 1, { loss: 3 });
    live = withRow(live, 2, { loss: 2 });
    live = withRow(live, heldOut.step, heldOutMetrics(heldOut));
    const kept = historyOf([
      { step: 1, kind: 'step', metrics: { loss: 3 } },
      { step: 2, kind: 'step', metrics: { loss: 2 } },
      { step: 2, kind: 'evaluation', metrics: heldOutMetrics(heldOut) as Record<string, number> },
    ]);
    expect(kept.steps).toEqual(live.steps);
    for (const name of live.columns.keys()) expect(column(kept, name)).toEqual(column(live, name));
  });

  it('takes time in proportion to its rows', () => {
    const metrics = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`metric ${i}`, i]));
    const timeOf = (rows: number) => {
      const start = performance.now();
      let history = emptyHistory();
      for (let step = 1; step <= rows; step++) {
        history = withRow(history, step, metrics);
        // As the page does at each step.
        numbersOf(history, metric('metric 0'), 0.9);
        lastOf(history, metric('metric 1'));
        lastOf(history, metric('none'));
      }
      return performance.now() - start;
    };
    timeOf(2_000);
    // Ten times the rows: quadratic work would be a hundred times the time.
    expect(timeOf(100_000)).toBeLessThan(30 * Math.max(20, timeOf(10_000)));
  });

  it('finds rows by step', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 200 }), { minLength: 1 }),
        fc.integer({ min: -1, max: 201 }),
        (all, step) => {
          const steps = all.sort((a, b) => a - b);
          expect(firstAfter(steps, step)).toBe(steps.filter((one) => one <= step).length);
          expect(rowAt(steps, step)).toBe(steps.findLastIndex((one) => one <= step));
        },
      ),
    );
  });
});

/** As TensorBoard's line chart computes it, value by value. */
function tensorBoard(values: readonly number[], weight: number): number[] {
  let last = 0;
  let count = 0;
  return values.map((value) => {
    if (!Number.isFinite(value)) return value;
    last = last * weight + (1 - weight) * value;
    count++;
    return last / (1 - weight ** count);
  });
}

describe('smoothing', () => {
  const values = fc.array(
    fc.oneof(fc.double({ min: -100, max: 100, noNaN: true }), fc.constant(Number.NaN)),
    {
      minLength: 1,
      maxLength: 200,
    },
  );
  it('is the debiased moving average, however the rows come in', () => {
    fc.assert(
      fc.property(
        values,
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.array(fc.integer({ min: 1, max: 200 })),
        (rows, weight, pauses) => {
          const smoothing = new Smoothing(weight);
          const raw = Float64Array.from(rows);
          for (const stop of pauses.sort((a, b) => a - b)) {
            const count = Math.min(stop, rows.length);
            // The last row of a history may still change.
            const before = raw.slice();
            before[count - 1] = 1e9;
            smoothing.numbers(before, count);
          }
          const smoothed = smoothing.numbers(raw, rows.length);
          tensorBoard(rows, weight).forEach((expected, i) => {
            if (Number.isNaN(expected)) expect(smoothed[i]).toBeNaN();
            else expect(smoothed[i]).toBeCloseTo(expected, 9);
          });
        },
      ),
    );
  });

  it('starts at the first value and keeps a constant', () => {
    const smoothed = new Smoothing(0.99).numbers(new Float64Array(50).fill(3), 50);
    for (const value of smoothed.subarray(0, 50)) expect(value).toBeCloseTo(3, 10);
  });
});

describe('what follows from metrics', () => {
  const chart = (id: string) => CHARTS.find((one) => one.id === id)!;
  const history = historyOf([
    {
      step: 1,
      kind: 'step',
      metrics: {
        reward: 0.5,
        reward_std: 0.2,
        step_time: 0.25,
        'errors/perception': 0.1,
        'errors/reasoning': 0.2,
        'errors/format': 0.4,
      },
    },
    { step: 2, kind: 'step', metrics: { reward: 0.75 } },
  ]);
  const at = (source: Source) => [valueAt(history, source, 1), valueAt(history, source, 2)];

  it('is steps per second, the band of the reward, and the stack of errors', () => {
    expect(at(chart('speed').lines[0].source)).toEqual([4, null]);
    expect(at(chart('reward').band!.low)).toEqual([0.3, null]);
    expect(at(chart('reward').band!.high)).toEqual([0.7, null]);
    const stack = chart('errors').lines.map(({ drawn }) => valueAt(history, drawn!, 1));
    expect(stack[0]).toBe(0.1);
    expect(stack[1]).toBeCloseTo(0.3, 12);
    expect(stack[2]).toBeCloseTo(0.7, 12);
    // What is said is each cause by itself.
    expect(chart('errors').lines.map(({ source }) => valueAt(history, source, 1))).toEqual([0.1, 0.2, 0.4]);
  });

  it('is drawn with the same numbers, and grows with the history', () => {
    let own = withRow(emptyHistory(), 1, { step_time: 0.5 });
    const { source } = chart('speed').lines[0];
    expect(Array.from(numbersOf(own, source).subarray(0, 2))).toEqual([Number.NaN, 2]);
    // The last row may still get more values.
    own = withRow(own, 1, { step_time: 0.1 });
    own = withRow(own, 2, { step_time: 4 });
    expect(Array.from(numbersOf(own, source).subarray(0, 3))).toEqual([Number.NaN, 10, 0.25]);
  });

  it('has a key of its own in each chart', () => {
    for (const one of CHARTS) {
      const keys = numbersIn(one).map(({ source }) => source.key);
      expect(new Set(keys).size).toBe(keys.length);
    }
  });
});

describe('CSV', () => {
  const runs = [
    {
      name: 'one, "quoted"',
      history: historyOf([
        { step: 1, kind: 'step', metrics: { loss: 0.1 + 0.2, 'a/b': 1e-300 } },
        { step: 2, kind: 'step', metrics: { loss: Number.NaN } },
      ]),
    },
    {
      name: 'two',
      history: historyOf([
        { step: 0, kind: 'evaluation', metrics: { eval_accuracy: 1 / 3 } },
        { step: 1, kind: 'step', metrics: { loss: -0.5 } },
      ]),
    },
  ];
  const file = (form: 'wide' | 'long') => [...csvPieces(runs, form)].map(({ text }) => text).join('');

  it('has a row a step, every digit, and empty cells', () => {
    expect(file('wide').split('\r\n')).toEqual([
      'run,step,loss,a/b,eval_accuracy',
      '"one, ""quoted""",1,0.30000000000000004,1e-300,',
      '"one, ""quoted""",2,NaN,,',
      'two,0,,,0.3333333333333333',
      'two,1,-0.5,,',
      '',
    ]);
  });

  it('has a row a value', () => {
    expect(file('long').split('\r\n')).toEqual([
      'run,step,metric,value',
      '"one, ""quoted""",1,loss,0.30000000000000004',
      '"one, ""quoted""",1,a/b,1e-300',
      '"one, ""quoted""",2,loss,NaN',
      'two,0,eval_accuracy,0.3333333333333333',
      'two,1,loss,-0.5',
      '',
    ]);
  });
});
