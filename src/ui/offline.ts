/** Keeps the page for visits without a network; see build/offline.ts. */
export function keepOffline(): void {
  // A development server has no service worker, and some browsers deny it (private windows).
  if (import.meta.env.MODE !== 'production' || !('serviceWorker' in navigator)) return;
  const register = () => void navigator.serviceWorker.register('sw.js').catch(() => undefined);
  // Not in the way of the first run: it fetches the whole page once more.
  setTimeout(register, 5000);
}
