// Counter-based random numbers: a value is a pure function of (seed, purpose, counters), so a resumed run
// draws what the uninterrupted one draws. 32-bit integer arithmetic only (Math.imul), hence the same in every
// JavaScript engine and, word for word, in WGSL (u32 arithmetic wraps there).

/** What a number is drawn for: two purposes never share a stream. The values are part of the format. */
export const Purpose = {
  data: 1,
  mask: 2,
  sampling: 3,
  init: 4,
  shuffle: 5,
  demonstration: 6,
  evaluation: 7,
  test: 8,
  order: 9,
  holdOut: 10,
  adapter: 11,
} as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

/** A bijective 32-bit hash of low bias ("triple32" by Chris Wellons, public domain). */
export function mix32(value: number): number {
  let x = value | 0;
  x ^= x >>> 17;
  x = Math.imul(x, 0xed5ad4bb);
  x ^= x >>> 11;
  x = Math.imul(x, 0xac4c1b51);
  x ^= x >>> 15;
  x = Math.imul(x, 0x31848bab);
  x ^= x >>> 14;
  return x >>> 0;
}

/** The hash of a chain one counter longer: `absorb(hash(seed, purpose, a), b) === hash(seed, purpose, a, b)`. */
export function absorb(state: number, counter: number): number {
  return mix32((Math.imul(state, 0x9e3779b1) + (counter | 0) + 0x7f4a7c15) | 0);
}

/** An integer in [0, 2^32) for a key. A seed may have up to 53 bits; a counter counts modulo 2^32. */
export function hash(seed: number, purpose: Purpose, ...counters: number[]): number {
  let state = mix32((seed >>> 0) ^ 0x5bd1e995);
  state = absorb(state, Math.floor(seed / 0x1_0000_0000) >>> 0);
  state = absorb(state, purpose);
  for (const counter of counters) state = absorb(state, counter);
  return state;
}

/** A number in [0, 1) with 24 random bits: exact in float32, so the CPU and a shader agree to the last bit. */
export function uniform(seed: number, purpose: Purpose, ...counters: number[]): number {
  return (hash(seed, purpose, ...counters) >>> 8) / 0x100_0000;
}

/** The numbers of one key, one after the other: the n-th is `absorb(hash(key), n)`. */
export class RandomStream {
  readonly #key: number;
  #counter = 0;

  constructor(seed: number, purpose: Purpose, ...counters: number[]) {
    this.#key = hash(seed, purpose, ...counters);
  }

  /** An integer in [0, 2^32). */
  word(): number {
    return absorb(this.#key, this.#counter++);
  }

  /** A number in [0, 1). */
  next(): number {
    return (this.word() >>> 8) / 0x100_0000;
  }

  /** An integer in [0, n), n ≤ 2^21 (the product is exact in a double). */
  int(n: number): number {
    return Math.floor((this.word() * n) / 0x1_0000_0000);
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('RandomStream.pick: the list is empty');
    return items[this.int(items.length)];
  }

  /** An index drawn with probability weights[i] / Σ weights. */
  weighted(weights: readonly number[]): number {
    let total = 0;
    for (const weight of weights) total += weight;
    if (!(total > 0)) throw new RangeError('RandomStream.weighted: the weights sum to nothing');
    let left = this.next() * total;
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i];
      if (left < 0) return i;
    }
    return weights.findLastIndex((weight) => weight > 0);
  }

  /** A shuffled copy (Fisher and Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const out = items.slice();
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }

  /** A standard normal number (Box and Muller; Math.log and Math.cos may differ in the last bit by engine). */
  normal(): number {
    const u = 1 - this.next();
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * this.next());
  }
}
