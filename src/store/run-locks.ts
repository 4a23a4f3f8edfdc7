/** One writer a run, across the tabs and workers of an origin: Web Locks, which a closed or crashed tab gives back. */

/** Where there are no Web Locks (a page without https), at least this thread does not open a run twice. */
const heldHere = new Set<string>();

function webLocks(): LockManager | undefined {
  return (globalThis.navigator as Partial<Navigator> | undefined)?.locks;
}

/** Takes the lock and returns what gives it back, or null when somebody has it. */
export async function takeLock(name: string): Promise<(() => Promise<void>) | null> {
  const locks = webLocks();
  if (!locks) {
    if (heldHere.has(name)) return null;
    heldHere.add(name);
    return async () => {
      heldHere.delete(name);
    };
  }
  return new Promise((resolve, reject) => {
    const released = locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) {
        resolve(null);
        return;
      }
      return new Promise<void>((release) => {
        resolve(async () => {
          release();
          await released;
        });
      });
    });
    released.catch(reject);
  });
}

/** Names of all locks held now, by this tab or another. */
export async function heldLocks(): Promise<Set<string>> {
  const state = await webLocks()?.query();
  return new Set([...heldHere, ...(state?.held ?? []).map((lock) => lock.name!)]);
}
