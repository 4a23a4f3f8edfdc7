// What a run logged, as files: metrics.jsonl, completions.jsonl, and TRL's completions tables as Parquet, one a step.
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { LogRow, SampledCompletion } from '../store/run-store.ts';
import { bytesFile, type OutFile } from './out-file.ts';

/** One JSON object a line; held one encoded line at a time, so that no text of the whole is ever made. */
function linesFile(name: string, lines: Iterable<unknown>): OutFile {
  const encoder = new TextEncoder();
  const pieces = Array.from(lines, (line) => encoder.encode(`${JSON.stringify(line)}\n`));
  return {
    name,
    size: pieces.reduce((sum, piece) => sum + piece.byteLength, 0),
    async *chunks() {
      yield* pieces;
    },
  };
}

/** One line an update or evaluation: step, kind and every metric; a metric that is no finite number is null. */
export function metricsFile(rows: readonly LogRow[], name = 'metrics.jsonl'): OutFile {
  return linesFile(
    name,
    rows.map(({ step, kind, metrics }) => ({ step, kind, ...metrics })),
  );
}

/** One line a sampled completion: step, kind, prompt, completion, rewards, advantage, and the further columns. */
export function completionsFile(rows: readonly LogRow[], name = 'completions.jsonl'): OutFile {
  return linesFile(
    name,
    rows.flatMap(({ step, kind, completions }) =>
      completions.map(({ prompt, completion, rewards, advantage, extra }) => ({
        step,
        kind,
        prompt,
        completion,
        rewards,
        advantage,
        extra,
      })),
    ),
  );
}

type Value = string | number | boolean | null;
type Column = NonNullable<Parameters<typeof parquetWriteBuffer>[0]>['columnData'][number];

const isInteger = (value: Value) => Number.isSafeInteger(value) && !Object.is(value, -0);

/** The narrowest type that holds every value; what is mixed becomes text. */
function typedColumn(name: string, values: readonly Value[]): Column {
  const present = values.filter((value) => value !== null);
  const all = (test: (value: Value) => boolean) => present.length > 0 && present.every(test);
  if (all((value) => typeof value === 'boolean')) return { name, type: 'BOOLEAN', data: [...values] };
  if (all(isInteger))
    return { name, type: 'INT64', data: values.map((value) => (value === null ? null : BigInt(value))) };
  if (all((value) => typeof value === 'number')) return { name, type: 'DOUBLE', data: [...values] };
  return { name, type: 'STRING', data: values.map((value) => (value === null ? null : String(value))) };
}

const real = (name: string, data: (number | null)[]): Column => ({ name, type: 'DOUBLE', data });

/** All keys of the records, in the order of their first appearance. */
function keys(records: readonly Readonly<Record<string, unknown>>[]): string[] {
  return [...new Set(records.flatMap((record) => Object.keys(record)))];
}

/** A table's bytes: the columns of TRL's `_log_completions` (trl/trainer/grpo_trainer.py). */
function parquet(step: number, completions: readonly SampledCompletion[]): Uint8Array<ArrayBuffer> {
  const taken = new Set(['step', 'prompt', 'completion', 'advantage']);
  // A reward or column that bears a taken name would hide the other in a table by names.
  const free = (name: string, prefix: string) => {
    let found = name;
    while (taken.has(found)) found = `${prefix}_${found}`;
    taken.add(found);
    return found;
  };
  const own = <T>(record: Readonly<Record<string, T>>, key: string) =>
    Object.hasOwn(record, key) ? record[key] : null;
  const rewards = keys(completions.map((c) => c.rewards)).map((key) =>
    real(
      free(key, 'reward'),
      completions.map((c) => own(c.rewards, key)),
    ),
  );
  const extra = keys(completions.map((c) => c.extra)).map((key) =>
    typedColumn(
      free(key, 'extra'),
      completions.map((c) => own(c.extra, key)),
    ),
  );
  const columnData: Column[] = [
    { name: 'step', type: 'INT64', data: completions.map(() => BigInt(step)) },
    { name: 'prompt', type: 'STRING', data: completions.map((c) => c.prompt) },
    { name: 'completion', type: 'STRING', data: completions.map((c) => c.completion) },
    ...rewards,
    ...extra,
    real(
      'advantage',
      completions.map((c) => c.advantage),
    ),
  ];
  return new Uint8Array(parquetWriteBuffer({ columnData, createdBy: 'papo-web' }));
}

/**
 * `completions/completions_<step>.parquet` for every update that has completions: step, prompt, completion, one column
 * a reward, the further columns, advantage. A reward that is null stays null.
 */
export function completionTables(rows: readonly LogRow[]): OutFile[] {
  const bySteps = new Map<number, SampledCompletion[]>();
  for (const { step, kind, completions } of rows) {
    if (kind !== 'step' || completions.length === 0) continue;
    bySteps.set(step, [...(bySteps.get(step) ?? []), ...completions]);
  }
  return Array.from(bySteps, ([step, completions]) =>
    bytesFile(`completions/completions_${String(step).padStart(5, '0')}.parquet`, parquet(step, completions)),
  );
}
