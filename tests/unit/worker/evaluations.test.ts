/** What the page shows of an evaluation, against the evaluation itself, on papo-nano in small. */
import { beforeAll, describe, expect, it } from 'vitest';
import { rowsDataset, worldDataset } from '../../../src/data/dataset.ts';
import { evaluate } from '../../../src/data/evaluate.ts';
import { meanOf } from '../../../src/data/statistics.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { applyMask, makeMask } from '../../../src/papo/masks.ts';
import { Purpose, RandomStream, uniform } from '../../../src/papo/random.ts';
import { Policy } from '../../../src/policy/policy.ts';
import type { ModelFolder } from '../../../src/store/hf-folder.ts';
import type { EvaluationRequest, EvaluationResult } from '../../../src/worker/evaluation-protocol.ts';
import { Evaluations } from '../../../src/worker/evaluations.ts';
import type { Subject } from '../../../src/worker/protocol.ts';
import { Subjects } from '../../../src/worker/subjects.ts';
import { tinyNano } from '../../tiny-nano.ts';

const device = new CpuDevice({ threads: 1 });
const run = { preset: 'papo-nano', task: 'shapes', settings: { max_completion_length: '10' } };
const base: Subject = { kind: 'base' };
let folder: ModelFolder;

beforeAll(async () => {
  folder = await tinyNano();
});

function evaluationsOf(dataset = rowsDataset([])) {
  const subjects = new Subjects(() => ({
    device,
    folder,
    openCheckpoint: () => Promise.reject(new Error('none')),
  }));
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
  questions: 40,
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
    expect(told.at(-1)).toBe(240);
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
        examples: 40,
        samples: 2,
        seed: 1000,
        maxTokens: 10,
        view: see,
      });
      const all = rowOf(result, view, 'all');
      expect(all.values.map(({ estimate }) => estimate)).toEqual([expected.accuracy, expected.accuracy]);
      expect(all.values[0].n).toBe(40);
      expect(all.difference!.estimate).toBe(0);
      expect(all.difference!.low).toBeLessThan(0);
      for (const [kind, accuracy] of Object.entries(expected.byKind))
        expect(rowOf(result, view, 'kind', kind).values[0].estimate).toBeCloseTo(accuracy, 12);
      expect(rowOf(result, view, 'error', 'format').values[0].estimate).toBeCloseTo(
        expected.formatErrors!,
        12,
      );
    }
    const again = (await evaluations.evaluate(request(), () => {}))!;
    expect(again.rows).toEqual(result.rows);
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
