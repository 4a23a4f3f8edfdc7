/** papo-web as a library in a page or worker: models by address, runs in IndexedDB, results into picked folders. */
export * from './library.ts';
export { PAPOTrainer } from './trainer/page-trainer.ts';
