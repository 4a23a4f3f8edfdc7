/** A policy as it is on its device, on its way out: its weights, or those of its base's files and its adapter. */
import type { Store } from '../device/device.ts';
import type { Policy } from '../policy/policy.ts';
import { baseTensors } from './base-tensors.ts';
import type { TensorSource } from './out-file.ts';
import type { RunContents } from './run-files.ts';

export function policyContents(policy: Policy): Omit<RunContents, 'info' | 'rows'> {
  const { config, folder, weights, adapter } = policy;
  const parts = { config: folder.config, sideFiles: folder.files };
  const { lora } = config;
  if (!lora || !adapter) return { ...parts, tensors: storeTensors(weights), ...halves(weights) };
  const { tensors } = folder;
  return {
    ...parts,
    // The files have the base as it was before it was held in half floats.
    ...(tensors
      ? { tensors: baseTensors({ tensors }) }
      : { tensors: storeTensors(weights), ...halves(weights) }),
    adapter: { lora, tensors: storeTensors(adapter) },
  };
}

const storeTensors = (store: Store): TensorSource => ({
  shapes: new Map(store.names.map((name) => [name, store.shape(name)])),
  read: (name) => store.read(name),
});

const halves = (store: Store) =>
  store.names.some((name) => store.dtype(name) === 'f16') ? ({ heldAs: 'float16' } as const) : {};
