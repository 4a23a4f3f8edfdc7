/**
 * What a tokenizer's files may not hold, because the library that reads them would hang on it or grow without bound:
 * ids beyond the vocabulary, deep nesting, and patterns or chat templates that take time without end.
 */
import { UserError } from '../errors.ts';
import { show } from '../store/json.ts';
import { checkPattern } from './pattern-check.ts';

/** The largest vocabularies in use have some 262,000 tokens. */
const mostTokens = 2 ** 22;
const deepest = 16;
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
