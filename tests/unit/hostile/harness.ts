/** Runs properties over hostile input: counts the cases, and holds each to the same promises. */
import fc from 'fast-check';
import { UserError } from '../../../src/errors.ts';

/** Change it to look elsewhere; fast-check prints it with the path to a failing case. */
export const seed = Number(process.env.HOSTILE_SEED ?? 20_261);

/** Milliseconds of processor time that one small input may take. */
const slowest = 1500;

let cases = 0;
/** Cases that were run to their end so far, over all properties. */
export const casesRun = () => cases;

export type Outcome<T> = { readonly value: T } | { readonly refused: string };

/** What `work` gives, or the message of its UserError; anything else that it throws fails the test. */
export async function outcome<T>(work: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw new Error(`no UserError but ${error instanceof Error ? (error.stack ?? error) : String(error)}`);
    }
    if (error.message.trim() === '') throw new Error('a UserError without a message');
    if (error.message.length > 3000) throw new Error(`a message of ${error.message.length} characters`);
    return { refused: error.message };
  }
}

/** How many cases were taken and refused: a generator that always gives the same says nothing. */
export interface Tally {
  taken: number;
  refused: number;
}

/** Asserts `property` on `runs` inputs. It returns whether the input was taken; it throws where a promise is broken. */
export async function hostile<T>(
  runs: number,
  input: fc.Arbitrary<T>,
  property: (value: T) => Promise<boolean>,
): Promise<Tally> {
  const tally: Tally = { taken: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(input, async (value) => {
      const before = process.cpuUsage();
      const taken = await property(value);
      const { user, system } = process.cpuUsage(before);
      if ((user + system) / 1000 > slowest) throw new Error(`it took ${(user + system) / 1000} ms`);
      tally[taken ? 'taken' : 'refused']++;
      cases++;
    }),
    { numRuns: runs, seed },
  );
  return tally;
}

/** One change to a file. */
type Change = (bytes: Uint8Array) => Uint8Array;

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const at = (where: number, length: number) => Math.floor(where * length);

const overwrite =
  (where: number, piece: Uint8Array): Change =>
  (bytes) => {
    const out = bytes.slice();
    const from = at(where, bytes.length);
    out.set(piece.subarray(0, bytes.length - from), from);
    return out;
  };
const insert =
  (where: number, piece: Uint8Array): Change =>
  (bytes) => {
    const from = at(where, bytes.length + 1);
    return Uint8Array.of(...bytes.subarray(0, from), ...piece, ...bytes.subarray(from));
  };
const remove =
  (where: number, count: number): Change =>
  (bytes) => {
    const from = at(where, bytes.length);
    return Uint8Array.of(...bytes.subarray(0, from), ...bytes.subarray(from + count));
  };

/** Numbers that length fields do not expect. */
const numbers = fc.constantFrom(
  ...[0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 2 ** 63].flatMap((n) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(n), true);
    return [new Uint8Array(view.buffer), new Uint8Array(view.buffer).slice(0, 4)];
  }),
  Uint8Array.of(0xff),
  Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80),
  new Uint8Array(8).fill(255),
);

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    arbitrary: fc
      .tuple(place, fc.uint8Array({ minLength: 1, maxLength: 3 }))
      .map(([w, p]) => overwrite(w, p)),
    weight: 4,
  },
  { arbitrary: fc.tuple(place, numbers).map(([w, p]) => overwrite(w, p)), weight: 4 },
  {
    arbitrary: fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([w, p]) => insert(w, p)),
    weight: 1,
  },
  { arbitrary: fc.tuple(place, fc.integer({ min: 1, max: 16 })).map(([w, n]) => remove(w, n)), weight: 1 },
  {
    arbitrary: place.map(
      (w): Change =>
        (bytes) =>
          bytes.slice(0, at(w, bytes.length)),
    ),
    weight: 1,
  },
  {
    arbitrary: fc.tuple(place, place).map(
      ([from, to]): Change =>
        (bytes) =>
          overwrite(to, bytes.slice(at(from, bytes.length), at(from, bytes.length) + 32))(bytes),
    ),
    weight: 1,
  },
);

/** One of `files` with up to four changes. */
export const mutated = (...files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc
    .tuple(fc.constantFrom(...files), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([file, changes]) => new Uint8Array(changes.reduce((bytes, step) => step(bytes), file)));

/** Values that a field of a JSON file does not expect. */
export const oddValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    -(2 ** 53),
    1e15,
    '',
    '0',
    ' ',
    '__proto__',
    'constructor',
    [],
    [[]],
    {},
    { length: 1e9 },
    [null],
    '\u0000',
    '\ud800',
    'x'.repeat(10_000),
  ),
  fc.integer(),
  fc.double(),
  fc.string({ unit: 'binary' }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer({ min: 10, max: 20_000 }).map((depth) => new Deep(depth)),
);

/** A list in a list in a list …; only toJson unfolds it, since most code overflows on the real thing. */
export class Deep {
  readonly depth: number;
  constructor(depth: number) {
    this.depth = depth;
  }
}

/** JSON.stringify that unfolds Deep. */
export function toJson(value: unknown): string {
  let text = '';
  const open: (string | { value: unknown })[] = [{ value }];
  while (open.length > 0) {
    const next = open.pop() as string | { value: unknown };
    if (typeof next === 'string') text += next;
    else if (next.value instanceof Deep) text += '['.repeat(next.value.depth) + ']'.repeat(next.value.depth);
    else if (Array.isArray(next.value)) {
      open.push(']');
      for (let i = next.value.length - 1; i >= 0; i--) open.push({ value: next.value[i] }, i > 0 ? ',' : '');
      open.push('[');
    } else if (typeof next.value === 'object' && next.value !== null) {
      const entries = Object.entries(next.value);
      open.push('}');
      for (let i = entries.length - 1; i >= 0; i--) {
        open.push({ value: entries[i][1] }, `${i > 0 ? ',' : ''}${JSON.stringify(entries[i][0])}:`);
      }
      open.push('{');
    } else text += JSON.stringify(next.value) ?? 'null';
  }
  return text;
}

type Path = readonly (string | number)[];

function paths(value: unknown, here: Path = [], out: Path[] = []): Path[] {
  if (here.length > 0) out.push(here);
  if (Array.isArray(value))
    for (let i = 0; i < Math.min(4, value.length); i++) paths(value[i], [...here, i], out);
  else if (typeof value === 'object' && value !== null) {
    for (const key of Object.keys(value).slice(0, 40))
      paths((value as Record<string, unknown>)[key], [...here, key], out);
  }
  return out;
}

/** A copy of `root` with another value at `path`; what is not on the path is shared. */
function replace(root: unknown, [key, ...rest]: Path, value: unknown, remove: boolean): unknown {
  if (key === undefined) return value;
  if (typeof root !== 'object' || root === null || root instanceof Deep) return root;
  const copy = (Array.isArray(root) ? [...root] : { ...root }) as Record<string | number, unknown>;
  if (rest.length === 0 && remove) delete copy[key];
  else {
    const inner = replace(Object.hasOwn(copy, key) ? copy[key] : undefined, rest, value, remove);
    // `__proto__` as a key of its own, as JSON.parse makes it.
    Object.defineProperty(copy, key, { value: inner, enumerable: true, configurable: true, writable: true });
  }
  return copy;
}

/** `root` with one to three of its fields replaced by odd values, by other fields' values, removed, or new. */
export function mutatedJson(root: unknown): fc.Arbitrary<unknown> {
  const all = paths(root);
  const get = (path: Path) => path.reduce<unknown>((v, key) => (v as Record<string, unknown>)?.[key], root);
  const step = fc.tuple(
    fc.oneof(
      fc.constantFrom(...all),
      fc.constantFrom(...all).map((p) => [...p.slice(0, -1), '__proto__']),
    ),
    fc.oneof(
      { arbitrary: oddValues.map((value) => ({ value, remove: false })), weight: 6 },
      { arbitrary: fc.constantFrom(...all).map((from) => ({ value: get(from), remove: false })), weight: 2 },
      { arbitrary: fc.constant({ value: null as unknown, remove: true }), weight: 1 },
    ),
  );
  return fc
    .array(step, { minLength: 1, maxLength: 3 })
    .map((steps) => steps.reduce((value, [path, to]) => replace(value, path, to.value, to.remove), root));
}
