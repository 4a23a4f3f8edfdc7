import { parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { completionsFile, completionTables, metricsFile } from '../../../src/export/completions-out.ts';
import type { LogRow, SampledCompletion } from '../../../src/store/run-store.ts';
import { bytesOf, textOf } from './files.ts';

const sample = (i: number, more: Partial<SampledCompletion> = {}): SampledCompletion => ({
  prompt: `add @${i} "quoted",\n☃`,
  completion: `\\boxed{${i}}`,
  rewards: { boxed_answer: i % 2 ? 1 : null, format: 0.5 },
  advantage: i - 1.25,
  extra: {
    answer: String(i),
    hinted: i % 2 === 0,
    index: i,
    score: i / 4,
    mixed: i ? i : 'none',
    nothing: null,
  },
  ...more,
});

const rows: LogRow[] = [
  { step: 0, kind: 'evaluation', metrics: { eval_accuracy: 0.5 }, completions: [sample(9)] },
  { step: 1, kind: 'step', metrics: { loss: Number.NaN, reward: 0.25 }, completions: [sample(0), sample(1)] },
  {
    step: 12,
    kind: 'step',
    metrics: { loss: 1 },
    completions: [sample(2), sample(3, { rewards: { late: 2 } })],
  },
  { step: 13, kind: 'step', metrics: { loss: 1 }, completions: [] },
];

const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

describe('JSON lines', () => {
  it('have one line a row, and null for what is no number', async () => {
    const file = metricsFile(rows);
    const text = await textOf(file);
    expect(file.size).toBe(new TextEncoder().encode(text).byteLength);
    expect(lines(text)).toEqual([
      { step: 0, kind: 'evaluation', eval_accuracy: 0.5 },
      { step: 1, kind: 'step', loss: null, reward: 0.25 },
      { step: 12, kind: 'step', loss: 1 },
      { step: 13, kind: 'step', loss: 1 },
    ]);
  });

  it('have one line a completion', async () => {
    const all = lines(await textOf(completionsFile(rows)));
    expect(all).toHaveLength(5);
    expect(all[1]).toEqual({ step: 1, kind: 'step', ...sample(0) });
  });
});

describe('completionTables', () => {
  const tables = completionTables(rows);
  const read = async (i: number) => (await bytesOf(tables[i])).buffer;

  it('is a file for every update with completions, under TRL’s names', () => {
    expect(tables.map((t) => t.name)).toEqual([
      'completions/completions_00001.parquet',
      'completions/completions_00012.parquet',
    ]);
  });

  it('reads back with TRL’s columns in TRL’s order, null rewards null', async () => {
    const file = await read(0);
    const columns = parquetSchema(parquetMetadata(file)).children.map(({ element }) => [
      element.name,
      element.type,
    ]);
    expect(columns).toEqual([
      ['step', 'INT64'],
      ['prompt', 'BYTE_ARRAY'],
      ['completion', 'BYTE_ARRAY'],
      ['boxed_answer', 'DOUBLE'],
      ['format', 'DOUBLE'],
      ['answer', 'BYTE_ARRAY'],
      ['hinted', 'BOOLEAN'],
      ['index', 'INT64'],
      ['score', 'DOUBLE'],
      ['mixed', 'BYTE_ARRAY'],
      ['nothing', 'BYTE_ARRAY'],
      ['advantage', 'DOUBLE'],
    ]);
    expect(await parquetReadObjects({ file })).toEqual(
      [0, 1].map((i) => ({
        step: 1n,
        prompt: sample(i).prompt,
        completion: sample(i).completion,
        boxed_answer: i ? 1 : null,
        format: 0.5,
        answer: String(i),
        hinted: i === 0,
        index: BigInt(i),
        score: i / 4,
        mixed: i ? '1' : 'none',
        nothing: null,
        advantage: i - 1.25,
      })),
    );
  });

  it('has null where a row lacks a reward', async () => {
    const back = await parquetReadObjects({ file: await read(1), columns: ['boxed_answer', 'late'] });
    expect(back).toEqual([
      { boxed_answer: null, late: null },
      { boxed_answer: null, late: 2 },
    ]);
  });

  it('keeps a reward or column apart that is called as another', async () => {
    const completions = [
      sample(1, { rewards: { prompt: 1 }, extra: { step: 'x', prompt: 'y', constructor: 1 } }),
    ];
    const [table] = completionTables([{ step: 1, kind: 'step', metrics: {}, completions }]);
    const [row] = await parquetReadObjects({ file: (await bytesOf(table)).buffer });
    expect(row).toEqual({
      step: 1n,
      prompt: sample(1).prompt,
      completion: sample(1).completion,
      reward_prompt: 1,
      extra_step: 'x',
      extra_prompt: 'y',
      constructor: 1n,
      advantage: -0.25,
    });
  });
});
