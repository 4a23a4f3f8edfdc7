/** Models, runs and files on disk. */
import { openDevice } from '../cli/device.ts';
import { svgToPng } from '../export/curve-node.ts';
import { holdOnDisk } from '../export/hub-blob-node.ts';
import { toNodeFolder } from '../export/to-node-folder.ts';
import { openNamedModel } from '../models/open-model-node.ts';
import { openFolderRun } from '../store/folder-runs.ts';
import type { Platform } from './platform.ts';

export const nodePlatform: Platform = {
  openModel: (where) => openNamedModel(where),
  openDevice,
  openRun: (output_dir) => openFolderRun(output_dir),
  saveFiles: (files, where, options) => toNodeFolder(files, String(where), options),
  drawPng: svgToPng,
  holdFile: holdOnDisk,
};
