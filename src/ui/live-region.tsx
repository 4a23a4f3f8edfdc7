import { percent } from './parts/format.ts';
import type { State } from './state.ts';

/** Says what goes on to those who cannot see it: changes of state, and every tenth of the way. */
export function LiveRegion({ state }: { state: State }) {
  return (
    <p className="visually-hidden" role="status" aria-live="polite">
      {announcement(state)}
    </p>
  );
}

function announcement({ loading, loaded, run, activity, progress, heldOut }: State): string {
  if (loading) return 'Loading the model.';
  if (!loaded) return '';
  const last = heldOut.at(-1);
  const accuracy = last ? ` Held-out accuracy ${percent(last.accuracy)} after ${last.step} steps.` : '';
  switch (run) {
    case 'none':
      return `${loaded.model} is loaded on ${loaded.device.label}. Ready to train.`;
    case 'paused':
      return `Paused after step ${progress?.step ?? 0}.${accuracy}`;
    case 'stopped':
      return `Stopped.${accuracy}`;
    case 'finished':
      return `Training is finished.${accuracy}`;
    case 'failed':
      return 'Training failed.';
    case 'running': {
      if (!progress) return activity?.kind === 'evaluating' ? 'Measuring held-out accuracy.' : 'Compiling.';
      const tenth = Math.floor((10 * progress.step) / progress.totalSteps);
      return tenth === 0 ? `Training.${accuracy}` : `${10 * tenth} percent of the steps done.${accuracy}`;
    }
  }
}
