/** What differs between a page and Node: where models, runs and files are. */
import type { Device } from '../device/device.ts';
import type { HoldFile } from '../export/hub-blob.ts';
import type { OutFile, OutProgress } from '../export/out-file.ts';
import type { OpenModel } from '../store/open-folder.ts';
import type { RunStore } from '../store/run-store.ts';

export interface SaveOptions {
  readonly onProgress?: (progress: OutProgress) => void;
  readonly signal?: AbortSignal;
}

export interface Platform {
  /** A Hugging Face folder: a path in Node, an address of the same origin in a page. */
  openModel(where: string): Promise<OpenModel>;
  /** `auto`, `webgpu` or `cpu`. */
  openDevice(choice: string): Promise<Device>;
  /** The run that output_dir names, made where there is none. */
  openRun(output_dir: string): Promise<RunStore>;
  /** Writes a folder: to a path in Node, to a directory handle in a page. */
  saveFiles(files: readonly OutFile[], where: unknown, options?: SaveOptions): Promise<void>;
  /** Where a push keeps a file's bytes between reading and sending; default: see pushToHub. */
  readonly holdFile?: HoldFile;
  /** An SVG as PNG bytes; without it a model card has no picture. */
  drawPng?(svg: string): Promise<Uint8Array<ArrayBuffer>>;
}
