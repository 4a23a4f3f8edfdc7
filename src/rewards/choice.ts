/** Answers to multiple-choice questions: letters, or the text of a choice. */
import { readQuantity, sameQuantity } from './number.ts';
import { plainLatex } from './plain-latex.ts';
import { normalWords, sameText } from './short-text.ts';

/** Choices have the letters A to J. */
const letters = 'ABCDEFGHIJ';
const mostCharacters = 2000;

/**
 * The letters that a text chooses, in order (`B`, or `AC` where several are right): `B`, `(b)`, `B.`, `B) 5 cm`, `**B**`,
 * `\text{B}`, `option B`, `B and C`, `ABD`. null where it names none: `A cat` is no choice.
 */
export function readLetters(text: string): string | null {
  if (text.length > mostCharacters) return null;
  const plain = plainLatex(text.replace(/[*`_]/g, ''))
    .normalize('NFKC')
    .trim()
    .replace(
      /^(?:the\s+)?(?:(?:correct|right|best)\s+)?(?:options?|choices?|answers?)\b\s*(?:is\b|are\b|[:=])?\s*/i,
      '',
    )
    .trim();
  const one = /^[([]?\s*([A-Ja-j])\s*[)\]]?[.,;]?$/.exec(plain);
  if (one) return one[1].toUpperCase();
  const several = plain.replace(/[()[\].]/g, ' ').trim();
  if (/^[A-J](?:\s*(?:,|;|&|\band\b)\s*[A-J])+$/.test(several) || /^[A-J]{2,6}$/.test(several)) {
    const found = [...several.replace(/and/g, '')].filter((char) => letters.includes(char));
    const isOrdered = found.every((letter, i) => i === 0 || letter > found[i - 1]);
    // Run together they must be in order and no word.
    if (isOrdered || /[^A-J]/.test(several)) return [...new Set(found)].sort().join('');
  }
  // With what stands behind the letter: "(B) 5 cm", "B. because …", "B: red".
  const led = /^(?:\(([A-Ja-j])\)|\[([A-Ja-j])\]|([A-J])\s*[.):])(?=\s|$|\S)/.exec(plain);
  const letter = led?.[1] ?? led?.[2] ?? led?.[3];
  return letter?.toUpperCase() ?? null;
}

/** The choices' texts by letter. */
export type Choices = ReadonlyMap<string, string>;

/**
 * Choices of a row: its column `choices` or `options` (a list, an object by letter, or either as JSON), else the lines
 * `A. …`, `(B) …` of its prompt. null where there are none.
 */
export function readChoices(column: unknown, prompt: string): Choices | null {
  const value = typeof column === 'string' ? parsed(column) : column;
  if (Array.isArray(value)) return fromList(value);
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([letter]) => /^[A-J]$/.test(letter));
    if (entries.length > 1) return new Map(entries.map(([letter, text]) => [letter, String(text)]));
  }
  return fromPrompt(prompt);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function fromList(list: readonly unknown[]): Choices | null {
  if (list.length < 2 || list.length > letters.length) return null;
  return new Map(
    list.map((entry, i) => {
      const own = new RegExp(`^\\s*\\(?${letters[i]}[.):、]\\s*`);
      return [letters[i], String(entry).replace(own, '').trim()];
    }),
  );
}

/** `A. …`, `(A) …`, `A) …`, `A: …`, on lines of their own or one after the other on a line. */
function fromPrompt(prompt: string): Choices | null {
  if (prompt.length > 20_000) return null;
  const marks = [...prompt.matchAll(/(?:^|[\s;,])(?:\(([A-J])\)|([A-J])[.):、])[ \t]*/g)];
  const start = marks.findLastIndex(([, a, b]) => (a ?? b) === 'A');
  if (start < 0) return null;
  const choices = new Map<string, string>();
  for (let i = start; i < marks.length; i++) {
    const letter = marks[i][1] ?? marks[i][2];
    if (letter !== letters[choices.size]) break;
    const from = marks[i].index + marks[i][0].length;
    const to = marks[i + 1]?.index ?? prompt.length;
    const [line] = prompt.slice(from, to).split('\n', 1);
    choices.set(letter, line.replace(/[;,\s]+$/, ''));
  }
  return choices.size > 1 ? choices : null;
}

/** The letter of the one choice whose text or number this is, or null. */
export function letterOfText(text: string, choices: Choices): string | null {
  if (text.length > mostCharacters) return null;
  const quantity = readQuantity(text);
  const found = [...choices].filter(([, choice]) => {
    if (normalWords(choice).join('') !== '' && sameText(text, choice)) return true;
    const other = quantity && readQuantity(choice);
    return other !== null && quantity !== null && sameQuantity(quantity, other);
  });
  return found.length === 1 ? found[0][0] : null;
}

/** 1 or 0; null where the expected answer names no choice. */
export function choiceScore(given: string | null, expected: string, choices: Choices | null): number | null {
  // A choice may be a letter itself; with choices its text comes first only where no letter is named.
  const read = (text: string) => readLetters(text) ?? (choices && letterOfText(text, choices));
  const right = read(expected);
  if (right === null) return null;
  return given !== null && read(given) === right ? 1 : 0;
}
