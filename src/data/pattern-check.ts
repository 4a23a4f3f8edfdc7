/** Tells patterns that can take endless time from those that cannot, before one of a stranger's is run. */
import { UserError } from '../errors.ts';
import { show } from '../store/json.ts';

const mostPattern = 4000;
const deepest = 16;
/** A repetition of more than this counts as unbounded. */
const many = 64;
/** Ways to match that one place of a text offers, at most, as a power of two; unbounded repetitions aside. */
const mostBits = 12;

interface Cost {
  /** Unbounded repetitions, one behind the other. */
  readonly unbounded: number;
  /** log2 of the ways in which it can match one text: alternatives and bounded repetitions. */
  readonly bits: number;
  /** Whether it can match one text in more than one way. */
  readonly ways: boolean;
}

interface Quantifier {
  readonly least: number;
  readonly most: number;
}

const once: Quantifier = { least: 1, most: 1 };

class PatternWalk {
  readonly pattern: string;
  readonly where: string;
  at = 0;

  constructor(pattern: string, where: string) {
    this.pattern = pattern;
    this.where = where;
  }

  refuse(why: string): never {
    throw new UserError(
      `${this.where}: the pattern ${show(this.pattern)} ${why}; it could take endless time.`,
    );
  }

  take(regex: RegExp, longest = 80): RegExpExecArray | null {
    const found = regex.exec(this.pattern.slice(this.at, this.at + longest));
    if (found) this.at += found[0].length;
    return found;
  }

  /** `before`: unbounded repetitions that stand before this in the same alternative. */
  alternatives(before: number, depth: number): Cost {
    if (depth > deepest) this.refuse(`nests groups more than ${deepest} deep`);
    const all = [this.sequence(before, depth)];
    while (this.pattern[this.at] === '|') {
      this.at++;
      all.push(this.sequence(before, depth));
    }
    return {
      unbounded: Math.max(...all.map(({ unbounded }) => unbounded)),
      bits: Math.max(...all.map(({ bits }) => bits)) + Math.log2(all.length),
      ways: all.length > 1 || all[0].ways,
    };
  }

  sequence(before: number, depth: number): Cost {
    let [unbounded, bits, ways] = [0, 0, false];
    while (this.at < this.pattern.length && this.pattern[this.at] !== '|' && this.pattern[this.at] !== ')') {
      const inner = this.element(before + unbounded, depth);
      const { least, most } = this.quantifier();
      if (most > 1 && inner.ways) this.refuse('repeats a group that holds a choice or a repetition');
      // Where this fails, all ways of the repetitions before it are tried.
      if (least > 0 && unbounded > 0 && before + unbounded >= 2) {
        this.refuse('demands something behind two unbounded repetitions');
      }
      ways ||= inner.ways || most !== least;
      bits += inner.bits + (most > many ? 0 : Math.log2(most - least + 1));
      unbounded += inner.unbounded + (most > many ? 1 : 0);
      if (before + unbounded > 2) this.refuse('has more than two unbounded repetitions in one alternative');
      if (bits > mostBits) this.refuse(`can match in more than ${2 ** mostBits} ways`);
    }
    return { unbounded, bits, ways };
  }

  element(before: number, depth: number): Cost {
    if (this.take(/^\((?:\?(?:[:>=!]|<[=!]|<\w+>|[imsx-]+:))?/)) {
      const inner = this.alternatives(before, depth + 1);
      if (this.pattern[this.at] !== ')') this.refuse('does not close a group');
      this.at++;
      return inner;
    }
    if (this.take(/^\\(?:[1-9]|k<)/)) this.refuse('refers back to a group');
    if (this.pattern[this.at] === '[') this.charClass();
    else if (!this.take(/^(?:\\(?:[pPux]\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)|.)/su)) this.at++;
    return { unbounded: 0, bits: 0, ways: false };
  }

  /** A class may hold another in Oniguruma. */
  charClass(): void {
    let depth = 0;
    for (; this.at < this.pattern.length; this.at++) {
      const mark = this.pattern[this.at];
      if (mark === '\\') this.at++;
      else if (mark === '[') depth++;
      else if (mark === ']' && --depth === 0) break;
    }
    this.at++;
  }

  quantifier(): Quantifier {
    const found = this.take(/^(?:([*+?])|\{(\d+)(,?)(\d*)\})[?+]?/);
    if (!found) return once;
    const [, mark, least, comma, most] = found;
    if (mark) return { least: mark === '+' ? 1 : 0, most: mark === '?' ? 1 : Number.POSITIVE_INFINITY };
    const lower = Number(least);
    const upper = comma === '' ? lower : most === '' ? Number.POSITIVE_INFINITY : Number(most);
    if (upper < lower) this.refuse('repeats something at most less often than at least');
    return { least: lower, most: upper };
  }
}

/**
 * Throws UserError for a pattern that can take more than quadratic time at a place: a repeated group that holds a
 * choice or a repetition (exponential), many choices in a row (likewise), more than two unbounded repetitions in one
 * alternative, or two and something demanded behind them (cubic); and for back-references. It refuses harmless ones
 * too; the split patterns of GPT-2, GPT-4o, Llama, Qwen, DeepSeek and SmolVLM pass.
 */
export function checkPattern(pattern: string, where: string): void {
  const walk = new PatternWalk(pattern, where);
  if (pattern.length > mostPattern) walk.refuse(`is longer than ${mostPattern} characters`);
  walk.alternatives(0, 0);
  if (walk.at < pattern.length) walk.refuse('closes a group that is not open');
}
