/** The helpers that hostile input goes through first, and the harness that holds the readers to their promises. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { duplicateKey, show } from '../../../src/store/json.ts';
import { Deep, hostile, mutated, mutatedJson, outcome, seed, toJson } from './harness.ts';

describe('duplicateKey', () => {
  it.each<[string, string | null]>([
    ['{}', null],
    ['{"a":1,"b":{"a":2}}', null],
    ['{"a":1,"a":2}', 'a'],
    ['{"a" \n\t :1, "b":[{"c":1},{"c":2}], "a":2}', 'a'],
    ['{"a":{"b":1,"b":2}}', 'b'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"a\\"":1,"b":"a\\\\","a\\"":2}', 'a"'],
    ['{"x":"{\\"a\\":1,\\"a\\":2}"}', null],
    ['{"a":"b","b":"a","c":["a","a"]}', null],
    [`{"a":1,${' '.repeat(1000)}"b":1,"b"${' '.repeat(1000)}:2}`, 'b'],
  ])('%s', (text, key) => expect(duplicateKey(text)).toBe(key));

  it('finds none in what JSON.stringify writes, and the one that is added', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (value, key) => {
        const text = JSON.stringify(value);
        expect(duplicateKey(text)).toBeNull();
        const twice = `{${JSON.stringify(key)}:0,${JSON.stringify(key)}:1${text === '{}' ? '' : ','}${text.slice(1)}`;
        expect(duplicateKey(twice)).toBe(key);
      }),
      { seed, numRuns: 300 },
    );
  });

  it('takes strings of megabytes and any depth in stride', () => {
    const long = 'x\\"'.repeat(5_000_000);
    expect(duplicateKey(`{"a":"${long}","b":1,"b":2}`)).toBe('b');
    expect(duplicateKey(`{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`)).toBeNull();
  });

  it('is linear in backslashes before a quote', () => {
    const start = performance.now();
    duplicateKey(`{"a":"${'\\'.repeat(2_000_000)}","b":1}`);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('show', () => {
  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    [Number.NaN, 'NaN'],
    [-0, '0'],
    ['a"b', '"a\\"b"'],
    [[1, [2, null]], '[1,[2,null]]'],
    [{ a: { b: [] } }, '{"a":{"b":[]}}'],
    [10n, '10'],
    [new Uint8Array(5), '<5 bytes>'],
  ])('%s', (value, text) => expect(show(value)).toBe(text));

  it('is short, whatever it is given', () => {
    const deep = JSON.parse(toJson(new Deep(100_000))) as unknown;
    const wide = Array.from({ length: 1_000_000 }, (_, i) => i);
    for (const value of [
      deep,
      wide,
      'x'.repeat(1e7),
      { ['k'.repeat(1e6)]: 1 },
      Array(10).fill(Array(10).fill(wide)),
    ]) {
      expect(show(value).length).toBeLessThanOrEqual(121);
    }
  });
});

describe('the harness', () => {
  it('takes a UserError for a refusal, and nothing else', async () => {
    expect(await outcome(() => 5)).toEqual({ value: 5 });
    expect(await outcome(() => Promise.reject(new UserError('why')))).toEqual({ refused: 'why' });
    for (const error of [
      new RangeError('Invalid array length'),
      new TypeError('x'),
      new UserError(' '),
      new UserError('x'.repeat(4000)),
      'text',
    ]) {
      await expect(outcome(() => Promise.reject(error))).rejects.toThrow();
    }
  });

  it('fails a property that is broken, and one that is slow', async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 });
    await expect(
      hostile(50, bytes, async ([first]) => {
        if (first > 100) throw new Error('large');
        return true;
      }),
    ).rejects.toThrow(/large|Property failed/);
    const spin = async () => {
      for (const end = performance.now() + 1800; performance.now() < end; );
      return true;
    };
    await expect(hostile(1, bytes, spin)).rejects.toThrow(/Property failed|it took/);
  });

  it('changes what it is given', () => {
    const file = Uint8Array.from({ length: 64 }, (_, i) => i);
    const some = fc.sample(mutated(file), { seed, numRuns: 100 });
    expect(some.filter((bytes) => Buffer.compare(bytes, file) !== 0).length).toBeGreaterThan(80);
    expect([...file]).toEqual(Array.from({ length: 64 }, (_, i) => i));
    const root = { a: { b: [1, 2] }, c: 'x' };
    const odd = fc.sample(mutatedJson(root), { seed, numRuns: 100 }).map(toJson);
    expect(new Set(odd).size).toBeGreaterThan(60);
    expect(odd.some((text) => text.includes('__proto__'))).toBe(true);
    expect(root).toEqual({ a: { b: [1, 2] }, c: 'x' });
  });
});
