/** A run's checkpoints as choices. */
import type { RunSummary } from '../../worker/protocol.ts';
import { text } from '../text.ts';

const t = text.runs;

/** Checkpoints, the last first, each with what makes it special. */
export function checkpointOptions({ checkpoints, bestStep }: RunSummary): { value: string; label: string }[] {
  return checkpoints.toReversed().map((step, i) => {
    const marks = [i === 0 && t.last, step === bestStep && t.bestMark].filter(Boolean).join(', ');
    return { value: String(step), label: `${t.step(step)}${marks && ` (${marks})`}` };
  });
}
