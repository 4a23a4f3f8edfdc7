/** Command lines on which options and settings stand together: `--out DIR --learning_rate 1e-4`. */
import type { ParseArgsConfig } from 'node:util';
import { UserError } from '../errors.ts';

/**
 * Options of `options` as parseArgs takes them, each one word, because a value may itself begin with a dash; all other
 * `--name value` pairs are settings, which parseConfig judges. Throws a UserError for what is neither.
 */
export function splitArguments(
  args: readonly string[],
  options: NonNullable<ParseArgsConfig['options']>,
  usage: string,
): { known: string[]; settings: Record<string, unknown> } {
  const settings: Record<string, unknown> = {};
  const known: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const name = args[i].startsWith('--') ? args[i].slice(2).split('=')[0] : '';
    if (!name) throw new UserError(`unexpected argument "${args[i]}"\n${usage}`);
    const inline = args[i].includes('=') ? args[i].slice(args[i].indexOf('=') + 1) : undefined;
    const isOurs = Object.hasOwn(options, name);
    const flag = isOurs && options[name].type === 'boolean';
    if (flag && inline !== undefined) throw new UserError(`--${name} takes no value, got "${inline}"`);
    if (!flag && inline === undefined && args[i + 1] === undefined)
      throw new UserError(`--${name} needs a value`);
    const value = flag ? undefined : (inline ?? args[++i]);
    if (isOurs) known.push(value === undefined ? `--${name}` : `--${name}=${value}`);
    else settings[name] = parseValue(value!);
  }
  return { known, settings };
}

/** Numbers, booleans, null and lists as JSON; everything else is text. */
function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
