/**
 * mathruler's grade_answer (see mathruler-normalize.ts). Where it asks sympy whether a difference simplifies to 0, both
 * sides are evaluated here instead, with numbers put in for their letters.
 */
import { evaluateExpression, mostExpressionCharacters } from './expression.ts';
import { isInteger, normalizeExpression, normalizeMath, withoutCommas } from './mathruler-normalize.ts';

/** Whether an answer is right: normalised it is the same text as the true one, or the same in value. */
export function gradeAnswer(given: string, truth: string): boolean {
  if (normalizeMath(truth) === normalizeMath(given)) return true;
  const expected = normalizeExpression(truth);
  const found = normalizeExpression(given);
  if (expected === found) return true;
  if (found === '') return false;
  const wanted = splitTuple(expected);
  const own = splitTuple(found);
  if (wanted.length > 1 && (expected[0] !== found[0] || expected.at(-1) !== found.at(-1))) return false;
  if (wanted.length !== own.length) return false;
  return wanted.every((element, i) => sameElement(element, own[i]));
}

function sameElement(expected: string, given: string): boolean {
  // Fractions must be reduced alike.
  if (isFraction(expected) && isFraction(given)) return expected === given;
  // An integer asks for itself, not for an expression that gives it.
  if (isInteger(expected) !== isInteger(given)) return false;
  return sameValue(expected, given);
}

const isFraction = (text: string) => /^-?[0-9]+.?\/0*[1-9][0-9]*.?$/.test(text);

/** The elements of a tuple or interval, or the text alone; none of an empty text. */
function splitTuple(given: string): string[] {
  const text = withoutCommas(given);
  if (text === '') return [];
  const inner = text.slice(1, -1);
  const isTuple = text.length > 2 && /^[()[\]]/.test(text) && /[()[\]]$/.test(text) && !/[()[\]]/.test(inner);
  return isTuple ? inner.split(',').map((element) => element.trim()) : [text];
}

/** Values put in for letters; a root of a negative one says nothing, so there are several. */
const points = [0.731, -1.337, 2.113, 1.618];

function sameValue(a: string, b: string): boolean {
  if (a.length + b.length > mostExpressionCharacters) return false;
  const both = `(${a})-(${b})`;
  if (!isAllowed(both)) return false;
  const letters = [...new Set(both.match(/\p{L}/gu) ?? [])];
  let known = 0;
  for (const [p, point] of points.entries()) {
    const symbols = new Map(letters.map((letter, k) => [letter, point * (1 + 0.377 * k * (p + 1))]));
    const [left, right] = [a, b].map((side) => evaluateExpression(side, { symbols }));
    if (left === null || right === null) return false;
    if (!Number.isFinite(left) || !Number.isFinite(right)) continue;
    known++;
    if (Math.abs(left - right) > 1e-12 * Math.max(Math.abs(left), Math.abs(right))) return false;
  }
  return known > 0;
}

/** should_allow_eval: at most two different letters, no long or grouped exponents. */
function isAllowed(text: string): boolean {
  const letters = new Set(text.replaceAll('sqrt', '').replaceAll('frac', '').match(/\p{L}/gu) ?? []);
  return (
    letters.size <= 2 &&
    !text.includes('^{') &&
    !text.includes('^(') &&
    !/\^[0-9]+\^/.test(text) &&
    !/\^[0-9][0-9]+/.test(text)
  );
}
