import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { openZip, zipLimits } from '../../../src/import/zip-files.ts';
import { joined, makeZip, type ZipPart } from './make-zip.ts';

const text = async (blob: Blob | null) => blob && (await blob.text());

async function refusal(bytes: Uint8Array<ArrayBuffer>, open?: string): Promise<string> {
  try {
    const zip = await openZip(bytes, 'a.zip');
    if (open) await zip.open(open);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  throw new Error('it was taken');
}

describe('zips', () => {
  it('gives what was put in, deflated and stored, and null for what is not there', async () => {
    const zip = await openZip(
      makeZip([
        { name: 'config.json', data: '{}' },
        { name: 'sub/ä.txt', data: 'x'.repeat(10_000), method: 0 },
        { name: 'empty', data: '' },
        { name: '__MACOSX/config.json', data: 'clutter' },
      ]),
      'a.zip',
    );
    expect(zip.names).toEqual(['config.json', 'sub/ä.txt', 'empty']);
    expect(await text(await zip.open('config.json'))).toBe('{}');
    expect(await text(await zip.open('sub/ä.txt'))).toBe('x'.repeat(10_000));
    expect(await text(await zip.open('sub/ä.txt'))).toBe('x'.repeat(10_000));
    expect(await text(await zip.open('empty'))).toBe('');
    expect(await zip.open('other')).toBeNull();
  });

  it('reads an empty one', async () => {
    expect((await openZip(makeZip([]), 'a.zip')).names).toEqual([]);
  });

  it.each<[string, string, RegExp]>([
    ['a parent folder', 'a/../../x', /"\.\."/],
    ['a parent folder alone', '..', /"\.\."/],
    ['an absolute name', '/etc/passwd', /absolute/],
    ['a drive', 'C:/x', /absolute/],
    ['a backslash', 'a\\..\\x', /backslash/],
    ['NUL', 'config.json\0.png', /control character/],
    ['an empty part', 'a//b', /empty part/],
    ['an endless name', 'a'.repeat(5000), /longer than/],
  ])('refuses %s', async (_, name, message) => {
    expect(await refusal(makeZip([{ name, data: 'x' }]))).toMatch(message);
  });

  it.each<[string, ZipPart[], RegExp]>([
    [
      'a name twice',
      [
        { name: 'a', data: '1' },
        { name: 'a', data: '2' },
      ],
      /"a" is there twice/,
    ],
    [
      'a file that is a folder',
      [
        { name: 'a', data: '1' },
        { name: 'a/b', data: '2' },
      ],
      /both a file and a folder/,
    ],
    ['encryption', [{ name: 'a', data: '1', claim: { flags: 0x801 } }], /is encrypted/],
    ['a link', [{ name: 'a', data: 'b', claim: { attributes: (0o120777 << 16) >>> 0 } }], /is a link/],
    ['another method', [{ name: 'a', data: '1', claim: { method: 14 } }], /method 14/],
    [
      'a stored size that lies',
      [{ name: 'a', data: '1', method: 0, claim: { size: 9 } }],
      /stored in 1 bytes/,
    ],
    [
      'a size beyond belief',
      [{ name: 'a', data: '1', claim: { size: 0xfffffff0 } }],
      /claims to unpack 3 bytes into 4096\.0 MiB/,
    ],
    ['data beyond the archive', [{ name: 'a', data: '1', claim: { packed: 5000 } }], /a\.zip/],
  ])('refuses %s', async (_, parts, message) => {
    expect(await refusal(makeZip(parts), 'a')).toMatch(message);
  });

  it('refuses what is no zip, and a zip cut off', async () => {
    const whole = makeZip([{ name: 'a', data: 'hello '.repeat(100) }]);
    expect(await refusal(new Uint8Array(0))).toMatch(/cannot be read as a zip/);
    expect(await refusal(new Uint8Array(100).fill(7))).toMatch(/cannot be read as a zip/);
    for (let n = 1; n < whole.length; n += 7) await refusal(whole.slice(0, n), 'a');
  });

  it('stops where an entry yields more or less than it claims, and where its checksum disagrees', async () => {
    const data = 'hello '.repeat(1000);
    expect(await refusal(makeZip([{ name: 'a', data, claim: { size: 5999 } }]), 'a')).toMatch(
      /claims|cannot be/,
    );
    expect(await refusal(makeZip([{ name: 'a', data, claim: { size: 6001 } }]), 'a')).toMatch(
      /claims|cannot be/,
    );
    expect(await refusal(makeZip([{ name: 'a', data, claim: { crc: 1 } }]), 'a')).toMatch(
      /cannot be unpacked/,
    );
  });

  it('refuses too many entries, and entries that do not come', async () => {
    const parts = Array.from({ length: 11 }, (_, i) => ({ name: `f${i}`, data: '' }));
    await expect(openZip(makeZip(parts), 'a.zip', { ...zipLimits, entries: 10 })).rejects.toThrow(
      /more than 10/,
    );
    await refusal(makeZip(parts, 60_000));
  });
});

describe('zip bombs', () => {
  it('refuses an entry of a thousand times its size before it unpacks it', async () => {
    const zeros = new Uint8Array(64 * 2 ** 20);
    const bomb = makeZip([{ name: 'bomb', data: zeros }]);
    expect(bomb.length).toBeLessThan(70_000);
    const start = performance.now();
    expect(await refusal(bomb)).toMatch(/more than 200 times as much, as zip bombs do/);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it('stops a bomb that lies about its size after as many bytes as it claims', async () => {
    const zeros = new Uint8Array(64 * 2 ** 20);
    const bomb = makeZip([{ name: 'bomb', data: zeros, claim: { size: 1000 } }]);
    const start = performance.now();
    expect(await refusal(bomb, 'bomb')).toMatch(/1000 bytes it claims|cannot be unpacked/);
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('refuses many entries that are small each and a bomb together', async () => {
    const zeros = new Uint8Array(7 * 2 ** 20);
    const parts = Array.from({ length: 4 }, (_, i) => ({ name: `b${i}`, data: zeros }));
    expect(await refusal(makeZip(parts))).toMatch(/a\.zip claims to unpack/);
  });

  it('refuses entries that share one body', async () => {
    const parts = ['a', 'b', 'c'].map((name) => ({ name, data: 'x'.repeat(1000), claim: { offset: 0 } }));
    expect(await refusal(makeZip(parts))).toMatch(/overlaps "a", as in a zip bomb/);
  });

  it('refuses quoted overlap: local headers inside the body of another entry', async () => {
    // The inner zip's local part is quoted as stored data of an outer entry; the directory lists both.
    const inner = makeZip([{ name: 'inner', data: 'y'.repeat(500), method: 0 }]);
    const quoted = inner.slice(0, 30 + 5 + 500);
    const outer = makeZip([
      { name: 'outer', data: quoted, method: 0 },
      { name: 'inner', data: 'y'.repeat(500), method: 0, claim: { offset: 30 + 5 } },
    ]);
    expect(await refusal(outer)).toMatch(/overlaps "outer"/);
  });

  it('a zip within a zip is only a file', async () => {
    const inner = makeZip([{ name: 'x', data: new Uint8Array(1 << 20) }]);
    const zip = await openZip(makeZip([{ name: 'inner.zip', data: inner }]), 'a.zip');
    expect((await zip.open('inner.zip'))?.size).toBe(inner.length);
  });

  it('reads an archive with data before it', async () => {
    const zip = makeZip([{ name: 'a', data: 'x' }]);
    // Offsets are off by the stub's length, as in self-extracting archives: taken or refused, never misread.
    const stubbed = joined([new Uint8Array(20).fill(65), zip]);
    const opened = await openZip(stubbed, 'a.zip').catch((error: unknown) => error);
    if (opened instanceof Error) expect(opened).toBeInstanceOf(UserError);
    else expect(await text(await (opened as Awaited<ReturnType<typeof openZip>>).open('a'))).toBe('x');
  });
});
