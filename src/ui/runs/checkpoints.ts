/** A run's checkpoints as choices. */
import type { RunSummary } from '../../worker/protocol.ts';

/** Checkpoints, the last first, each with what makes it special. */
export function checkpointOptions({ checkpoints, bestStep }: RunSummary): { value: string; label: string }[] {
  return checkpoints.toReversed().map((step, i) => {
    const marks = [i === 0 && 'last', step === bestStep && 'best'].filter(Boolean).join(', ');
    return { value: String(step), label: `step ${step}${marks && ` (${marks})`}` };
  });
}
