/** Arithmetic on short texts: `2*sqrt(3)`, `(1+x)/2`, `3pi`. A recursive-descent parser to float64. */

/** Longer texts are not evaluated, which bounds depth and time. */
export const mostExpressionCharacters = 400;

export interface ExpressionOptions {
  /** Values of single letters; another letter makes the expression unreadable. */
  readonly symbols?: ReadonlyMap<string, number>;
}

class Unreadable extends Error {}

const isDigit = (char: string | undefined) => char !== undefined && char >= '0' && char <= '9';
const isLetter = (char: string | undefined) => char !== undefined && /\p{L}/u.test(char);

/**
 * The value of an expression of numbers, + - * / ^ (or **), parentheses, sqrt, pi (or π), single-letter symbols (with
 * these, ln too), with products implied (`2x`, `3(4)`), which bind as `*` does. null where it cannot be read; may be NaN or infinite.
 */
export function evaluateExpression(text: string, { symbols }: ExpressionOptions = {}): number | null {
  if (text.length > mostExpressionCharacters) return null;
  let at = 0;
  const skip = () => {
    while (text[at] === ' ') at++;
    return text[at];
  };
  const takes = (token: string) => {
    skip();
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  };

  const sum = (): number => {
    let value = product();
    for (;;) {
      if (takes('+')) value += product();
      else if (takes('-')) value -= product();
      else return value;
    }
  };
  const product = (): number => {
    let value = signed();
    for (;;) {
      if (!text.startsWith('**', at) && takes('*')) value *= signed();
      else if (takes('/')) value /= signed();
      else if (startsFactor()) value *= power();
      else return value;
    }
  };
  const startsFactor = () => {
    const next = skip();
    // Two numbers side by side are no product.
    const mayBeNumber = !/[\d.] *$/.test(text.slice(Math.max(0, at - 4), at));
    return next === '(' || isLetter(next) || (mayBeNumber && isDigit(next));
  };
  const signed = (): number => {
    if (takes('-')) return -signed();
    if (takes('+')) return signed();
    return power();
  };
  // A sign binds weaker than a power on the left, and not on the right: -2^2 = -4, 2^-1 = 1/2; powers go from the right.
  const power = (): number => {
    const base = factor();
    return takes('**') || takes('^') ? base ** signed() : base;
  };
  const factor = (): number => {
    const next = skip();
    if (takes('(')) {
      const value = sum();
      if (!takes(')')) throw new Unreadable();
      return value;
    }
    if (isDigit(next) || next === '.') return number();
    // With symbols, letters that no parenthesis follows are a product: sqrt12 is s·q·r·t·12 to sympy.
    const isFunction = (name: string) =>
      symbols ? text.startsWith(`${name}(`, at) : text.startsWith(name, at);
    if (isFunction('sqrt') && takes('sqrt')) return Math.sqrt(factor());
    if (symbols && isFunction('ln') && takes('ln')) return Math.log(factor());
    if (takes('pi') || takes('π')) return Math.PI;
    const value = next === undefined ? undefined : symbols?.get(next);
    if (value === undefined) throw new Unreadable();
    at++;
    return value;
  };
  const number = (): number => {
    const [found] = /^(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?/i.exec(text.slice(at)) ?? [];
    if (found === undefined) throw new Unreadable();
    at += found.length;
    return Number(found);
  };

  try {
    const value = sum();
    return skip() === undefined ? value : null;
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}
