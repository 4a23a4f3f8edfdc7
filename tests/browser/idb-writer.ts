/** A worker that saves the same step again and again until it is killed; it tells the number of each committed save. */
import { openRuns } from '../../src/store/idb-runs.ts';

self.onmessage = async ({ data }: MessageEvent<{ database: string; id: string }>) => {
  const run = await openRuns({ database: data.database }).open(data.id);
  const before = (await run.checkpoints()).length > 0 ? (await run.openCheckpoint(1)).state.write : 0;
  self.postMessage(0);
  for (let write = Number(before) + 1; ; write++) {
    const tensor = () => ({ shape: [30_000], data: new Float32Array(30_000).fill(write) });
    const tensors = new Map(Array.from({ length: 20 }, (_, i) => [`weights/${i}`, tensor()]));
    await run.saveCheckpoint({ step: 1, state: { write }, tensors });
    self.postMessage(write);
  }
};
