/** A process that saves, replaces and deletes checkpoints until it is killed, and says what is committed. */
import { readdir } from 'node:fs/promises';

import { openFolderRun } from '../../../src/store/folder-runs.ts';
import type { Checkpoint } from '../../../src/store/run-store.ts';

/** The checkpoint that a given write must leave; its state and every value tell which write it was. */
export function numberedCheckpoint(step: number, write: number): Checkpoint {
  const tensor = (size: number) => ({ shape: [size], data: new Float32Array(size).fill(write) });
  const tensors = new Map([1, 5000, 300, 20_000].map((size, i) => [`weights/${i}`, tensor(size)]));
  tensors.set('optimizer/m.0', tensor(700));
  return { step, state: { write }, tensors };
}

/** Everything that is not a run's own. */
export async function leftovers(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter(
    (name) => !/^(run\.json|log\.jsonl|run\.[\w-]+\.lock|checkpoint-\d+|rollouts)$/.test(name),
  );
}

/** Step 1 is replaced again and again, later steps come and go. */
export async function writeForever(directory: string): Promise<void> {
  const store = await openFolderRun(directory, { sideFiles: new Map([['note.txt', new Uint8Array(9)]]) });
  const last = (await store.readLog()).at(-1)?.step ?? 0;
  for (let write = last + 1; ; write++) {
    await store.appendLog([{ step: write, kind: 'step', metrics: { write }, completions: [] }]);
    process.stdout.write(`logged ${write}\n`);
    const step = write % 3 === 0 ? 1 : write;
    await store.saveCheckpoint(numberedCheckpoint(step, write));
    process.stdout.write(`saved ${step} ${write}\n`);
    for (const old of (await store.checkpoints()).slice(1, -2)) {
      process.stdout.write(`deleting ${old.step} ${write}\n`);
      await store.deleteCheckpoint(old.step);
    }
  }
}

if (process.argv[2] === 'write') await writeForever(process.argv[3]);
