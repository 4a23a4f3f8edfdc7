/** What the library exports in Node and in a page alike. */
export { type Dataset, type Row, rowsDataset, worldDataset } from './data/dataset.ts';
export { CpuDevice } from './device/cpu/cpu-device.ts';
export { type Device, DeviceLostError, OutOfMemoryError } from './device/device.ts';
export { WebgpuDevice } from './device/webgpu/webgpu-device.ts';
export { UserError } from './errors.ts';
export type { HubTarget, PushProgress, PushResult } from './export/hub.ts';
export type { OutFile, OutProgress } from './export/out-file.ts';
export type { RunFilesOptions } from './export/run-files.ts';
export type { LiveSettings } from './papo/trainer.ts';
export type { RewardArgs, RewardFunction, Rewards } from './rewards/rewards.ts';
export { rewardFunctions } from './rewards/rewards.ts';
export type { CheckpointInfo, LogRow, RunInfo, RunStore } from './store/run-store.ts';
export {
  type CallbackDetails,
  type CallbackEvent,
  type TrainerCallback,
  TrainerControl,
  TrainerState,
} from './trainer/callbacks.ts';
export type { DatasetLike, RewardFuncs } from './trainer/inputs.ts';
export { PAPOConfig } from './trainer/papo-config.ts';
export type { PAPOTrainerOptions, TrainOutput } from './trainer/papo-trainer.ts';
export type { SaveOptions } from './trainer/platform.ts';
