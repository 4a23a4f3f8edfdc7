/** Which checkpoint a run goes on from. */
import { UserError } from '../errors.ts';
import type { RunStore, StoredCheckpoint } from '../store/run-store.ts';

/**
 * `true`: the last one that is whole; damaged ones are passed over, each with a sentence in `skipped`. A number, or a
 * name that ends in one ("checkpoint-40"): that one. Throws a UserError where there is none.
 */
export async function findCheckpoint(
  store: RunStore,
  wanted: true | string | number | boolean,
): Promise<{ checkpoint: StoredCheckpoint; skipped: string[] }> {
  const steps = (await store.checkpoints()).map(({ step }) => step);
  const there = steps.length
    ? `it has ${steps.map((step) => `checkpoint-${step}`).join(', ')}`
    : 'it has none';
  if (wanted !== true) {
    const step = Number(/(\d+)\/?$/.exec(String(wanted))?.[1] ?? Number.NaN);
    if (!steps.includes(step))
      throw new UserError(`resume_from_checkpoint: ${store.where} has no checkpoint "${wanted}"; ${there}.`);
    const checkpoint = await store.openCheckpoint(step);
    await verify(checkpoint);
    return { checkpoint, skipped: [] };
  }
  const skipped: string[] = [];
  for (const step of steps.toReversed()) {
    try {
      const checkpoint = await store.openCheckpoint(step);
      await verify(checkpoint);
      return { checkpoint, skipped };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      skipped.push(`checkpoint-${step} cannot be used: ${error.message}`);
    }
  }
  throw new UserError(
    [`resume_from_checkpoint: ${store.where} has no whole checkpoint; ${there}.`, ...skipped].join('\n'),
  );
}

/** Reads every tensor once before anything is changed, because reading checks it. */
async function verify(checkpoint: StoredCheckpoint): Promise<void> {
  for (const name of checkpoint.tensors.keys()) await checkpoint.read(name);
}
