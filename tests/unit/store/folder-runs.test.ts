import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import {
  type FolderRun,
  isRunFolder,
  openFolderRun,
  readFolderRun,
  readRunInfo,
} from '../../../src/store/folder-runs.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { StorageFullError } from '../../../src/store/run-store.ts';
import { readSafetensors } from '../../../src/store/safetensors.ts';
import {
  awkwardCheckpoint,
  bitsOf,
  expectCheckpoint,
  runInfo,
  runStoreCases,
} from '../../run-store-cases.ts';
import { leftovers, numberedCheckpoint } from './folder-writer.ts';

/** What the disk does instead of its work: set by the tests of failures. */
const disk = vi.hoisted(() => ({
  before: undefined as ((operation: string, path: string) => void) | undefined,
}));

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const changing = ['mkdir', 'rename', 'rm', 'writeFile', 'appendFile'] as const;
  const mocked: Record<string, unknown> = { ...real, default: real };
  for (const name of changing)
    mocked[name] = async (path: string, ...rest: unknown[]) => {
      disk.before?.(name, path);
      return (real[name] as (...args: unknown[]) => Promise<unknown>)(path, ...rest);
    };
  mocked.open = async (path: string, ...rest: [string]) => {
    if (rest[0] !== 'r') disk.before?.('open', path);
    const file = await real.open(path, ...rest);
    for (const name of ['writeFile', 'sync', 'truncate'] as const) {
      const original = file[name].bind(file) as (...args: unknown[]) => Promise<void>;
      file[name] = async (...args: unknown[]) => {
        try {
          disk.before?.(`file.${name}`, path);
        } catch (error) {
          // A disk fills up in the middle of what is written.
          if (name === 'writeFile') await original((args[0] as string | Uint8Array).slice(0, -1));
          throw error;
        }
        await original(...args);
      };
    }
    return file;
  };
  return mocked;
});

let root: string;
beforeAll(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'papo-folder-runs-'));
});
afterAll(() => fs.rm(root, { recursive: true, force: true }));
afterEach(() => {
  disk.before = undefined;
});

let folders = 0;
const newFolder = () => join(root, `run-${++folders}`);

/** Where a tensor lies: its file, and its first and last byte. */
async function placeOf(directory: string, step: number, name: string) {
  const isWeight = name.startsWith('weights/');
  const path = join(
    directory,
    `checkpoint-${step}`,
    isWeight ? 'model.safetensors' : 'optimizer.safetensors',
  );
  const file = await fs.readFile(path);
  const { bytes } = readSafetensors(file).get(isWeight ? name.slice('weights/'.length) : name)!;
  return { path, file, bytes };
}

runStoreCases('folders', async () => {
  const directory = newFolder();
  const store = await openFolderRun(directory);
  let open: FolderRun = store;
  return {
    store,
    reopen: async () => {
      await open.close();
      open = await openFolderRun(directory);
      return open;
    },
    damage: async (step, name) => {
      const { path, file, bytes } = await placeOf(directory, step, name);
      bytes[5] ^= 1;
      await fs.writeFile(path, file);
    },
    shorten: async (step, name) => {
      const { path, file } = await placeOf(directory, step, name);
      await fs.writeFile(path, file.subarray(0, -1));
    },
    leftovers: () => leftovers(directory),
  };
});

describe('folders: what others read', () => {
  test('a checkpoint is a model folder in float32, whatever the model came in', async () => {
    const directory = newFolder();
    const config = { dtype: 'bfloat16', model_type: 'smolvlm', text_config: { torch_dtype: 'float16' } };
    const sideFiles = new Map([
      ['config.json', new TextEncoder().encode(JSON.stringify(config))],
      ['tokenizer.json', new TextEncoder().encode('{"a":1}')],
    ]);
    const store = await openFolderRun(directory, { sideFiles });
    const template = new TextEncoder().encode('{{ messages }}');
    const { tensors, ...rest } = awkwardCheckpoint(3);
    const brought = { shape: [template.length], data: template };
    const checkpoint = { ...rest, tensors: new Map([...tensors, ['files/chat_template.jinja', brought]]) };
    await store.saveCheckpoint(checkpoint);
    await expectCheckpoint(store, checkpoint);
    await store.close();
    const folder = await loadModelFolder(nodeFiles(join(directory, 'checkpoint-3')));
    expect(folder.config).toEqual({
      dtype: 'float32',
      model_type: 'smolvlm',
      text_config: { torch_dtype: 'float32' },
    });
    expect(folder.json.get('tokenizer.json')).toEqual({ a: 1 });
    expect(folder.chatTemplate).toBe('{{ messages }}');
    expect([...folder.weights.keys()].sort()).toEqual(['a.weight', 'large', 'scalar']);
    const large = checkpoint.tensors.get('weights/large')!.data;
    expect(Buffer.compare(bitsOf(folder.weights.get('large')!.data), bitsOf(large))).toBe(0);
    const state = JSON.parse(
      await fs.readFile(join(directory, 'checkpoint-3', 'trainer_state.json'), 'utf8'),
    );
    expect(state.global_step).toBe(3);
  });

  test('a checkpoint’s files cannot leave its folder or take the place of what is ours', async () => {
    const directory = newFolder();
    const store = await openFolderRun(directory);
    const checkpoint = numberedCheckpoint(1, 1);
    const withFile = (name: string) => ({
      ...checkpoint,
      tensors: new Map([...checkpoint.tensors, [`files/${name}`, { shape: [1], data: Uint8Array.of(1) }]]),
    });
    await expect(store.saveCheckpoint(withFile('../outside'))).rejects.toThrow(/no plain file name/);
    await store.saveCheckpoint(withFile('trainer_state.json'));
    await expectCheckpoint(store, withFile('trainer_state.json'));
    expect(await leftovers(directory)).toEqual([]);
    await store.close();
  });

  test('a folder is a run when it has run.json; others’ checkpoints in it are not ours', async () => {
    const directory = newFolder();
    expect(await isRunFolder(directory)).toBe(false);
    const store = await openFolderRun(directory);
    expect(await isRunFolder(directory)).toBe(false);
    await store.writeInfo(runInfo);
    expect(await isRunFolder(directory)).toBe(true);
    expect(await readRunInfo(directory)).toEqual(runInfo);
    for (const text of ['{', 'null', '{"name":"x"}']) {
      await fs.writeFile(join(directory, 'run.json'), text);
      await expect(readRunInfo(directory)).rejects.toThrow(/run\.json/);
      await expect(readRunInfo(directory)).rejects.toThrow(UserError);
    }
    await fs.mkdir(join(directory, 'checkpoint-7'));
    await fs.writeFile(join(directory, 'checkpoint-7', 'trainer_state.json'), '{"global_step": 7}');
    await fs.mkdir(join(directory, 'checkpoint-last'));
    await store.saveCheckpoint(numberedCheckpoint(2, 1));
    expect((await store.checkpoints()).map(({ step }) => step)).toEqual([2]);
    await expect(store.openCheckpoint(7)).rejects.toThrow(/trainer_state\.json of papo-web/);
    await expect(store.openCheckpoint(8)).rejects.toThrow(/no checkpoint of step 8/);
    await store.close();
  });

  test('a damaged trainer_state.json or a missing file is told with its name; the list goes on', async () => {
    const directory = newFolder();
    const store = await openFolderRun(directory);
    for (const step of [1, 2, 3, 4]) await store.saveCheckpoint(numberedCheckpoint(step, step));
    const state = (step: number) => join(directory, `checkpoint-${step}`, 'trainer_state.json');
    await fs.truncate(state(1), 100);
    await fs.rm(join(directory, 'checkpoint-2', 'optimizer.safetensors'));
    await fs.copyFile(state(4), state(3));
    for (const [step, file] of [
      [1, 'trainer_state.json'],
      [2, 'optimizer.safetensors'],
      [3, 'trainer_state.json'],
    ] as const) {
      await expect(store.openCheckpoint(step)).rejects.toThrow(UserError);
      await expect(store.openCheckpoint(step)).rejects.toThrow(`checkpoint-${step}/${file}`);
    }
    expect((await store.checkpoints()).map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    await expectCheckpoint(store, numberedCheckpoint(4, 4));
    await store.close();
  });

  test('a torn last line of the log is dropped, and cut before the next; a bad line inside is told', async () => {
    const directory = newFolder();
    const store = await openFolderRun(directory);
    const row = (step: number) => ({ step, kind: 'step' as const, metrics: {}, completions: [] });
    const path = join(directory, 'log.jsonl');
    for (const torn of ['{"step":2,"ki', '{"step":2}', 'x'.repeat(200_000)]) {
      await fs.rm(path, { force: true });
      await store.appendLog([row(1)]);
      await fs.appendFile(path, torn);
      expect(await store.readLog()).toEqual([row(1)]);
      await store.appendLog([row(2)]);
      expect(await store.readLog()).toEqual([row(1), row(2)]);
    }
    await fs.appendFile(path, '{"step":\n');
    await store.appendLog([row(3)]);
    await expect(store.readLog()).rejects.toThrow(/log\.jsonl, line 3 is damaged/);
    await store.close();
  });
});

describe('folders: opening', () => {
  test('removes what is unfinished, puts back what was being replaced, and touches nothing else', async () => {
    const directory = newFolder();
    const store = await openFolderRun(directory);
    await store.writeInfo(runInfo);
    for (const step of [1, 2]) await store.saveCheckpoint(numberedCheckpoint(step, step));
    await store.close();
    const at = (name: string) => join(directory, name);
    await fs.rename(at('checkpoint-2'), at('.checkpoint-2.a1-b2.old'));
    for (const name of ['.checkpoint-1.c.old', '.checkpoint-3.d.tmp', '.checkpoint-4.e.deleted'])
      await fs.cp(at('checkpoint-1'), at(name), { recursive: true });
    for (const name of [
      'run.json.f.tmp',
      'log.jsonl.g.tmp',
      'run.h.lock.tmp',
      'notes.tmp',
      '.hidden',
      'README.md',
    ])
      await fs.writeFile(at(name), 'x');
    const again = await openFolderRun(directory);
    for (const step of [1, 2]) await expectCheckpoint(again, numberedCheckpoint(step, step));
    await again.close();
    const kept = ['.hidden', 'README.md', 'checkpoint-1', 'checkpoint-2', 'notes.tmp', 'run.json'];
    expect((await fs.readdir(directory)).sort()).toEqual(kept);
  });
});

describe('folders: one writer', () => {
  test('a second one is refused while the first is open; reading goes on', async () => {
    const directory = newFolder();
    const store = await openFolderRun(directory);
    await store.saveCheckpoint(numberedCheckpoint(1, 1));
    await expect(openFolderRun(directory)).rejects.toThrow(UserError);
    await expect(openFolderRun(directory)).rejects.toThrow(`process ${process.pid}`);
    await expectCheckpoint(readFolderRun(directory), numberedCheckpoint(1, 1));
    await store.close();
    await (await openFolderRun(directory)).close();
    expect(await fs.readdir(directory)).toEqual(['checkpoint-1']);
  });

  test('the lock of a process that is gone, or of another that has its number now, is void', async () => {
    const directory = newFolder();
    const dead = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }));
    const host = (await import('node:os')).hostname();
    const startTold = await fs.stat('/proc/self/stat').catch(() => null);
    const stale = [
      `${dead}\n${host}\n1\n`,
      '',
      'garbage',
      ...(startTold ? [`${process.pid}\n${host}\n1\nheld\n`] : []),
    ];
    await fs.mkdir(directory);
    for (const text of stale) {
      await fs.writeFile(join(directory, 'run.left-behind.lock'), text);
      await (await openFolderRun(directory)).close();
    }
    await fs.writeFile(join(directory, 'run.left-behind.lock'), `${dead}\nsome-other-host\n1\nheld\n`);
    await expect(openFolderRun(directory)).rejects.toThrow(
      /process \d+ on some-other-host.*delete .*run\.left-behind\.lock/,
    );
  });

  test('of many who find a stale lock at once, one gets the run', async () => {
    const directory = newFolder();
    await fs.mkdir(directory);
    for (let round = 0; round < 10; round++) {
      await fs.writeFile(join(directory, 'run.left-behind.lock'), 'by a crash');
      const opened = await Promise.allSettled(Array.from({ length: 8 }, () => openFolderRun(directory)));
      const got = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(got).toHaveLength(1);
      for (const result of opened)
        if (result.status === 'rejected') expect(`${result.reason}`).toMatch(/is open in another trainer/);
      await got[0].close();
      expect(await fs.readdir(directory)).toEqual([]);
    }
  });
});

/** The n-th change of the disk, and with `isDead` all after it, fails. */
function failAt(n: number, code: string, isDead: boolean): { hasHappened: boolean } {
  const failure = { hasHappened: false };
  let changes = 0;
  disk.before = (operation, path) => {
    changes++;
    if (changes !== n && !(isDead && changes > n)) return;
    failure.hasHappened = true;
    throw Object.assign(new Error(`${code}: ${operation} ${path}`), { code });
  };
  return failure;
}

describe('folders: a disk that fails at any change', () => {
  const work = async (store: FolderRun, done: string[]) => {
    await store.saveCheckpoint(numberedCheckpoint(5, 2));
    done.push('replaced');
    await store.saveCheckpoint(numberedCheckpoint(6, 3));
    done.push('saved');
    await store.deleteCheckpoint(5);
    done.push('deleted');
  };

  async function expectWhole(store: FolderRun, directory: string, done: string[]): Promise<string> {
    expect(await leftovers(directory)).toEqual([]);
    const steps = (await store.checkpoints()).map(({ step }) => step);
    for (const step of steps) {
      const write = (await store.openCheckpoint(step)).state.write as number;
      await expectCheckpoint(store, numberedCheckpoint(step, write));
      if (step === 5 && done.includes('replaced')) expect(write).toBe(2);
    }
    if (!done.includes('saved')) expect(steps).toContain(5);
    else expect(steps).toContain(6);
    return `${steps}`;
  }

  test('a process that dies there leaves the last whole checkpoint, and the rest is swept', async () => {
    const seen = new Set<string>();
    let n = 1;
    for (; ; n++) {
      const directory = newFolder();
      const first = await openFolderRun(directory, { sideFiles: new Map([['note.txt', new Uint8Array(3)]]) });
      await first.writeInfo(runInfo);
      await first.saveCheckpoint(numberedCheckpoint(5, 1));
      const failure = failAt(n, 'EIO', true);
      const done: string[] = [];
      await work(first, done).catch(() => {});
      disk.before = undefined;
      await first.close();
      if (!failure.hasHappened) break;
      const again = await openFolderRun(directory);
      seen.add(await expectWhole(again, directory, done));
      expect(await again.info()).toEqual(runInfo);
      await again.close();
    }
    expect(n).toBeGreaterThan(30);
    expect(seen).toEqual(new Set(['5', '5,6', '6']));
  });

  test('a full disk is a StorageFullError, and all committed is as it was', async () => {
    for (const code of ['ENOSPC', 'EDQUOT']) {
      for (let n = 1; ; n++) {
        const directory = newFolder();
        const store = await openFolderRun(directory);
        await store.saveCheckpoint(numberedCheckpoint(5, 1));
        const failure = failAt(n, code, false);
        const saved = await store.saveCheckpoint(numberedCheckpoint(5, 2)).catch((error: unknown) => error);
        disk.before = undefined;
        if (!failure.hasHappened) {
          expect(n).toBeGreaterThan(12);
          await store.close();
          break;
        }
        // The last change but one puts the folder's entry on the disk, the last removes what was replaced.
        if (saved !== undefined) expect(saved).toBeInstanceOf(StorageFullError);
        await expectCheckpoint(store, numberedCheckpoint(5, saved === undefined ? 2 : 1));
        if (saved !== undefined) expect(await leftovers(directory)).toEqual([]);
        await store.close();
      }
    }
  });

  test('a log that does not fit is as it was, and can be written later', async () => {
    const store = await openFolderRun(newFolder());
    const row = (step: number) => ({ step, kind: 'step' as const, metrics: {}, completions: [] });
    await store.appendLog([row(1)]);
    failAt(2, 'ENOSPC', false);
    await expect(store.appendLog([row(2), row(3)])).rejects.toThrow(StorageFullError);
    disk.before = undefined;
    expect(await store.readLog()).toEqual([row(1)]);
    failAt(1, 'EACCES', false);
    await expect(store.appendLog([row(2)])).rejects.toThrow(UserError);
    disk.before = undefined;
    await store.appendLog([row(2)]);
    expect(await store.readLog()).toEqual([row(1), row(2)]);
    await store.close();
  });
});
