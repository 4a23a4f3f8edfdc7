/** A folder in memory as the worker holds its loaded model: one policy for all who ask. */
import type { Device } from '../src/device/device.ts';
import { Policy } from '../src/policy/policy.ts';
import type { ModelFolder } from '../src/store/hf-folder.ts';
import type { LoadedModel } from '../src/worker/model.ts';

export function baseModel(folder: ModelFolder): Pick<LoadedModel, 'base'> {
  let policy: Promise<Policy> | undefined;
  return {
    base: (device: Device) => {
      policy ??= Promise.resolve(Policy.create(device, folder));
      return policy;
    },
  };
}

/** Of a place without runs. */
export const noRuns = {
  openCheckpoint: () => Promise.reject(new Error('none')),
  checkBase: () => Promise.reject(new Error('none')),
};
