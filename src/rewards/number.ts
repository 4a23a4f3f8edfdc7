/** Numbers as people and models write them, and when two of them are the same. */
import { evaluateExpression } from './expression.ts';
import { asExpression, plainLatex } from './plain-latex.ts';
import { readUnit, type Unit } from './units.ts';

export interface Quantity {
  /** As it stands, without unit: 50 in `50 %`, 5 in `5 cm`. */
  readonly value: number;
  readonly isPercent: boolean;
  /** null where there is none, or none that is known. */
  readonly unit: Unit | null;
}

/** Longer texts are no numbers, however much they look like one. */
const mostCharacters = 200;

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';
const scales: Readonly<Record<string, number>> = {
  hundred: 1e2,
  thousand: 1e3,
  million: 1e6,
  billion: 1e9,
  trillion: 1e12,
};

/**
 * The number that a whole text is, with signs, separators, fractions, roots, π, powers, percent and units (docs/rewards.md
 * lists what is read); null where it is none, or more than one. No sums, except with a root or π in them: `3-4` is a
 * range or a score as often as a difference.
 */
export function readQuantity(text: string): Quantity | null {
  if (text.length > mostCharacters) return null;
  let rest = unquoted(plainLatex(unified(text)));
  rest = rest
    .replace(/(?<=\S)[.,;!]+$/, '')
    .replace(/^(?:about|approximately|approx\.?|around|roughly)\s+/i, '');
  rest = afterEquals(rest);
  const [, sign, currency, amount] = /^([-+]?)\s*([$€£¥])\s*(.*)$/s.exec(rest) ?? [];
  if (currency !== undefined) rest = `${sign}${amount}`;
  const { number, tail } = splitTail(rest);
  const value = readNumber(number);
  if (value === null || !Number.isFinite(value)) return null;
  const read = readTail(tail);
  if (!read) return null;
  const unit = currency === undefined ? read.unit : readUnit(currency);
  return { value: value * read.scale, isPercent: read.isPercent, unit };
}

/** Quotes and Markdown's marks around a whole text go. */
function unquoted(text: string): string {
  let inner = text;
  while (inner.length > 1 && inner[0] === inner.at(-1) && '*_`"\''.includes(inner[0]))
    inner = inner.slice(1, -1).trim();
  return inner;
}

/** One character for each meaning: minus signs, spaces, fractions, superscripts, full-width digits. */
function unified(text: string): string {
  return text
    .replace(/(\d)\s+and\s+(?=\d+\s*\/)/g, '$1 ')
    .replace(/(\d?)([¼½¾⅐-⅞])/g, (_, digit: string, fraction: string) => {
      const plain = fraction.normalize('NFKC');
      return digit ? `${digit} ${plain}` : plain;
    })
    .replace(/(⁻?)([⁰¹²³⁴-⁹]+)/g, (_, minus: string, digits: string) => {
      const plain = [...digits].map((digit) => superscripts.indexOf(digit)).join('');
      return minus ? `^(-${plain})` : `^${plain}`;
    })
    .replaceAll('℃', '°C')
    .replaceAll('℉', '°F')
    .replaceAll('º', '°')
    .normalize('NFKC')
    .replace(/[−–‐‑]/g, '-')
    .replaceAll('⁄', '/')
    .replace(/[×·∙]/g, '*')
    .replaceAll('÷', '/')
    .replace(/[’′]/g, "'");
}

/** What stands behind the one `=` or `≈` of a text such as `x = 5` or `≈ 3.14`. */
function afterEquals(text: string): string {
  const [before, after, ...more] = text.split(/[=≈~]/);
  return after === undefined || more.length > 0 || before.length > 30 ? text : after.trim();
}

/** A number's text, and what follows: percent signs, scales, units. */
function splitTail(text: string): { number: string; tail: string } {
  // The tail begins at the first thing that belongs to no number.
  const belongs = /^(?:[\d\s.,'+\-*/^(){}[\]√π]|\\frac|\\sqrt|sqrt(?![a-z])|pi(?![a-z]))/;
  let end = 0;
  while (end < text.length) {
    const [token] = belongs.exec(text.slice(end, end + 8)) ?? [];
    if (token === undefined && !isExponent(text, end)) break;
    end += token?.length ?? 1;
  }
  return { number: text.slice(0, end).trim(), tail: text.slice(end).trim() };
}

/** Whether the e of `1e5` stands here. */
const isExponent = (text: string, at: number) =>
  at > 0 && /[\d.]/.test(text[at - 1]) && /^[eE][-+]?\d/.test(text.slice(at, at + 3));

interface Tail {
  readonly scale: number;
  readonly isPercent: boolean;
  readonly unit: Unit | null;
}

/** null where what follows the number is no unit: `7x` is no number. Words are units, known or not: `5 apples`. */
function readTail(text: string): Tail | null {
  let rest = text;
  let scale = 1;
  const [word] = /^[a-z]+/i.exec(rest) ?? [];
  if (word !== undefined && Object.hasOwn(scales, word.toLowerCase())) {
    scale = scales[word.toLowerCase()];
    rest = rest.slice(word.length).trim();
  }
  if (/^(?:%|percent\b|per cent\b|percentage points?\b)/i.test(rest)) {
    const more = rest.replace(/^(?:%|percent|per cent|percentage points?)\s*/i, '');
    return more === '' || /^[\p{L}\s-]+$/u.test(more) ? { scale, isPercent: true, unit: null } : null;
  }
  if (rest === '') return { scale, isPercent: false, unit: null };
  const unit = readUnit(rest.replace(/\.$/, ''));
  if (unit) return { scale, isPercent: false, unit };
  // A letter alone is a variable, unless it is a unit.
  return isWords(rest) ? { scale, isPercent: false, unit: null } : null;
}

const isWords = (text: string) =>
  /^\p{L}{3,}(?:[\s-]+\p{L}+){0,3}$/u.test(text) || /^\p{Script=Han}+$/u.test(text);

/** The value of a number's text without units, or null. */
function readNumber(text: string): number | null {
  if (text === '') return null;
  const mixed = readMixed(text);
  if (mixed !== null) return mixed;
  const plain = plainDecimal(text);
  if (plain === null) return null;
  const expression = asExpression(plain);
  if (expression === null || !/\d|π|pi/.test(expression)) return null;
  const isClosedForm = /sqrt|π|pi/.test(expression);
  if (!isClosedForm && /[\d.)]\s*[-+]/.test(expression.replace(/\d[eE][-+]\d/g, ''))) return null;
  // 1/2/2020 is a date, and "1 2" two numbers.
  if (/\/[^/]*\d\s*\//.test(expression.replace(/[()]/g, '')) && !text.includes('\\frac')) return null;
  if (/[\d.]\s+[\d.]/.test(expression)) return null;
  return evaluateExpression(expression);
}

/** `3 1/2`, `3\frac{1}{2}`; null where it is no mixed number. The fraction must be below 1, else it is a product. */
function readMixed(text: string): number | null {
  const [, sign, whole, a, b] =
    /^([-+]?)\s*\(?(\d+)\s*(?:\\frac\s*\{?\s*(\d+?)\s*\}?\s*\{?\s*(\d+)\s*\}?)\)?$/.exec(text) ??
    /^([-+]?)\s*\(?(\d+)(?:\s+|\+)(\d+)\s*\/\s*(\d+)\)?$/.exec(text) ??
    [];
  if (whole === undefined || Number(a) >= Number(b)) return null;
  const value = Number(whole) + Number(a) / Number(b);
  return sign === '-' ? -value : value;
}

/**
 * Separators of thousands taken out, and a decimal comma made a point, where there is no doubt: `1,234` is English, `3,14`
 * and `1.234,56` are continental. null where a comma is left: a list.
 */
function plainDecimal(text: string): string | null {
  // (3,4) is a point.
  if (text.includes(',') && /[([]/.test(text)) return null;
  const plain = text
    .replace(/(?<![\d.,])[1-9]\d{0,2}(?:([ '])\d{3})(?:\1\d{3})*(?![\d'])/g, (all) =>
      all.replace(/[ ']/g, ''),
    )
    .replace(/(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])/g, (all) => all.replaceAll(',', ''))
    // India's lakh and crore.
    .replace(/(?<![\d.,])[1-9]\d?(?:,\d{2})+,\d{3}(?![\d,])/g, (all) => all.replaceAll(',', ''))
    .replace(/(?<![\d.,])[1-9]\d{0,2}(?:\.\d{3}){2,}(?![\d.])/g, (all) => all.replaceAll('.', ''))
    .replace(/(?<![\d.,])[1-9]\d{0,2}(?:\.\d{3})+,(\d+)(?![\d.,])/g, (all) =>
      all.replaceAll('.', '').replace(',', '.'),
    )
    .replace(/(?<![\d.,])(\d+),(\d+)(?![\d.,])/g, '$1.$2');
  return plain.includes(',') ? null : plain;
}

export interface Tolerance {
  /** Of the expected value's size. */
  readonly relative?: number;
  readonly absolute?: number;
}

/**
 * Whether two quantities are the same. A percent sign on one side alone may count or not: 50 %, 50 and 0.5 are the same.
 * A unit on one side alone counts for nothing; two units are converted, and must measure the same.
 */
export function sameQuantity(
  given: Quantity,
  expected: Quantity,
  { relative = 1e-6, absolute = 0 }: Tolerance = {},
): boolean {
  if (given.unit && expected.unit && given.unit.dimension !== expected.unit.dimension) return false;
  const factor = given.unit && expected.unit ? given.unit.factor / expected.unit.factor : 1;
  const value = given.value * factor;
  // The last term is what binary fractions leave of a difference that is exactly the tolerance.
  const near = (a: number, b: number) =>
    Math.abs(a - b) <=
    Math.max(absolute, relative * Math.abs(b)) + 1e-12 * Math.max(Math.abs(a), Math.abs(b));
  if (near(value, expected.value)) return true;
  if (given.isPercent === expected.isPercent) return false;
  return given.isPercent ? near(value / 100, expected.value) : near(value * 100, expected.value);
}
