/** JSONL and JSON lists as records, read as a stream; a bad line is that line's problem alone. */
import { UserError } from '../errors.ts';
import { show } from '../store/json.ts';

/** A row as the file has it, or why there is none. `row` counts lines (JSONL) or entries (lists) from 1. */
export interface RawRow {
  readonly row: number;
  readonly record?: Readonly<Record<string, unknown>>;
  readonly problem?: string;
  /** How it begins, where it is no record. */
  readonly text?: string;
}

/** Bytes of one line, at most: an image as base64 in it included. */
const longestLine = 96 * 2 ** 20;
/** A list must be parsed as a whole. */
const largestList = 256 * 2 ** 20;
/** Rows of a dataset, at most. */
export const mostRows = 1_000_000;

/** Characters of a row that is no record that are kept to be shown. */
const shownText = 2000;

const newline = 0x0a;

/** The lines' bytes without their newline; null for a line that is too long. */
async function* byteLines(blob: Blob): AsyncGenerator<Uint8Array | null> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  const take = () => {
    const line = length > longestLine ? null : concat(pieces, length);
    pieces = [];
    length = 0;
    return line;
  };
  const reader = blob.stream().getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    let rest: Uint8Array = read.value;
    for (let at = rest.indexOf(newline); at >= 0; at = rest.indexOf(newline)) {
      const piece = rest.subarray(0, at);
      length += piece.length;
      if (length <= longestLine) pieces.push(piece);
      yield take();
      rest = rest.subarray(at + 1);
    }
    length += rest.length;
    if (length > longestLine) pieces = [];
    else if (rest.length > 0) pieces.push(rest);
  }
  if (length > 0) yield take();
}

function concat(pieces: readonly Uint8Array[], length: number): Uint8Array {
  if (pieces.length === 1) return pieces[0];
  const out = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

function toRow(row: number, value: unknown): RawRow {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { row, record: value as Record<string, unknown> };
  }
  return {
    row,
    problem: `this is ${show(value)}; expected an object such as {"prompt": …, "image": …}`,
    text: show(value, shownText),
  };
}

function parseLine(row: number, bytes: Uint8Array | null): RawRow | null {
  if (bytes === null) return { row, problem: `the line is longer than ${longestLine} bytes` };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    return { row, problem: 'the line is not UTF-8 text' };
  }
  if (text === '') return null;
  try {
    return toRow(row, JSON.parse(text));
  } catch (error) {
    const problem = `the line is not valid JSON: ${(error as Error).message}`;
    return { row, problem, text: text.slice(0, shownText) };
  }
}

/** The rows of a JSONL file; empty lines are passed over, yet counted. Throws UserError past the limit of rows. */
export async function* readJsonLines(blob: Blob, where: string): AsyncGenerator<RawRow> {
  let line = 0;
  let rows = 0;
  for await (const bytes of byteLines(blob)) {
    const row = parseLine(++line, bytes);
    if (!row) continue;
    if (++rows > mostRows) throw new UserError(`${where} has more than ${mostRows} rows.`);
    yield row;
  }
}

/** The entries of a JSON list of objects. Throws UserError where the file is none. */
export async function* readJsonList(blob: Blob, where: string): AsyncGenerator<RawRow> {
  if (blob.size > largestList) {
    throw new UserError(
      `${where} is ${blob.size} bytes; a JSON list may have ${largestList}. Write it as JSONL, one object a line.`,
    );
  }
  let list: unknown;
  try {
    list = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await blob.arrayBuffer()));
  } catch (error) {
    throw new UserError(`${where} is not valid JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(list)) throw new UserError(`${where} is ${show(list)}; expected a list of objects.`);
  if (list.length > mostRows) throw new UserError(`${where} has more than ${mostRows} rows.`);
  for (const [index, value] of list.entries()) yield toRow(index + 1, value);
}
