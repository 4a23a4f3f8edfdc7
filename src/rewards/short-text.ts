/** Short answers in words, and when two of them are the same. */
import { plainLatex } from './plain-latex.ts';

const articles = new Set(['a', 'an', 'the']);

/** As VQA's evaluation does, and on to twenty. */
const numberWords: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven'],
    ...[
      'twelve',
      'thirteen',
      'fourteen',
      'fifteen',
      'sixteen',
      'seventeen',
      'eighteen',
      'nineteen',
      'twenty',
    ],
  ].map((word, i) => [word, String(i)]),
);

/** Answers are short; of a longer text only the start and length count. */
const mostCharacters = 2000;

/**
 * A text's words: LaTeX's wrappers, case, accents, punctuation, articles and the width of spaces do not count, number
 * words are digits. Kept are `.` and `,` in numbers (the latter dropped as a separator), `-` before a digit, `/` and `:`
 * between digits, and symbols (`%`, `+`, `°`). A text of nothing but what is dropped stays as it is.
 */
export function normalWords(text: string): string[] {
  if (text.length > mostCharacters) return [text];
  const plain = plainLatex(text)
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .replaceAll('ß', 'ss')
    .replace(/[−–]/g, '-')
    .replace(/['’`]/g, '')
    .replace(/(\d),(?=\d{3}(?!\d))/g, '$1')
    .replace(/\p{P}/gu, (mark, at: number, whole: string) => {
      const before = at > 0 && /\d/.test(whole[at - 1]);
      const after = /\d/.test(whole[at + mark.length] ?? '');
      if (mark === '%') return mark;
      if (mark === '.') return after ? '.' : ' ';
      if (mark === '/' || mark === ':') return before && after ? mark : ' ';
      // A sign, where no word or number stands before it.
      if (mark === '-') return after && !/[\p{L}\d]/u.test(whole[at - 1] ?? ' ') ? '-' : ' ';
      return ' ';
    });
  const words = plain.split(/\s+/).filter(Boolean);
  const known = words.map((word) => (Object.hasOwn(numberWords, word) ? numberWords[word] : word));
  const bare = known.filter((word) => !articles.has(word));
  if (bare.length > 0) return bare;
  return known.length > 0 ? known : [text.normalize('NFKC').trim()];
}

export const sameText = (given: string, expected: string): boolean =>
  normalWords(given).join(' ') === normalWords(expected).join(' ');

/** Whether the words of `expected` stand in `text` one after the other. Of a long text the last 2,000 characters count. */
export function containsText(text: string, expected: string): boolean {
  const words = normalWords(expected).join(' ');
  return words !== '' && ` ${normalWords(text.slice(-mostCharacters)).join(' ')} `.includes(` ${words} `);
}
