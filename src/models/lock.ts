/** One worker at a time on a model, across the tabs of an origin. */

/** Where there are no Web Locks (older Node, a page without https), at least this thread does one thing at a time. */
const queues = new Map<string, Promise<unknown>>();

async function inThread<T>(
  name: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const before = queues.get(name) ?? Promise.resolve();
  const result = before
    .catch(() => {})
    .then(() => {
      signal?.throwIfAborted();
      return work();
    });
  queues.set(name, result);
  try {
    return await result;
  } finally {
    if (queues.get(name) === result) queues.delete(name);
  }
}

/**
 * Does `work` while nobody else holds the lock `name`, waiting for it until `signal`; with 'now' it does not wait, and
 * resolves with null where somebody holds it.
 */
export async function withLock<T>(
  name: string,
  waiting: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T>;
export async function withLock<T>(name: string, waiting: 'now', work: () => Promise<T>): Promise<T | null>;
export async function withLock<T>(
  name: string,
  waiting: AbortSignal | undefined | 'now',
  work: () => Promise<T>,
): Promise<T | null> {
  const locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
  if (!locks) {
    if (waiting === 'now' && queues.has(name)) return null;
    return inThread(name, waiting === 'now' ? undefined : waiting, work);
  }
  if (waiting === 'now')
    return locks.request(name, { ifAvailable: true }, (lock) => (lock ? work() : Promise.resolve(null)));
  return locks.request(name, { ...(waiting && { signal: waiting }) }, () => work());
}
