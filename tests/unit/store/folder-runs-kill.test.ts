import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFolderRun } from '../../../src/store/folder-runs.ts';
import { expectCheckpoint } from '../../run-store-cases.ts';
import { leftovers, numberedCheckpoint } from './folder-writer.ts';

let root: string;
beforeAll(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'papo-folder-kill-'));
});
afterAll(() => fs.rm(root, { recursive: true, force: true }));

describe('folders: a process that is killed', () => {
  test('20 times at random: everything it said was committed is there, whole, and nothing else', async () => {
    const here = dirname(fileURLToPath(import.meta.url));
    const bundle = join(root, 'bundle');
    await build({
      root: here,
      configFile: false,
      logLevel: 'error',
      build: { ssr: join(here, 'folder-writer.ts'), outDir: bundle, emptyOutDir: true },
    });
    const [script] = (await fs.readdir(bundle)).filter((name) => /^folder-writer\.m?js$/.test(name));
    await fs.writeFile(join(bundle, 'package.json'), '{"type":"module"}');
    const directory = join(root, 'run');
    let unfinished = 0;
    let saves = 0;
    for (let kill = 0; kill < 20; kill++) {
      const child = spawn(process.execPath, [join(bundle, script), 'write', directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = new Promise((resolve) => child.once('close', resolve));
      const committed = new Map<number, number>();
      // Behind the start of a random save, by up to as long as saves take on this machine.
      let saveMs = 20;
      let began = 0;
      let wait = 1 + Math.floor(Math.random() * 3);
      let logged = 0;
      for await (const line of createInterface(child.stdout)) {
        const [what, step, write] = line.split(' ');
        if (what === 'saved') committed.set(Number(step), Number(write));
        else if (what === 'deleting') committed.delete(Number(step));
        else logged = Number(step);
        if (what === 'saved') saveMs = performance.now() - began;
        if (what !== 'logged') continue;
        began = performance.now();
        if (--wait === 0) setTimeout(() => child.kill('SIGKILL'), Math.random() * saveMs);
      }
      await ended;
      saves += committed.size;
      if ((await leftovers(directory)).length > 0) unfinished++;

      const store = await openFolderRun(directory);
      expect(await leftovers(directory)).toEqual([]);
      const steps = (await store.checkpoints()).map(({ step }) => step);
      for (const [step, write] of committed) {
        expect(steps).toContain(step);
        expect((await store.openCheckpoint(step)).state.write).toBeGreaterThanOrEqual(write);
      }
      for (const step of steps) {
        const write = (await store.openCheckpoint(step)).state.write as number;
        await expectCheckpoint(store, numberedCheckpoint(step, write));
      }
      const log = (await store.readLog()).map((row) => row.step);
      expect(log).toEqual(log.map((_, i) => i + 1));
      expect(log.length).toBeGreaterThanOrEqual(logged);
      await store.close();
    }
    // Else the kills did not hit what they are for.
    expect(saves).toBeGreaterThan(10);
    expect(unfinished).toBeGreaterThan(3);
  });
});
