/**
 * What a tokenizer's files may not hold, because the library that reads them would hang on it or grow without bound:
 * ids beyond the vocabulary, deep nesting, and patterns or chat templates that take time without end.
 */
import { UserError } from '../errors.ts';
import { show } from '../store/json.ts';

/** The largest vocabularies in use have some 262,000 tokens. */
const mostTokens = 2 ** 22;
const deepest = 16;
const mostPattern = 4000;
const mostPatterns = 64;
const mostTemplate = 64 * 1024;
/** Characters that are turned into ids at once: a pattern of those allowed takes time up to their square. */
export const mostCharacters = 32_768;

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkId(id: unknown, token: unknown): void {
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= mostTokens) {
    throw new UserError(
      `tokenizer.json: token ${show(token)} has the id ${show(id)}; expected a whole number below ${mostTokens}`,
    );
  }
}

function checkVocabulary(tokenizer: Json): void {
  const { model, added_tokens: added } = tokenizer;
  if (!isObject(model)) throw new UserError(`tokenizer.json: model is ${show(model)}; expected an object`);
  const { vocab } = model;
  if (Array.isArray(vocab)) {
    if (vocab.length > mostTokens) throw new UserError(`tokenizer.json: more than ${mostTokens} tokens`);
    for (const entry of vocab) {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number') {
        throw new UserError(`tokenizer.json: model.vocab has ${show(entry)}; expected [token, score]`);
      }
    }
  } else if (isObject(vocab)) {
    for (const [token, id] of Object.entries(vocab)) checkId(id, token);
  } else {
    throw new UserError(`tokenizer.json: model.vocab is ${show(vocab)}; expected an object of ids`);
  }
  if (!Array.isArray(added))
    throw new UserError(`tokenizer.json: added_tokens is ${show(added)}; expected a list`);
  for (const token of added as unknown[]) {
    if (!isObject(token) || typeof token.content !== 'string' || token.content === '') {
      throw new UserError(`tokenizer.json: added_tokens has ${show(token)}; expected {"id", "content"}`);
    }
    checkId(token.id, token.content);
  }
}

/** How often the element before `at` of a pattern may come: a quantifier's bounds, or null where there is none. */
function quantifier(pattern: string, at: number): { most: number; least: number; end: number } | null {
  const found = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})[?+]?/.exec(pattern.slice(at, at + 32));
  if (!found) return null;
  const [all, mark, least, comma, most] = found;
  const end = at + all.length;
  if (mark) return { least: mark === '+' ? 1 : 0, most: mark === '?' ? 1 : Number.POSITIVE_INFINITY, end };
  const upper = comma === '' ? Number(least) : most === '' ? Number.POSITIVE_INFINITY : Number(most);
  return { least: Number(least), most: upper, end };
}

/** The end of a class [ … ]; a class may hold another in Oniguruma. */
function classEnd(pattern: string, start: number): number {
  let depth = 0;
  for (let at = start; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === '[') depth++;
    else if (pattern[at] === ']' && --depth === 0) return at + 1;
  }
  return pattern.length;
}

/** Where the element at `at` ends that is no group: a class, an escape, or one character. */
function atomEnd(pattern: string, at: number): number {
  if (pattern[at] === '[') return classEnd(pattern, at);
  if (pattern[at] !== '\\') return at + ((pattern.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
  return (
    at +
    1 +
    (/^(?:[pPux]\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/su.exec(pattern.slice(at + 1, at + 80))?.[0]
      .length ?? 1)
  );
}

/**
 * Throws UserError for a pattern that can take more than quadratic time: a repeated group that holds a choice or a
 * repetition (exponential), more than two unbounded repetitions in one alternative, or two and then something that
 * must follow (cubic); and for back-references. The split patterns of GPT-2, GPT-4, Llama, Qwen and SmolVLM pass.
 */
export function checkPattern(pattern: string, where: string): void {
  const refuse = (why: string): never => {
    throw new UserError(`${where}: the pattern ${show(pattern)} ${why}; it could take endless time.`);
  };
  if (pattern.length > mostPattern) refuse(`is longer than ${mostPattern} characters`);
  // One entry for each open group: what the present alternative has, and what the group has in all.
  interface Level {
    unbounded: number;
    repeats: boolean;
    choice: boolean;
    worst: number;
    look: boolean;
  }
  const level = (unbounded: number, look: boolean): Level => ({
    unbounded,
    repeats: false,
    choice: false,
    worst: unbounded,
    look,
  });
  const open: { base: number; level: Level }[] = [{ base: 0, level: level(0, false) }];
  for (let at = 0; at < pattern.length; ) {
    const here = open[open.length - 1];
    const mark = pattern[at];
    if (mark === '|') {
      here.level.worst = Math.max(here.level.worst, here.level.unbounded);
      here.level.unbounded = here.base;
      here.level.choice = true;
      at++;
      continue;
    }
    if (mark === '^' || mark === '$') {
      at++;
      continue;
    }
    if (mark === '(') {
      const head = /^\((?:\?(?:[:>=!]|<[=!]|<\w+>|[imsx-]+:))?/.exec(pattern.slice(at, at + 64))?.[0] ?? '(';
      open.push({ base: here.level.unbounded, level: level(here.level.unbounded, /\?<?[=!]/.test(head)) });
      if (open.length > deepest) refuse(`nests groups more than ${deepest} deep`);
      at += head.length;
      continue;
    }
    if (mark === ')') {
      if (open.length === 1) refuse('closes a group that is not open');
      const { level: inner } = open.pop() ?? here;
      const outer = open[open.length - 1].level;
      const times = quantifier(pattern, at + 1);
      if (times && times.most > 1 && (inner.choice || inner.repeats))
        refuse('repeats a group that holds a choice or a repetition');
      const worst = Math.max(inner.worst, inner.unbounded);
      outer.repeats ||= inner.repeats || inner.choice || times !== null;
      if (outer.unbounded >= 2 && times?.least !== 0)
        refuse('demands something behind two unbounded repetitions');
      outer.unbounded = worst + (times && times.most > 64 ? 1 : 0);
      if (outer.unbounded > 2) refuse('has more than two unbounded repetitions in one alternative');
      at = times?.end ?? at + 1;
      continue;
    }
    if (mark === '\\' && /^\\(?:[1-9]|k<)/.test(pattern.slice(at, at + 3))) refuse('refers back to a group');
    const end = atomEnd(pattern, at);
    const times = quantifier(pattern, end);
    if (times) here.level.repeats = true;
    if (here.level.unbounded >= 2 && times?.least !== 0)
      refuse('demands something behind two unbounded repetitions');
    if (times && times.most > 64) here.level.unbounded++;
    if (here.level.unbounded > 2) refuse('has more than two unbounded repetitions in one alternative');
    at = times?.end ?? end;
  }
}

/** Finds patterns, and bounds the depth of the configuration: the library walks it by recursion. */
function checkParts(value: unknown, where: string, depth: number, patterns: { left: number }): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > deepest) throw new UserError(`tokenizer.json: ${where} is nested more than ${deepest} deep`);
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'Regex') {
      if (typeof inner !== 'string')
        throw new UserError(`tokenizer.json: ${where}.Regex is ${show(inner)}; expected text`);
      if (--patterns.left < 0) throw new UserError(`tokenizer.json: more than ${mostPatterns} patterns`);
      checkPattern(inner, `tokenizer.json: ${where}`);
    } else checkParts(inner, where, depth + 1, patterns);
  }
}

/** Throws UserError for a tokenizer.json that must not be handed to the library. */
export function checkTokenizer(tokenizer: unknown): void {
  if (!isObject(tokenizer)) throw new UserError(`tokenizer.json is ${show(tokenizer)}; expected an object`);
  checkVocabulary(tokenizer);
  const patterns = { left: mostPatterns };
  for (const part of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    checkParts(tokenizer[part], part, 0, patterns);
  }
}

/** Throws UserError for a chat template that could take endless time or room: it is a program. */
export function checkTemplate(template: string): void {
  const refuse = (why: string): never => {
    throw new UserError(`the chat template ${why}; expected one that walks the messages and their parts`);
  };
  if (template.length > mostTemplate) refuse(`is longer than ${mostTemplate} characters`);
  const loops = template.match(/\{%-?\s*for\b/g)?.length ?? 0;
  if (loops > 12) refuse(`has ${loops} loops`);
  if (/\brange\s*\(/.test(template)) refuse('counts with range()');
  if (/\{%-?\s*(?:macro|call|include|import|extends)\b/.test(template)) refuse('defines or calls macros');
}
