/** Models, runs and files on disk. */
import { stat } from 'node:fs/promises';
import { openDevice } from '../cli/device.ts';
import { svgToPng } from '../export/curve-node.ts';
import { holdOnDisk } from '../export/hub-blob-node.ts';
import { toNodeFolder } from '../export/to-node-folder.ts';
import { modelFiles } from '../import/model-files.ts';
import { openPath } from '../import/node-source.ts';
import { openFolderRun } from '../store/folder-runs.ts';
import { nodeFiles } from '../store/node-files.ts';
import { openModelFolder } from '../store/open-folder.ts';
import type { Platform } from './platform.ts';

export const nodePlatform: Platform = {
  async openModel(where) {
    const found = await stat(where).catch(() => null);
    // A zip is looked into; what is not there at all nodeFiles says best.
    return openModelFolder(found?.isFile() ? modelFiles((await openPath(where)).blobs) : nodeFiles(where));
  },
  openDevice,
  openRun: (output_dir) => openFolderRun(output_dir),
  saveFiles: (files, where, options) => toNodeFolder(files, String(where), options),
  drawPng: svgToPng,
  holdFile: holdOnDisk,
};
