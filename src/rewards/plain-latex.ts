/** LaTeX around an answer, taken off: `$\text{5}\,\mathrm{cm}$` → `5 cm`. What has a meaning of its own stays. */
import { closingBrace } from './boxed.ts';

const wrappers = new Set([
  ...['text', 'textbf', 'textit', 'textrm', 'textnormal', 'mbox', 'hbox', 'operatorname'],
  ...['mathrm', 'mathbf', 'mathit', 'mathsf', 'mathtt', 'mathcal', 'mathbb', 'boldsymbol', 'bm', 'emph'],
  ...['displaystyle', 'textstyle', 'left', 'right', 'limits', 'rm', 'bf', 'it', 'big', 'Big', 'bigl', 'bigr'],
]);
const spaces = new Set([',', ';', ':', ' ', '>', 'quad', 'qquad', 'enspace', 'thinspace', 'space']);
const symbols: Readonly<Record<string, string>> = {
  '%': '%',
  $: '$',
  '#': '#',
  '&': '&',
  _: '_',
  '{': '{',
  '}': '}',
  '!': '',
  '(': '',
  ')': '',
  '[': '',
  ']': '',
  '\\': ' ',
  cdot: '*',
  times: '*',
  ast: '*',
  div: '/',
  pi: 'π',
  circ: '°',
  degree: '°',
  pounds: '£',
  euro: '€',
  yen: '¥',
  approx: '≈',
  simeq: '≈',
  dfrac: '\\frac',
  tfrac: '\\frac',
  cfrac: '\\frac',
  infty: '∞',
  mu: 'μ',
  Omega: 'Ω',
  minus: '-',
};

/**
 * Commands for looks go, spaces become spaces, symbols their characters; `\frac`, `\sqrt` and unknown commands stay, as
 * do braces that are arguments of these or of ^ and _. Linear in the text's length.
 */
export function plainLatex(text: string): string {
  const out: string[] = [];
  // `$5` is money, `$5$` is mathematics: a dollar sign is a currency where it is the only one.
  const firstDollar = text.indexOf('$');
  const isMoney = firstDollar >= 0 && text.indexOf('$', firstDollar + 1) < 0;
  const kept: boolean[] = []; // of each open brace: whether it stays
  let arguments_ = 0; // braces that follow now and are a command's arguments
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') {
      const [, name] = /^\\([a-zA-Z]+|[\s\S]?)/.exec(text.slice(i, i + 24)) as unknown as [string, string];
      i += name.length;
      arguments_ = 0;
      if (wrappers.has(name)) {
        // \left. stands for no bracket at all.
        if ((name === 'left' || name === 'right') && text[i + 1] === '.') i++;
      } else if (spaces.has(name)) out.push(' ');
      else {
        const known = Object.hasOwn(symbols, name) ? symbols[name] : `\\${name}`;
        out.push(known);
        if (known === '\\frac') arguments_ = 2;
        else if (known.startsWith('\\')) arguments_ = 1;
      }
    } else if (char === '{') {
      const isArgument = arguments_ > 0 || out.at(-1) === '^' || out.at(-1) === '_';
      kept.push(isArgument);
      if (isArgument) out.push('{');
      arguments_ = 0;
    } else if (char === '}') {
      const wasKept = kept.pop() ?? false;
      if (wasKept) {
        out.push('}');
        // The second argument of \frac stands behind the first.
        arguments_ = /^\s*\{/.test(text.slice(i + 1, i + 8)) ? 1 : 0;
      }
    } else if (char === '$') {
      if (isMoney) out.push('$');
    } else if (char === '[' && out.at(-1) === '\\sqrt') {
      // The n of an n-th root; the argument is still to come.
      const [root] = /^\[[^[\]{}]{1,20}\]/.exec(text.slice(i, i + 24)) ?? ['['];
      out.push(root);
      i += root.length - 1;
    } else {
      if (char !== ' ') arguments_ = Math.max(0, arguments_ - 1);
      out.push(char === '~' ? ' ' : char);
    }
  }
  return out
    .join('')
    .replace(/\^\{?\s*°\s*\}?/g, '°')
    .replace(/[ \t\n]+/g, ' ')
    .trim();
}

/** `\frac{a}{b}` → `((a)/(b))`, `\sqrt{a}` → `sqrt(a)`, `\sqrt[n]{a}` → `((a)^(1/(n)))`, `^{a}` → `^(a)`; null where one has no argument. */
export function asExpression(text: string): string | null {
  let out = '';
  let i = 0;
  const argument = (): string | null => {
    while (text[i] === ' ') i++;
    if (i >= text.length) return null;
    if (text[i] === '{') {
      const end = closingBrace(text, i);
      if (end < 0) return null;
      const inner = asExpression(text.slice(i + 1, end));
      i = end + 1;
      return inner;
    }
    return text[i] === '\\' ? null : text[i++];
  };
  while (i < text.length) {
    if (text.startsWith('\\frac', i)) {
      i += 5;
      const over = argument();
      const under = over === null ? null : argument();
      if (under === null) return null;
      out += `((${over})/(${under}))`;
    } else if (text.startsWith('\\sqrt', i)) {
      i += 5;
      const root = /^\s*\[([^[\]{}]{1,20})\]/.exec(text.slice(i, i + 30));
      i += root?.[0].length ?? 0;
      const of = argument();
      if (of === null) return null;
      out += root ? `((${of})^(1/(${root[1]})))` : `sqrt(${of})`;
    } else if (text[i] === '^' && text[i + 1] === '{') {
      i++;
      const exponent = argument();
      if (exponent === null) return null;
      out += `^(${exponent})`;
    } else if (text[i] === '√') {
      i++;
      const [, bare] = /^\s*(\d+(?:\.\d+)?)/.exec(text.slice(i, i + 40)) ?? [];
      out += bare === undefined ? 'sqrt' : `sqrt(${bare})`;
      if (bare !== undefined) i = text.indexOf(bare, i) + bare.length;
    } else out += text[i++];
  }
  return out;
}
