/** PAPOTrainer in a page or worker: models by address, runs in IndexedDB, results into folders that the user picked. */
import { PAPOTrainer as AnyPAPOTrainer } from './papo-trainer.ts';
import type { Platform } from './platform.ts';
import { pagePlatform } from './platform-page.ts';

/** In a page or worker: models by address, runs in IndexedDB, results into folders that the user picked. */
export class PAPOTrainer extends AnyPAPOTrainer {
  protected readonly platform: Platform = pagePlatform;
}
