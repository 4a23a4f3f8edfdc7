/** A run's log as a file of one JSON object a line. A last line without its line break was cut off by a crash. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { UserError } from '../errors.ts';
import { parseExact, stringifyExact } from './exact-json.ts';
import { isMissing, writeDurably } from './node-files.ts';
import type { LogRow } from './run-store.ts';

const lineBreak = 0x0a;

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0);
    throw new UserError(`${path} could not be read: ${(error as Error).message}`);
  }
}

function parseRow(text: string, where: string): LogRow {
  let row: Partial<LogRow> | null;
  try {
    row = parseExact(text) as Partial<LogRow> | null;
  } catch (error) {
    throw new UserError(`${where} is damaged: ${(error as Error).message}`);
  }
  if (typeof row?.step !== 'number' || !row.metrics || !Array.isArray(row.completions))
    throw new UserError(`${where} is damaged: expected an object with step, kind, metrics and completions.`);
  return row as LogRow;
}

/** All whole lines. Throws a UserError naming the line that is damaged. */
export async function readLogFile(path: string): Promise<LogRow[]> {
  const bytes = await readBytes(path);
  const whole = bytes.subarray(0, bytes.lastIndexOf(lineBreak) + 1);
  const lines = whole.toString('utf8').split('\n').slice(0, -1);
  return lines.map((line, i) => parseRow(line, `${path}, line ${i + 1}`));
}

/** Appends rows behind the last whole line: all of them, or none where the disk refuses. */
export async function appendLogFile(path: string, rows: readonly LogRow[]): Promise<void> {
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    const end = await wholeEnd(file, size);
    if (end < size) await file.truncate(end);
    try {
      await file.writeFile(rows.map((row) => `${stringifyExact(row)}\n`).join(''));
    } catch (error) {
      await file.truncate(end);
      throw error;
    }
  } finally {
    await file.close();
  }
}

/** Where the last whole line of a file of `size` bytes ends. */
async function wholeEnd(file: Awaited<ReturnType<typeof open>>, size: number): Promise<number> {
  const chunk = new Uint8Array(2 ** 16);
  for (let end = size; end > 0; ) {
    const begin = Math.max(0, end - chunk.length);
    const { bytesRead } = await file.read(chunk, 0, end - begin, begin);
    const at = chunk.subarray(0, bytesRead).lastIndexOf(lineBreak);
    if (at >= 0) return begin + at + 1;
    end = begin;
  }
  return 0;
}

/** What was appended is on the disk when this resolves. */
export async function syncLogFile(path: string): Promise<void> {
  const file = await open(path, 'r+').catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  try {
    await file?.sync();
  } finally {
    await file?.close();
  }
}

/** Drops the rows that `keep` does not want; the file is replaced in one moment. */
export async function filterLogFile(path: string, keep: (row: LogRow) => boolean): Promise<void> {
  const rows = await readLogFile(path);
  const kept = rows.filter(keep);
  if (kept.length === rows.length) return;
  await replaceFile(path, kept.map((row) => `${stringifyExact(row)}\n`).join(''));
}

/** A file with new content, or as it was. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeDurably(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}
