/** How much the browser lets an origin keep, and whether it may throw it away. */

function storageManager(): Partial<StorageManager> | undefined {
  return (globalThis.navigator as Partial<Navigator> | undefined)?.storage;
}

/** Bytes used by the origin, and bytes still free; null where the browser does not say (a page without https). */
export async function storageSpace(): Promise<{ used: number; free: number } | null> {
  const estimate = await storageManager()
    ?.estimate?.()
    .catch(() => undefined);
  if (estimate?.usage === undefined || estimate.quota === undefined) return null;
  return { used: estimate.usage, free: Math.max(0, estimate.quota - estimate.usage) };
}

/**
 * Asks that the browser never clear this origin's storage on its own; Firefox asks the visitor. Only a page can ask: in
 * a worker this says what is so already.
 */
export async function askPersistence(): Promise<'granted' | 'denied' | 'unknown'> {
  const storage = storageManager();
  try {
    if (await storage?.persisted?.()) return 'granted';
    if (!storage?.persist) return 'unknown';
    return (await storage.persist()) ? 'granted' : 'denied';
  } catch {
    return 'unknown';
  }
}
