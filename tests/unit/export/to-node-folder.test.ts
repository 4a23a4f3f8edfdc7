import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bytesFile, type OutProgress } from '../../../src/export/out-file.ts';
import { weightFiles } from '../../../src/export/safetensors-out.ts';
import { toNodeFolder } from '../../../src/export/to-node-folder.ts';
import { bytesOf, LazySource, piecesFile, small } from './files.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'papo-out-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const listed = async () => (await readdir(directory, { recursive: true })).sort();

it('writes every file, in folders, and tells how far it is', async () => {
  const files = [...small(), ...weightFiles(new LazySource(), { maxShardBytes: 63 })];
  const progress: OutProgress[] = [];
  await toNodeFolder(files, directory, { onProgress: (p) => progress.push(p) });
  expect(await listed()).toEqual([...files.map((f) => f.name), 'onnx'].sort());
  for (const file of files)
    expect(Buffer.compare(await readFile(join(directory, file.name)), await bytesOf(file))).toBe(0);
  const total = files.reduce((sum, f) => sum + f.size, 0);
  expect(progress.at(-1)).toMatchObject({ bytes: total, totalBytes: total });
});

it('leaves everything as it was when it is aborted, or a file fails', async () => {
  await writeFile(join(directory, 'config.json'), 'old');
  const { file, state } = piecesFile('weights', 100, 1000);
  const abort = new AbortController();
  const onProgress = ({ bytes }: OutProgress) => bytes > 5000 && abort.abort();
  await expect(
    toNodeFolder([...small(), file], directory, { signal: abort.signal, onProgress }),
  ).rejects.toMatchObject({ name: 'AbortError' });
  expect(state.ended).toBe(true);
  await expect(toNodeFolder([...small(), { ...file, size: 5 }], directory)).rejects.toThrow(
    'announced with 5',
  );
  expect(await readFile(join(directory, 'config.json'), 'utf8')).toBe('old');
  // Folders that it made may stay, files may not.
  expect((await listed()).filter((name) => name !== 'onnx')).toEqual(['config.json']);
});

it('removes weights of an earlier save that a loader would take for these', async () => {
  const names = async () => (await listed()).filter((name) => name.startsWith('model'));
  const source = new LazySource();
  await writeFile(join(directory, 'model.txt'), 'mine');
  await toNodeFolder(weightFiles(source, { maxShardBytes: 63 }), directory);
  expect(await names()).toHaveLength(5);
  await toNodeFolder(weightFiles(source), directory);
  expect(await names()).toEqual(['model.safetensors', 'model.txt']);
  await toNodeFolder([bytesFile('README.md', 'only this')], directory);
  expect(await names()).toEqual(['model.safetensors', 'model.txt']);
});

it('says which file could not be written, and why', async () => {
  await writeFile(join(directory, 'onnx'), 'a file where a folder is needed');
  await expect(toNodeFolder(small(), directory)).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/onnx.*could not be written: /),
  });
  expect(await listed()).toEqual(['onnx']);
});
