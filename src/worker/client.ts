/** The page's side of the worker. */
import { proxy, type Remote, transfer, wrap } from 'comlink';
import { randomId } from '../store/random-id.ts';
import type { TrainingService } from './protocol.ts';

export interface Client {
  readonly service: Remote<TrainingService>;
  /** Ends the worker with whatever it is doing: comlink's release would leave it running. */
  terminate(): void;
}

/** Starts the worker. `onCrash` hears, once, of what no call can report: a worker that does not load, or breaks down. */
export function startWorker(onCrash: (message: string) => void): Client {
  const name = `papo-trainer ${randomId()}`;
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name });
  const over = new AbortController();
  const crash = (message: string) => {
    if (!over.signal.aborted) onCrash(message);
    over.abort();
  };
  worker.addEventListener('error', (event) => {
    crash(event.message || 'the worker script could not be loaded');
  });
  worker.addEventListener('messageerror', () => crash('a message between page and worker could not be read'));
  const service = wrap<TrainingService>(worker);
  watch(name, service, over.signal).then(
    () => crash('it ended without a word, as it does when memory runs out'),
    () => undefined,
  );
  return {
    service,
    terminate: () => {
      over.abort();
      worker.terminate();
    },
  };
}

const lockTries = 50;
const lockPauseMs = 100;

/** Resolves when the worker that holds the lock `name` is gone; rejects where that cannot be told. */
async function watch(name: string, service: Remote<TrainingService>, signal: AbortSignal): Promise<void> {
  const { locks } = navigator as Partial<Navigator>;
  if (!locks) throw new Error('no locks to wait for');
  // Once it answers it has asked for its lock; that it has it may be known a moment later.
  await service.catalogue();
  const isHeld = async () => (await locks.query()).held?.some((lock) => lock.name === name) ?? false;
  for (let tries = 0; !(await isHeld()); tries++) {
    if (tries === lockTries) throw new Error('the worker took no lock');
    await new Promise((resolve) => setTimeout(resolve, lockPauseMs));
  }
  await locks.request(name, { signal }, () => undefined);
}

/** Marks a function of the page as one that the worker may call. */
export const callback = <A extends unknown[], R>(f: (...args: A) => R) => proxy(f);
/** Hands a port over to the worker. */
export const handOver = (port: MessagePort) => transfer(port, [port]);
