/** One plan, in a worker that ends with it. */
import { UserError } from '../errors.ts';
import { type PlanJob, planJob } from './planning.ts';

self.addEventListener('message', ({ data }: MessageEvent<PlanJob>) => {
  try {
    self.postMessage({ value: planJob(data) });
  } catch (error) {
    self.postMessage({
      error: error instanceof Error ? error.message : String(error),
      isTheirs: error instanceof UserError,
    });
  }
});
