/**
 * The normalisations of mathruler 0.1.0 (github.com/hiyouga/MathRuler, math_normalize.py and grader.py at 14dadeb), which
 * PAPO's authors grade with: string operations in the same order, quirks included, so that the same pairs are equal.
 */
import { latexToText } from './latex-text.ts';

class NoMatch extends Error {}

const enclosingText = /^\\text\{(.+?)\}$/;

/** normalize_answer: MATH's own normalisation, after Hendrycks. */
export function normalizeMath(answer: string): string {
  let text = answer.trim();
  const inner = enclosingText.exec(text);
  if (inner) text = inner[1].trim();
  try {
    return stripString(text);
  } catch (error) {
    if (error instanceof NoMatch) return text;
    throw error;
  }
}

function stripString(given: string): string {
  let text = given
    .replaceAll('\n', '')
    .replaceAll('\\!', '')
    .replaceAll('\\\\', '\\')
    .replaceAll('tfrac', 'frac')
    .replaceAll('dfrac', 'frac')
    .replaceAll('\\left', '')
    .replaceAll('\\right', '')
    .replaceAll('^{\\circ}', '')
    .replaceAll('^\\circ', '')
    .replaceAll('\\$', '');
  if (text.includes('\\text{ ')) {
    const parts = text.split('\\text{ ');
    if (parts.length !== 2) throw new NoMatch();
    text = parts[0];
  }
  text = text.replaceAll('\\%', '').replaceAll('%', '').replaceAll(' .', ' 0.').replaceAll('{.', '{0.');
  if (text === '') return text;
  if (text.startsWith('.')) text = `0${text}`;
  const sides = text.split('=');
  if (sides.length === 2 && [...sides[0]].length <= 2) text = sides[1];
  text = fixFracs(fixSqrt(text).replaceAll(' ', ''));
  if (text === '0.5') return '\\frac{1}{2}';
  const [, a, b] = /^(-?[1-9]\d*|0)\/(-?[1-9]\d*|0)$/.exec(text) ?? [];
  return a === undefined ? text : `\\frac{${a}}{${b}}`;
}

/** \sqrt3 → \sqrt{3} */
function fixSqrt(text: string): string {
  const [first, ...rest] = text.split('\\sqrt');
  return rest.reduce((out, part) => {
    if (part === '') throw new NoMatch();
    return out + (part[0] === '{' ? `\\sqrt${part}` : `\\sqrt{${part[0]}}${part.slice(1)}`);
  }, first);
}

/** \frac12 → \frac{1}{2}, \frac1{72} → \frac{1}{72} */
function fixFracs(text: string): string {
  const [first, ...rest] = text.split('\\frac');
  const parts = [first];
  for (const part of rest) {
    if (part === '') throw new NoMatch();
    if (part[0] === '{') {
      parts.push(`\\frac${part}`);
      continue;
    }
    if (part.length < 2) return text;
    const [a, b] = part;
    parts.push(`\\frac{${a}}${b === '{' ? b : `{${b}}`}${part.slice(2)}`);
  }
  return parts.join('');
}

const units = [
  ...['degree', 'cm', 'centimeter', 'meter', 'mile', 'second', 'minute', 'hour', 'day', 'week', 'month'],
  ...['year', 'foot', 'feet', 'inch', 'yard'],
].map((unit) => new RegExp(`${unit}(es)?(s)? *(\\^[0-9]+)?`, 'g'));

/** _normalize: that of OpenAI's PRM800K. */
export function normalizeExpression(given: string): string {
  let text = enclosingText.exec(given)?.[1] ?? given;
  text = text
    .replaceAll('\\%', '%')
    .replaceAll('\\$', '$')
    .replaceAll('$', '')
    .replaceAll('%', '')
    .replaceAll(' or ', ' , ')
    .replaceAll(' and ', ' , ')
    .replaceAll('million', '*10^6')
    .replaceAll('billion', '*10^9')
    .replaceAll('trillion', '*10^12');
  for (const unit of units) text = text.replace(unit, '');
  text = text.replace(/\^ *\\circ/g, '');
  if (text.startsWith('{') && text.endsWith('}')) text = text.slice(1, -1);
  text = text.replace(/,\\! */g, '');
  const whole = nearInteger(text);
  if (whole !== null) text = String(BigInt(Math.round(whole)));
  if (text.includes('\\')) text = asPlainText(text);
  text = text
    .replace(/- */g, '-')
    .replace(/([0-9]) +([0-9])/g, '$1+$2')
    .replaceAll(' ', '')
    .replace(/[{}]/g, '')
    .toLowerCase();
  return isInteger(text) ? String(BigInt(Math.trunc(Number(text.replaceAll(',', ''))))) : text;
}

function asPlainText(latex: string): string {
  const spaced = latex
    .replaceAll('\\tfrac', '\\frac')
    .replaceAll('\\dfrac', '\\frac')
    .replaceAll('\\frac', ' \\frac');
  let text: string;
  try {
    text = latexToText(spaced);
  } catch {
    // As there: what cannot be read stays as it was.
    return latex;
  }
  return text
    .replaceAll('√', 'sqrt')
    .replaceAll('π', 'pi')
    .replaceAll('∞', 'inf')
    .replaceAll('∪', 'U')
    .replaceAll('·', '*')
    .replaceAll('×', '*')
    .trim();
}

/** Python's float(text) where it is within 1e-7 of an integer; else null. */
function nearInteger(text: string): number | null {
  if (!/^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i.test(text)) return null;
  const value = Number(text);
  return Number.isFinite(value) && Math.abs(value - Math.round(value)) <= 1e-7 ? value : null;
}

export const isInteger = (text: string): boolean => nearInteger(withoutCommas(text)) !== null;

/** Commas between thousands go, those of tuples stay. */
export function withoutCommas(text: string): string {
  let before = text;
  for (;;) {
    const after = before.replace(/(\d),(\d\d\d)($|\D)/g, '$1$2$3');
    if (after === before) return after;
    before = after;
  }
}
