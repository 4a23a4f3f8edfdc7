import { BlobReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js';
import { describe, expect, it } from 'vitest';
import type { OutFile, OutProgress } from '../../../src/export/out-file.ts';
import { safetensorsOut } from '../../../src/export/safetensors-out.ts';
import { zipStream } from '../../../src/export/zip-out.ts';
import { bytesOf, LazySource, piecesFile, small } from './files.ts';

describe('zipStream', () => {
  it('is as long as predicted, and holds exactly the files', async () => {
    const files = [...small(), safetensorsOut('model.safetensors', new LazySource())];
    const progress: OutProgress[] = [];
    const { stream, size } = zipStream(files, { onProgress: (p) => progress.push(p) });
    const blob = await new Response(stream).blob();
    expect(blob.size).toBe(size);
    expect(progress.at(-1)).toMatchObject({ bytes: size, totalBytes: size });
    expect(progress.map((p) => p.bytes)).toEqual(progress.map((p) => p.bytes).sort((a, b) => a - b));
    expect(new Set(progress.map((p) => p.file))).toEqual(new Set(files.map((f) => f.name)));

    const entries = await new ZipReader(new BlobReader(blob), { checkSignature: true }).getEntries();
    expect(entries.map((e) => e.filename)).toEqual(files.map((f) => f.name));
    for (const [i, entry] of entries.entries()) {
      if (entry.directory) throw new Error(`${entry.filename} is a folder`);
      expect(entry.compressionMethod).toBe(0);
      // Throws where the checksum does not agree.
      const bytes = await entry.getData(new Uint8ArrayWriter(), { checkSignature: true });
      expect(Buffer.compare(bytes, await bytesOf(files[i]))).toBe(0);
    }
  });

  it('reads nothing ahead of its reader but the next pieces', async () => {
    const { file, state } = piecesFile('weights', 100, 1000);
    const reader = zipStream([file]).stream.getReader();
    for (let i = 0; i < 10; i++) await reader.read();
    expect(state.given).toBeLessThan(15);
    await reader.cancel();
    expect(state.ended).toBe(true);
  });

  it('ends with the reason of its signal, and ends the file that is being read', async () => {
    const { file, state } = piecesFile('weights', 100, 1000);
    const abort = new AbortController();
    const { stream } = zipStream([...small(), file], {
      signal: abort.signal,
      onProgress: ({ bytes }) => bytes > 5000 && abort.abort(new Error('enough')),
    });
    const reader = stream.getReader();
    await expect(
      (async () => {
        while (!(await reader.read()).done);
      })(),
    ).rejects.toThrow('enough');
    expect(state.ended).toBe(true);
    expect(state.given).toBeLessThan(15);
  });

  it('fails when a file has not the size that it said, or cannot be read', async () => {
    const drain = (file: OutFile) => new Response(zipStream([file]).stream).arrayBuffer();
    const wrong = (size: number): OutFile => ({ ...piecesFile('weights', 2, 10).file, size });
    const messageOf = async (file: OutFile) => {
      const reader = zipStream([file]).stream.getReader();
      try {
        while (!(await reader.read()).done);
      } catch (error) {
        return (error as Error).message;
      }
      return null;
    };
    expect(await messageOf(wrong(19))).toContain('announced with 19 bytes');
    expect(await messageOf(wrong(21))).toContain('announced with 21 bytes');
    await expect(drain(wrong(20))).resolves.toBeInstanceOf(ArrayBuffer);
    const broken: OutFile = {
      name: 'x',
      size: 1,
      // biome-ignore lint/correctness/useYield: it fails before its first piece
      async *chunks() {
        throw new Error('the device is gone');
      },
    };
    expect(await messageOf(broken)).toBe('the device is gone');
  });
});
