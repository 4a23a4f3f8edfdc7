/** A record of a dataset file as a prompt, an image, an answer and further columns, or what is wrong with it. */
import { show } from '../store/json.ts';
import { type ImageFolder, type ImageSource, imageSource } from './image-value.ts';

/** The names that a column goes by: ours and TRL's first, then those of the authors' data and of question sets. */
const promptNames = ['prompt', 'problem', 'question'] as const;
const imageNames = ['image', 'images'] as const;
const answerNames = ['answer', 'solution'] as const;

/** A column that every JavaScript object treats specially: it would not be data any more. */
const forbidden = '__proto__';

export interface ParsedRow {
  readonly prompt: string;
  readonly image: Extract<ImageSource, { open: unknown }>;
  readonly answer: string | null;
  readonly columns: Readonly<Record<string, unknown>>;
}

export interface FieldProblem {
  readonly column?: string;
  readonly message: string;
}

export type Parsed = { readonly row: ParsedRow } | { readonly problems: readonly FieldProblem[] };

type Field<T> = { readonly value: T } | FieldProblem;

const isPresent = (value: unknown) => value !== undefined && value !== null;
const find = (record: Readonly<Record<string, unknown>>, names: readonly string[]) =>
  names.find((name) => Object.hasOwn(record, name) && isPresent(record[name]));

/** The text of one user message: a string, or parts of which one is an image. */
function messageText(content: unknown): string | null {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return null;
  const texts: string[] = [];
  for (const part of content as { type?: unknown; text?: unknown }[]) {
    if (part?.type === 'text' && typeof part.text === 'string') texts.push(part.text);
    else if (part?.type !== 'image') return null;
  }
  return texts.join('\n');
}

/** TRL's conversational form: a list of messages with one of the user. */
function conversation(
  messages: readonly unknown[],
  column: string,
  note: (text: string) => void,
): Field<string> {
  const expected = 'expected a text, or a list with one message {"role": "user", "content": …}';
  const asked: string[] = [];
  for (const message of messages) {
    const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown };
    if (role === 'system') {
      note(`${column} is a conversation: its system message is left out`);
      continue;
    }
    const text = role === 'user' ? messageText(content) : null;
    if (text === null) return { column, message: `${column} has the message ${show(message)}; ${expected}` };
    asked.push(text);
  }
  if (asked.length !== 1) {
    return { column, message: `${column} has ${asked.length} messages of the user; ${expected}` };
  }
  note(`${column} is a conversation: the text of its user message is taken`);
  return { value: asked[0] };
}

/** The chat template puts the image before the text, so a mark in the text goes. */
function withoutMark(text: string, column: string, note: (text: string) => void): Field<string> {
  const marks = text.split('<image>').length - 1;
  if (marks > 1) {
    return { column, message: `${column} has ${marks} marks <image>; one image a prompt is supported` };
  }
  if (marks === 1) note(`${column} holds the mark <image>, which goes: the image is put before the text`);
  const value = text.replace('<image>', '').trim();
  return value === '' ? { column, message: `${column} is empty; expected a text` } : { value };
}

function readPrompt(record: Readonly<Record<string, unknown>>, note: (text: string) => void): Field<string> {
  const column = find(record, promptNames);
  if (!column) {
    const names = show(Object.keys(record), 200);
    return {
      column: 'prompt',
      message: `there is no prompt (or problem, or question); the columns are ${names}`,
    };
  }
  const value = record[column];
  const text: Field<string> =
    typeof value === 'string'
      ? { value }
      : Array.isArray(value)
        ? conversation(value, column, note)
        : { column, message: `${column} is ${show(value)}; expected a text, or a list of messages` };
  return 'value' in text ? withoutMark(text.value, column, note) : text;
}

/** The image of a record, or what is wrong with it. */
export function readImage(
  record: Readonly<Record<string, unknown>>,
  place: ImageFolder,
): Field<Extract<ImageSource, { open: unknown }>> {
  const column = find(record, imageNames);
  if (!column) {
    return {
      column: 'image',
      message: 'there is no image; expected a column image, or images with one entry',
    };
  }
  let value = record[column];
  // A list of numbers is no list of images.
  if (Array.isArray(value) && (column === 'images' || value.length === 1)) {
    if (value.length !== 1) {
      return {
        column,
        message: `${column} has ${value.length} entries; one image a prompt is supported today`,
      };
    }
    value = value[0];
  }
  const source = imageSource(value, place);
  return 'problem' in source ? { column, message: source.problem } : { value: source };
}

function readAnswer(record: Readonly<Record<string, unknown>>): Field<string | null> {
  const column = find(record, answerNames);
  if (!column) return { value: null };
  const value = record[column];
  if (typeof value === 'string') return { value };
  if ((typeof value === 'number' && Number.isFinite(value)) || typeof value === 'bigint') {
    return { value: String(value) };
  }
  return { column, message: `${column} is ${show(value)}; expected a text or a number` };
}

const taken = new Set<string>(['prompt', 'answer', ...imageNames]);

/**
 * Reads one record. `note` hears what was done to a good row that its owner may not expect. Columns `problem`,
 * `question` and `solution` are handed to the rewards as well, under their own names.
 */
export function parseRow(
  record: Readonly<Record<string, unknown>>,
  place: ImageFolder,
  note: (text: string) => void,
): Parsed {
  const fields = [readPrompt(record, note), readImage(record, place), readAnswer(record)] as const;
  const [prompt, image, answer] = fields;
  const problems: FieldProblem[] = fields.filter((field) => 'message' in field);
  if (Object.hasOwn(record, forbidden)) {
    problems.push({ column: forbidden, message: `a column cannot be called ${forbidden}` });
  }
  if (problems.length > 0 || !('value' in prompt) || !('value' in image) || !('value' in answer)) {
    return { problems };
  }
  const columns = Object.fromEntries(Object.entries(record).filter(([name]) => !taken.has(name)));
  return { row: { prompt: prompt.value, image: image.value, answer: answer.value, columns } };
}
