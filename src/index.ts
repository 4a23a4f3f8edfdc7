/** papo-web as a library in a page or worker: models by address, runs in IndexedDB, results into picked folders. */
import { PAPOTrainer as AnyPAPOTrainer } from './trainer/papo-trainer.ts';
import type { Platform } from './trainer/platform.ts';
import { pagePlatform } from './trainer/platform-page.ts';

export * from './library.ts';

/** In a page or worker: models by address, runs in IndexedDB, results into folders that the user picked. */
export class PAPOTrainer extends AnyPAPOTrainer {
  protected readonly platform: Platform = pagePlatform;
}
