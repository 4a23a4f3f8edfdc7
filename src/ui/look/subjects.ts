/** Whose answers can be asked for, as a list to choose from. */
import type { RunSummary, Subject } from '../../worker/protocol.ts';
import type { State } from '../state.ts';
import { text } from '../text.ts';

export interface SubjectOption {
  readonly value: string;
  readonly label: string;
  readonly subject: Subject;
}

export const baseOption: SubjectOption = {
  value: 'base',
  label: text.look.subjects.base,
  subject: { kind: 'base' },
};

/** Trained models of the kind that is loaded: the one that trains here first, then checkpoints, newest run first. */
export function trainedOptions(state: State): SubjectOption[] {
  const { run, progress, runs, loaded } = state;
  const options: SubjectOption[] = [];
  if (run !== 'none')
    options.push({
      value: 'current',
      label: text.look.subjects.current(progress?.step),
      subject: { kind: 'current' },
    });
  const isFitting = ({ model }: RunSummary) => model === loaded?.model;
  for (const { id, name, checkpoints } of runs.filter(isFitting))
    for (const step of checkpoints.toReversed())
      options.push({
        value: `${id} ${step}`,
        label: text.look.subjects.kept(name, step),
        subject: { kind: 'run', run: id, step },
      });
  return options;
}

/** The one chosen, or the first where that is gone. */
export const chosenOption = <T extends SubjectOption>(
  options: readonly T[],
  value: string | undefined,
): T | undefined => options.find((option) => option.value === value) ?? options[0];
