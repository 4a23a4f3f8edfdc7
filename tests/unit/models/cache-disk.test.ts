import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CacheDisk, memoryDisk } from '../../../src/models/cache-disk.ts';
import { nodeDisk } from '../../../src/models/node-cache.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'papo-cache-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const bytes = (begin: number, end: number) =>
  Uint8Array.from({ length: end - begin }, (_, i) => (begin + i) % 251);
const content = async (disk: CacheDisk) =>
  new Uint8Array(await (await disk.slot('m', 'f').blob()).arrayBuffer());

async function write(disk: CacheDisk, ...pieces: Uint8Array[]): Promise<void> {
  const writer = await disk.slot('m', 'f').writer();
  for (const piece of pieces) await writer.write(piece);
  await writer.close();
}

describe.each<[string, () => CacheDisk]>([
  ['memory', memoryDisk],
  ['a folder, in parts of 100 bytes', () => nodeDisk(root, 100)],
  ['a folder, in parts of 7 bytes', () => nodeDisk(root, 7)],
  ['a folder, in one part', () => nodeDisk(root)],
])('a slot in %s', (_, make) => {
  it('grows from where it ended', async () => {
    const disk = make();
    const slot = disk.slot('m', 'f');
    expect(await slot.size()).toBe(0);
    expect(await content(disk)).toEqual(new Uint8Array());
    await write(disk, bytes(0, 3), bytes(3, 250));
    expect(await slot.size()).toBe(250);
    await write(disk);
    await write(disk, bytes(250, 300));
    await write(disk, bytes(300, 301), bytes(301, 700));
    expect(await slot.size()).toBe(700);
    expect(await content(disk)).toEqual(bytes(0, 700));
    expect(new Uint8Array(await (await slot.blob()).slice(90, 310).arrayBuffer())).toEqual(bytes(90, 310));
  });

  it('is gone when it is removed, and begins anew', async () => {
    const disk = make();
    await write(disk, bytes(0, 555));
    await disk
      .slot('m', 'other')
      .writer()
      .then((writer) => writer.close());
    await disk.slot('m', 'f').remove();
    expect(await disk.slot('m', 'f').size()).toBe(0);
    await write(disk, bytes(5, 20));
    expect(await content(disk)).toEqual(bytes(5, 20));
    expect(await disk.folders()).toEqual(['m']);
    await disk.removeFolder('m');
    await disk.removeFolder('m');
    expect(await disk.folders()).toEqual([]);
  });
});

it('ends a file at a part that was cut off, and goes on there', async () => {
  const disk = nodeDisk(root, 100);
  await write(disk, bytes(0, 350));
  await truncate(join(root, 'm', 'f.0001'), 40);
  expect(await disk.slot('m', 'f').size()).toBe(140);
  expect(await content(disk)).toEqual(bytes(0, 140));
  await write(disk, bytes(140, 180));
  expect(await content(disk)).toEqual(bytes(0, 180));
  await write(disk, bytes(180, 300));
  expect(await content(disk)).toEqual(bytes(0, 300));
});
