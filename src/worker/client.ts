/** The page's side of the worker. */
import { proxy, type Remote, wrap } from 'comlink';
import type { TrainingService } from './protocol.ts';

export interface Client {
  readonly service: Remote<TrainingService>;
  /** Ends the worker with whatever it is doing: comlink's release would leave it running. */
  terminate(): void;
}

/** Starts the worker. `onCrash` hears of what no call can report: a worker that does not load, or breaks down. */
export function startWorker(onCrash: (message: string) => void): Client {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    type: 'module',
    name: 'papo-trainer',
  });
  worker.addEventListener('error', (event) => {
    onCrash(event.message || 'the worker script could not be loaded');
  });
  worker.addEventListener('messageerror', () =>
    onCrash('a message between page and worker could not be read'),
  );
  return { service: wrap<TrainingService>(worker), terminate: () => worker.terminate() };
}

/** Marks a function of the page as one that the worker may call. */
export const callback = <A extends unknown[]>(f: (...args: A) => void) => proxy(f);
