import { expect, it } from 'vitest';
import { forwardFile } from '../../../src/store/forward-file.ts';

const content = Uint8Array.from({ length: 100 }, (_, i) => i);

function streamed(piece: number, atEnd: () => void = () => {}) {
  const log = { opened: 0, closed: 0, pieces: 0 };
  const file = forwardFile(100, async function* () {
    log.opened++;
    try {
      for (let at = 0; at < 100; at += piece) {
        log.pieces++;
        yield content.subarray(at, at + piece);
      }
      atEnd();
    } finally {
      log.closed++;
    }
  });
  return { file, log };
}

it.each([1, 7, 30, 100])('gives parts in order from one pass, in pieces of %d', async (piece) => {
  const { file, log } = streamed(piece);
  for (const [begin, end] of [
    [0, 10],
    [10, 11],
    [11, 11],
    [40, 77],
    [77, 100],
  ])
    expect(await file.read(begin, end)).toEqual(content.subarray(begin, end));
  expect(log).toEqual({ opened: 1, closed: 1, pieces: Math.ceil(100 / piece) });
});

it('begins anew for what lies behind, and takes no more than is wanted', async () => {
  const { file, log } = streamed(10);
  expect(await file.read(30, 35)).toEqual(content.subarray(30, 35));
  expect(log.pieces).toBe(4);
  expect(await file.read(5, 15)).toEqual(content.subarray(5, 15));
  expect(log).toEqual({ opened: 2, closed: 1, pieces: 6 });
});

it('lets reads wait for one another', async () => {
  const { file, log } = streamed(9);
  const parts = await Promise.all([file.read(0, 20), file.read(20, 60), file.read(60, 100)]);
  expect(parts.map((part) => part[0])).toEqual([0, 20, 60]);
  expect(log.opened).toBe(1);
});

it('fails the last read when the end finds the whole wrong', async () => {
  const { file } = streamed(10, () => {
    throw new Error('checksum');
  });
  expect(await file.read(0, 99)).toHaveLength(99);
  await expect(file.read(99, 100)).rejects.toThrow('checksum');
  // And nothing is left over for the next one.
  expect(await file.read(0, 5)).toEqual(content.subarray(0, 5));
});

it('gives what there is of a stream that ends early', async () => {
  const file = forwardFile(200, async function* () {
    yield content;
  });
  expect(await file.read(90, 150)).toEqual(content.subarray(90));
  expect(await file.read(150, 160)).toHaveLength(0);
});

it('stops for a signal', async () => {
  const { file } = streamed(10);
  await expect(file.read(0, 5, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  expect(await file.read(0, 5)).toEqual(content.subarray(0, 5));
});
