/** A call that takes long: where the worker breaks down its answer would never come. */
import type { Client } from '../../worker/client.ts';
import { text } from '../text.ts';

export interface WithWorker {
  readonly service: Client['service'];
  readonly subscribe: (listener: () => void) => () => void;
}

/** Rejects when another worker takes the place of the one that was asked. */
export function whileWorkerLives<T>(
  session: WithWorker,
  work: (service: Client['service']) => Promise<T>,
): Promise<T> {
  const { service } = session;
  return new Promise<T>((resolve, reject) => {
    const leave = session.subscribe(() => {
      if (session.service === service) return;
      leave();
      reject(new Error(text.parts.workerGone));
    });
    void work(service).then(resolve, reject).finally(leave);
  });
}
