// Parsed JSON of unknown make, read with errors that say where it is not as expected.
import { UserError } from '../../errors.ts';

export type Raw = Record<string, unknown>;

export const isRecord = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/**
 * Nested arrays of numbers, null for NaN → their numbers in order. `shape` gives the length of each level, null where
 * it is free (but the same throughout). Throws a UserError that names the first place that does not fit.
 */
export function numbers(
  value: unknown,
  where: string,
  shape: readonly (number | null)[],
): { data: Float64Array; shape: number[] } {
  const found: (number | null)[] = [...shape];
  const data: number[] = [];
  const walk = (node: unknown, place: string, level: number): void => {
    if (level === shape.length) {
      if (node !== null && typeof node !== 'number')
        throw new UserError(`${place}: expected a number, got ${show(node)}.`);
      data.push(node ?? Number.NaN);
      return;
    }
    if (!Array.isArray(node)) throw new UserError(`${place}: expected a list, got ${show(node)}.`);
    found[level] ??= node.length;
    if (node.length === 0 || node.length !== found[level])
      throw new UserError(`${place}: expected ${found[level] || 'some'} entries, got ${node.length}.`);
    for (const [i, item] of node.entries()) walk(item, `${place}[${i}]`, level + 1);
  };
  walk(value, where, 0);
  return { data: Float64Array.from(data), shape: found as number[] };
}
