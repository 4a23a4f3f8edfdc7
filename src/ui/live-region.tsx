import { percent } from './parts/format.ts';
import type { State } from './state.ts';
import { text } from './text.ts';

/** Says what goes on to those who cannot see it: changes of state, and every tenth of the way. */
export function LiveRegion({ state }: { state: State }) {
  return (
    <p className="visually-hidden" role="status" aria-live="polite" data-testid="said">
      {announcement(state)}
    </p>
  );
}

const t = text.messages.live;

function announcement({ loading, loaded, run, activity, progress, heldOut }: State): string {
  if (loading) return t.loading;
  if (!loaded) return '';
  const last = heldOut.at(-1);
  const withAccuracy = (what: string) =>
    last ? `${what} ${t.accuracy(percent(last.accuracy), last.step)}` : what;
  switch (run) {
    case 'none':
      return t.ready(loaded.model, loaded.device.label);
    case 'paused':
      return withAccuracy(t.paused(progress?.step ?? 0));
    case 'stopped':
      return withAccuracy(t.stopped);
    case 'finished':
      return withAccuracy(t.finished);
    case 'failed':
      return t.failed;
    case 'running': {
      if (!progress) return activity?.kind === 'evaluating' ? t.evaluating : t.compiling;
      const tenth = Math.floor((10 * progress.step) / progress.totalSteps);
      return withAccuracy(tenth === 0 ? t.training : t.tenths(10 * tenth));
    }
  }
}
