/** What stands in the boxes of a LaTeX text. Both functions are linear in its length. */

const opening = /\\(?:boxed|fbox)(?![a-zA-Z])[ \t]*/g;

/**
 * The content of the last `\boxed{…}` or `\fbox{…}`: braces nest, and `\{`, `\}` count for nothing. Without braces
 * (`\boxed 3`) it is what follows up to white space or `$`. null where there is no box, or the last is not closed: a
 * completion that was cut off has not answered. A box in a box: the inner one, as it opens last.
 */
export function lastBoxed(text: string): string | null {
  let start = -1;
  for (const match of text.matchAll(opening)) start = match.index + match[0].length;
  if (start < 0) return null;
  if (text[start] !== '{') return /^[^\s${}\\]+/.exec(text.slice(start, start + 100))?.[0] ?? null;
  const end = closingBrace(text, start);
  return end < 0 ? null : text.slice(start + 1, end).trim();
}

/** Whether there is a box, closed or not. */
export const hasBox = (text: string): boolean => text.search(opening) >= 0;

/** The index of the brace that closes the one at `open`; -1 where none does. A character after `\` is no brace. */
export function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i++;
    else if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return i;
  }
  return -1;
}
