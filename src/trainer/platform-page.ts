/** Models of the page's own origin, runs in IndexedDB, files into folders that the user picks. */

import { UserError } from '../errors.ts';
import { toDirectoryHandle } from '../export/to-directory-handle.ts';
import { sameOriginUrl } from '../import/same-origin.ts';
import { urlFiles } from '../store/hf-folder.ts';
import { openRuns } from '../store/idb-runs.ts';
import { openModelFolder } from '../store/open-folder.ts';
import { openDevice } from '../worker/open-device.ts';
import type { DeviceChoice } from '../worker/protocol.ts';
import type { Platform } from './platform.ts';

/** The runs of this browser: one for all, because what one of these opens is "elsewhere" to another. */
export const browserRuns = openRuns();

export const pagePlatform: Platform = {
  openModel: (where) => openModelFolder(urlFiles(sameOriginUrl(where, globalThis.location.href))),
  openDevice: async (choice) => (await openDevice(choice as DeviceChoice)).device,
  async openRun(output_dir) {
    const known = (await browserRuns.list()).find(({ info }) => info.name === output_dir);
    if (known) return browserRuns.open(known.id);
    return browserRuns.create({
      name: output_dir,
      createdAt: Date.now(),
      settings: {},
      origin: {},
      state: 'running',
      step: 0,
      bestStep: null,
      bestMetric: null,
    });
  },
  async saveFiles(files, where, options) {
    if (typeof where !== 'object' || where === null || !('getDirectoryHandle' in where))
      throw new UserError('save_model: expected a folder that the user picked (showDirectoryPicker).');
    await toDirectoryHandle([...files], where as FileSystemDirectoryHandle, options);
  },
};
