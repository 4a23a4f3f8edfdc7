/**
 * LaTeX as plain text, the way that pylatexenc's LatexNodes2Text writes it, for what answers are made of: mathruler
 * compares these texts. Macros that are not here become nothing, as there; environments keep their content.
 */

const macros: Readonly<Record<string, string>> = {
  ...{ ',': ' ', ';': ' ', ':': ' ', ' ': ' ', '!': '', quad: '  ', qquad: '    ', '\\': '\n' },
  ...{ '%': '%', $: '$', '{': '{', '}': '}', '#': '#', _: '_', '&': '&', '~': '~', backslash: '\\' },
  ...{ cdot: '·', times: '×', div: '÷', ast: '∗', circ: '∘', bullet: '∙', pm: '±', mp: '∓', prime: "'" },
  ...{ infty: '∞', cup: '∪', cap: '∩', emptyset: '∅', varnothing: '∅', in: '∈', notin: '∉', setminus: '∖' },
  ...{ le: '≤', ge: '≥', leq: '≤', geq: '≥', leqslant: '⩽', geqslant: '⩾', neq: '≠', equiv: '≡', to: '→' },
  ...{ approx: '≈', sim: '∼', simeq: '≃', cong: '≅', propto: '∝', parallel: '∥', perp: '⊥', angle: '∠' },
  ...{ subset: '⊂', supset: '⊃', subseteq: '⊆', supseteq: '⊇', mid: '|', vert: '|', lvert: '|', rvert: '|' },
  ...{ sin: 'sin', cos: 'cos', tan: 'tan', ln: 'ln', log: 'log', exp: 'exp', max: 'max', min: 'min' },
  ...{ arcsin: 'arcsin', arccos: 'arccos', arctan: 'arctan', inf: 'inf', sup: 'sup', lim: 'lim' },
  ...{ ldots: '…', cdots: '⋯', dots: '…', langle: '⟨', rangle: '⟩', rightarrow: '→', Rightarrow: '⇒' },
  ...{ alpha: 'α', beta: 'β', gamma: 'γ', delta: 'δ', epsilon: 'ϵ', varepsilon: 'ε', zeta: 'ζ', eta: 'η' },
  ...{ theta: 'θ', iota: 'ι', kappa: 'κ', lambda: 'λ', mu: 'μ', nu: 'ν', xi: 'ξ', pi: 'π', rho: 'ρ' },
  ...{ sigma: 'σ', tau: 'τ', upsilon: 'υ', phi: 'ϕ', varphi: 'φ', chi: 'χ', psi: 'ψ', omega: 'ω' },
  ...{ Gamma: 'Γ', Delta: 'Δ', Theta: 'Θ', Lambda: 'Λ', Xi: 'Ξ', Pi: 'Π', Sigma: 'Σ', Phi: 'Φ', Psi: 'Ψ' },
  ...{ Omega: 'Ω', hbar: 'ħ', ell: 'ℓ', partial: '∂', nabla: '∇', forall: '∀', exists: '∃', sum: '∑' },
};

/** Bold and other letters, and letters with accents, are other characters there; here a mark makes them differ. */
const styles = new Set([
  ...['mathbf', 'mathit', 'mathsf', 'mathbb', 'mathtt', 'mathcal', 'mathscr', 'mathfrak'],
  ...['vec', 'hat', 'bar', 'dot', 'ddot', 'tilde', 'check', 'acute', 'grave', 'breve'],
]);
const styleMark = '\ue000';

/** Macros that drop their argument. */
const dropped = new Set(['mbox', 'hspace', 'label', 'phantom']);

/** Groups in one another that are read; deeper ones are left as they are. */
const deepest = 200;

class TooDeep extends Error {}

/** Throws where the text nests too deeply. Linear in its length. */
export function latexToText(latex: string): string {
  const lastBracket = latex.lastIndexOf(']');
  let at = 0;

  const group = (depth: number): string => {
    if (depth > deepest) throw new TooDeep(`more than ${deepest} groups in one another`);
    let out = '';
    while (at < latex.length) {
      const char = latex[at];
      if (char === '}') return out;
      out += token(depth);
    }
    return out;
  };

  /** One macro with its arguments, one group, or one character. */
  const token = (depth: number): string => {
    const char = latex[at];
    if (char === '\\') return macro(depth);
    at++;
    if (char === '~') return '\u00a0';
    if (char !== '{') return char;
    const inner = group(depth + 1);
    at++;
    return inner;
  };

  const argument = (depth: number): string => {
    while (/\s/.test(latex[at] ?? '')) at++;
    return at < latex.length && latex[at] !== '}' ? token(depth + 1) : '';
  };

  const macro = (depth: number): string => {
    if (depth > deepest) throw new TooDeep();
    const [, name] = /^\\([a-zA-Z]+|[\s\S]?)/.exec(latex.slice(at, at + 40)) as unknown as [string, string];
    at += 1 + name.length;
    if (/^[a-zA-Z]/.test(name)) while (/[ \t\n]/.test(latex[at] ?? '')) at++;
    if (name === 'frac' || name === 'nicefrac') {
      const over = argument(depth);
      return `${over}/${argument(depth)}`;
    }
    if (name === 'sqrt') {
      if (latex[at] === '[' && lastBracket > at) at = latex.indexOf(']', at) + 1;
      return `√(${argument(depth)})`;
    }
    if (name === 'begin' || name === 'end' || dropped.has(name)) {
      argument(depth);
      return '';
    }
    // Python reads bold digits as digits.
    if (styles.has(name)) return argument(depth).replace(/\p{L}/gu, `${styleMark}$&`);
    return Object.hasOwn(macros, name) ? macros[name] : '';
  };

  let out = '';
  while (at < latex.length) {
    out += group(0);
    // A brace that closes nothing.
    at++;
  }
  return out;
}
