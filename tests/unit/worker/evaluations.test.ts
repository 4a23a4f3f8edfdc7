/** What the page shows of an evaluation, against the evaluation itself, on papo-nano in small. */
import { beforeAll, describe, expect, it } from 'vitest';
import { rowsDataset, worldDataset } from '../../../src/data/dataset.ts';
import { evaluate } from '../../../src/data/evaluate.ts';
import { meanOf } from '../../../src/data/statistics.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { applyMask, makeMask } from '../../../src/papo/masks.ts';
import { Purpose, RandomStream, uniform } from '../../../src/papo/random.ts';
import { layout, type PolicyPrompt } from '../../../src/policy/layout.ts';
import { headName } from '../../../src/policy/parameters.ts';
import { Policy } from '../../../src/policy/policy.ts';
import { policyGraph } from '../../../src/policy/policy-graph.ts';
import type { ModelFolder } from '../../../src/store/hf-folder.ts';
import type { CheckpointTensor } from '../../../src/store/run-store.ts';
import type { EvaluationRequest, EvaluationResult } from '../../../src/worker/evaluation-protocol.ts';
import { Evaluations } from '../../../src/worker/evaluations.ts';
import type { Subject } from '../../../src/worker/protocol.ts';
import { Subjects } from '../../../src/worker/subjects.ts';
import { baseModel, noRuns } from '../../base-model.ts';
import { tinyNano } from '../../tiny-nano.ts';

const device = new CpuDevice({ threads: 1 });
const run = { preset: 'papo-nano', task: 'shapes', settings: { max_completion_length: '10' } };
const base: Subject = { kind: 'base' };
let folder: ModelFolder;

beforeAll(async () => {
  folder = await tinyNano();
});

function evaluationsOf(dataset = rowsDataset([])) {
  const model = baseModel(folder);
  const subjects = new Subjects(() => ({ device, model, ...noRuns }));
  return new Evaluations({
    subjects,
    heldOut: async () => dataset,
    seedOf: async () => undefined,
    keptRun: async () => ({ lastStep: undefined, rows: [] }),
  });
}

const request = (change: Partial<EvaluationRequest> = {}): EvaluationRequest => ({
  run,
  subjects: [base, base],
  views: ['image', 'masked', 'blank'],
  questions: 20,
  samples: 2,
  ...change,
});

const rowOf = ({ rows }: EvaluationResult, view: string, by: string, name = '') =>
  rows.find((row) => row.view === view && row.by === by && row.name === name)!;

describe('evaluations', () => {
  it('say what evaluate says, in each view, and the same each time', async () => {
    const evaluations = evaluationsOf();
    const told: number[] = [];
    const result = (await evaluations.evaluate(request(), ({ done }) => told.push(done)))!;
    expect(told.at(-1)).toBe(120);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    const policy = Policy.create(device, folder);
    const views = {
      image: undefined,
      masked: (image: Parameters<typeof applyMask>[0], i: number) => {
        const random = new RandomStream(1000, Purpose.mask, 0, i);
        const options = { width: image.width, height: image.height, ratio: 0.6, patchSize: 16 };
        return applyMask(
          image,
          makeMask('patch_black', options, () => random.next()),
          [0, 0, 0],
        );
      },
      blank: (image: Parameters<typeof applyMask>[0]) => ({
        ...image,
        data: new Uint8Array(image.data.length),
      }),
    };
    for (const [view, see] of Object.entries(views)) {
      const expected = await evaluate(policy, {
        dataset: worldDataset('shapes', 'test', 1000),
        examples: 20,
        samples: 2,
        seed: 1000,
        maxTokens: 10,
        view: see,
      });
      const all = rowOf(result, view, 'all');
      expect(all.values.map(({ estimate }) => estimate)).toEqual([expected.accuracy, expected.accuracy]);
      expect(all.values[0].n).toBe(20);
      expect(all.difference!.estimate).toBe(0);
      expect(all.difference!.low).toBeLessThan(0);
      for (const [kind, accuracy] of Object.entries(expected.byKind))
        expect(rowOf(result, view, 'kind', kind).values[0].estimate).toBeCloseTo(accuracy, 12);
      expect(rowOf(result, view, 'error', 'format').values[0].estimate).toBeCloseTo(
        expected.formatErrors!,
        12,
      );
    }
    const again = (await evaluations.evaluate(request({ views: ['blank'] }), () => {}))!;
    expect(again.rows).toEqual(result.rows.filter(({ view }) => view === 'blank'));
    policy.dispose();
  });

  it('hand out every answer as CSV', async () => {
    const result = (await evaluationsOf().evaluate(request({ questions: 3 }), () => {}))!;
    const lines = (await result.csv.text()).split('\r\n');
    expect(lines[0]).toBe(
      'subject,view,question,kind,vision_dependency,prompt,answer,sample,completion,correct,error',
    );
    // Two subjects, three views, three questions, two samples.
    expect(lines).toHaveLength(1 + 2 * 3 * 3 * 2 + 1);
    const { id, answer } = await worldDataset('shapes', 'test', 1000).row(0);
    expect(lines[1].startsWith(`1,image,${id},`)).toBe(true);
    expect(lines[1]).toContain(`,${answer},1,`);
  });

  it('stop when they are told to, and let the next one begin', async () => {
    const evaluations = evaluationsOf();
    const asked = evaluations.evaluate(request({ questions: 512 }), () => evaluations.cancel());
    const next = evaluations.evaluate(request({ questions: 2, views: ['image'] }), () => {});
    expect(await asked).toBeNull();
    expect(rowOf((await next)!, 'image', 'all').values).toHaveLength(2);
  });

  it('count only questions that have an answer', async () => {
    const world = worldDataset('shapes', 'test', 1);
    const { image } = await world.row(0);
    const rows = [null, 'yes', null, 'no'].map((answer, i) => ({
      id: `${i}`,
      prompt: 'shape at @1 ?',
      image,
      answer,
      columns: { kind: i < 2 ? 'a' : 'b' },
    }));
    const result = (await evaluationsOf(rowsDataset(rows)).evaluate(
      request({ run: { ...run, dataset: 'mine' }, views: ['image'] }),
      () => {},
    ))!;
    expect(result.questions).toBe(4);
    expect(rowOf(result, 'image', 'all').values[0].n).toBe(2);
    expect(rowOf(result, 'image', 'kind', 'b').values[0].n).toBe(1);
    expect(result.rows.some(({ by }) => by === 'error')).toBe(false);
  });

  it('answer the fixed questions greedily', async () => {
    const evaluations = evaluationsOf();
    const questions = await evaluations.fixedQuestions(run, 8);
    const answers = await evaluations.answerFixed(run, 8, base);
    expect(questions.map(({ id }) => id)).toEqual(
      await Promise.all(
        Array.from({ length: 8 }, async (_, i) => (await worldDataset('shapes', 'test', 1000).row(i)).id),
      ),
    );
    const policy = Policy.create(device, folder);
    const row = await worldDataset('shapes', 'test', 1000).row(3);
    const { texts } = await policy.generate([policy.prompt(row.prompt, row.image)], {
      group: 1,
      maxTokens: 10,
      temperature: 1,
      greedy: true,
      topK: 0,
      topP: 1,
      minP: 0,
      uniform: (t, n) => uniform(0, Purpose.test, t, n),
    });
    expect(answers[3].text).toBe(texts[0]);
    expect(meanOf(answers.map(({ correct }) => Number(correct)))).toBeLessThanOrEqual(1);
    policy.dispose();
  });
});

describe('the measure of a run', () => {
  it('is its last checkpoint in three views, with KL and entropy of what it writes', async () => {
    const weights = new Map(
      [...folder.weights].map(([name, { shape, data }]) => [`weights/${name}`, { shape, data }] as const),
    );
    const files = new Map(
      [...folder.files].map(([name, data]) => [`files/${name}`, { shape: [data.length], data }] as const),
    );
    const tensors = new Map<string, CheckpointTensor>([...weights, ...files]);
    const opened: number[] = [];
    const model = baseModel(folder);
    const subjects = new Subjects(() => ({
      device,
      model,
      checkBase: noRuns.checkBase,
      openCheckpoint: async (_, step) => {
        opened.push(step);
        return {
          step,
          savedAt: 0,
          bytes: 0,
          state: {},
          tensors: new Map([...tensors].map(([name, { shape }]) => [name, { shape, bytes: 0 }])),
          read: async (name) => tensors.get(name)!,
        };
      },
    }));
    const step = (at: number, step_time: number) => ({
      step: at,
      kind: 'step' as const,
      metrics: { step_time },
      completions: [],
    });
    const evaluations = new Evaluations({
      subjects,
      heldOut: async () => rowsDataset([]),
      seedOf: async () => undefined,
      keptRun: async () => ({ lastStep: 3, rows: [step(1, 9), step(2, 0.5), step(3, 0.7)] }),
    });
    const told: number[] = [];
    const measure = (await evaluations.measureRun(
      { id: 'a', run, questions: 6, samples: 2 },
      ({ done, total }) => told.push(done / total),
    ))!;
    expect(opened).toEqual([3]);
    expect(told.at(-1)).toBe(1);
    const { values } = measure;
    // The first step compiles, and does not count.
    expect(values.seconds![0]).toBeCloseTo(0.6, 12);

    // The same completions, scored one by one with a pass of one question.
    const policy = Policy.create(device, folder);
    const dataset = worldDataset('shapes', 'test', 1000);
    const { rows, completions } = await evaluate(policy, {
      dataset,
      examples: 6,
      samples: 2,
      seed: 1000,
      maxTokens: 10,
    });
    for (const i of [0, 5]) {
      const { prompt, image } = rows[i];
      const random = new RandomStream(1000, Purpose.mask, 0, i);
      const options = { width: image.width, height: image.height, ratio: 0.6, patchSize: 16 };
      const seen = [
        image,
        applyMask(
          image,
          makeMask('patch_black', options, () => random.next()),
          [0, 0, 0],
        ),
      ];
      const kl: number[] = [];
      const entropy: number[] = [];
      for (const n of [2 * i, 2 * i + 1]) {
        const written = Array.from(completions.ids.subarray(n * 10, n * 10 + completions.lengths[n]));
        const [p, q] = await Promise.all(
          seen.map((picture) => logProbabilities(policy, policy.prompt(prompt, picture), written)),
        );
        kl.push(mean(p.map((row, t) => sum(row.map((a, v) => Math.exp(a) * (a - q[t][v]))))));
        entropy.push(mean(p.map((row) => -sum(row.map((a) => Math.exp(a) * a)))));
      }
      expect(values.perception_kl![i]).toBeCloseTo(mean(kl), 4);
      expect(values.entropy![i]).toBeCloseTo(mean(entropy), 4);
    }
    policy.dispose();
  });
});

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;

/** log π of every word at each of the completion's tokens: hidden rows times the head, in plain loops. */
async function logProbabilities(
  policy: Policy,
  prompt: PolicyPrompt,
  written: readonly number[],
): Promise<number[][]> {
  const ids = [...prompt.ids, ...written];
  const counts = { prefixes: 1, prefixLength: ids.length, group: 0, completionLength: 0 };
  const { g, hidden } = policyGraph(policy.config, counts);
  g.output('hidden', hidden);
  const program = await policy.device.compile(g, [policy.weights]);
  const out = await program.run(layout(policy.config, counts, [{ ...prompt, ids }], policy.text.padTokenId));
  program.dispose();
  const head = await policy.weights.read(headName(policy.config));
  const d = policy.config.text.hiddenSize;
  return written.map((_, t) => {
    const row = out.hidden.subarray((prompt.ids.length + t - 1) * d, (prompt.ids.length + t) * d);
    const logits = Array.from({ length: policy.config.text.vocabSize }, (_, v) => {
      let dot = 0;
      for (let i = 0; i < d; i++) dot += row[i] * (head as Float32Array)[v * d + i];
      return dot;
    });
    const top = Math.max(...logits);
    const normaliser = top + Math.log(sum(logits.map((x) => Math.exp(x - top))));
    return logits.map((x) => x - normaliser);
  });
}
