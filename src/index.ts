// biome-ignore-all assist/source/organizeImports: PAPOTrainer comes first, and docs/api.md keeps this order.
/** papo-web as a library in a page or worker: models by address, runs in IndexedDB, results into picked folders. */
export { PAPOTrainer } from './trainer/page-trainer.ts';

export * from './library.ts';
