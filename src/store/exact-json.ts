/** JSON that gives back every number as it was: NaN, the infinities and −0 too, written as {"$number": "NaN"}. */

function isSpecial(value: unknown): value is number {
  return typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0));
}

export function stringifyExact(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    isSpecial(entry) ? { $number: Object.is(entry, -0) ? '-0' : String(entry) } : entry,
  );
}

/** Throws a SyntaxError for what is no JSON. */
export function parseExact(text: string): unknown {
  // Most texts have nothing special in them, and a reviver is slow.
  if (!text.includes('"$number"')) return JSON.parse(text);
  return JSON.parse(text, (_key, entry: unknown) => {
    const special = (entry as { $number?: unknown } | null)?.$number;
    return typeof special === 'string' ? Number(special) : entry;
  });
}
