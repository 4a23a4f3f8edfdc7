import { UserError } from '../errors.ts';

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `value` as a message quotes it: JSON, cut to `longest` characters; never throws, however deep or large it is. */
export function show(value: unknown, longest = 120): string {
  const text = draw(value, 0, { left: longest + 1 });
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function draw(value: unknown, depth: number, room: { left: number }): string {
  if (room.left <= 0 || depth > 8) return '…';
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`;
  if (typeof value === 'object' && value !== null) {
    const parts: string[] = [];
    const list = Array.isArray(value);
    room.left -= 2;
    const keys = list ? value.keys() : Object.keys(value);
    for (const key of keys) {
      if (room.left <= 0) break;
      const inner = (value as Record<string, unknown>)[key];
      const name = list ? '' : `${draw(key, depth + 1, room)}:`;
      parts.push(name + draw(inner, depth + 1, room));
    }
    const inner = parts.join(',');
    return list ? `[${inner}]` : `{${inner}}`;
  }
  const text =
    typeof value === 'string' ? JSON.stringify(value.slice(0, Math.max(0, room.left))) : String(value);
  room.left -= text.length;
  return text;
}

/** bytes as text; throws UserError naming `where` when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`${where} is not UTF-8 text.`);
  }
}

/** bytes as a JSON object; throws UserError naming `where`, with the parser's own complaint. */
export function parseJsonObject(bytes: Uint8Array, where: string): JsonObject {
  const text = decodeUtf8(bytes, where);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new UserError(`${where} is not valid JSON: ${(error as Error).message}`);
  }
  if (!isJsonObject(value)) throw new UserError(`${where} is not a JSON object ({ … }).`);
  return value;
}

/** Where the string that opens at `start` ends: the index of its closing quote. */
function stringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  for (; end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

/** In an object a string before a colon is a key. */
function followedByColon(text: string, start: number): boolean {
  const next = /[^ \t\n\r]/g;
  next.lastIndex = start;
  return next.exec(text)?.[0] === ':';
}

/** The first key that occurs twice in one object of `text`, which must be valid JSON, or null. JSON.parse hides these. */
export function duplicateKey(text: string): string | null {
  const open: (Set<string> | null)[] = [];
  const marks = /["{}[\]]/g;
  for (let found = marks.exec(text); found; found = marks.exec(text)) {
    const token = found[0];
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '"') {
      const end = stringEnd(text, found.index);
      marks.lastIndex = end + 1;
      const names = open.at(-1);
      if (!names || !followedByColon(text, end + 1)) continue;
      const name = JSON.parse(text.slice(found.index, end + 1)) as string;
      if (names.has(name)) return name;
      names.add(name);
    } else open.pop();
  }
  return null;
}
