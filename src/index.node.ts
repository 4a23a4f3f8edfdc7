/** papo-web as a library in Node: models, runs and results are folders on disk. */
import { PAPOTrainer as AnyPAPOTrainer } from './trainer/papo-trainer.ts';
import { nodePlatform } from './trainer/platform-node.ts';

export * from './library.ts';

/** In Node: models, runs and results are folders on disk. */
export class PAPOTrainer extends AnyPAPOTrainer {
  protected readonly platform = nodePlatform;
}
