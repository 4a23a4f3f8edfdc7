/** What the panel Evaluate holds: what to measure, what was measured, and the fixed questions with their answers. */

import { callback } from '../../worker/client.ts';
import type {
  EvaluationProgress,
  EvaluationRequest,
  EvaluationResult,
  EvaluationView,
  FixedAnswer,
} from '../../worker/evaluation-protocol.ts';
import type { GroupView, RunRequest } from '../../worker/protocol.ts';
import { type Core, messageOf } from '../core.ts';
import { baseOption, chosenOption, type SubjectOption, trainedOptions } from '../look/subjects.ts';
import { type WithWorker, whileWorkerLives } from '../parts/worker-lives.ts';
import { requestOf, type State } from '../state.ts';
import { Store } from '../store.ts';
import { text } from '../text.ts';

export const questionCounts = [16, 64, 128, 256, 512];
export const sampleCounts = [1, 2, 4, 8];
const fixedCount = 8;

export interface ShownEvaluation {
  readonly result: EvaluationResult;
  /** The subjects' names. */
  readonly subjects: readonly string[];
  readonly views: readonly EvaluationView[];
  readonly data: string;
  readonly mask: string;
}

export interface FixedState {
  /** What the questions and the answers before training belong to. */
  readonly key: string;
  readonly questions: readonly GroupView[];
  readonly before: readonly FixedAnswer[];
  readonly now?: { readonly answers: readonly FixedAnswer[]; readonly step: number };
}

export interface EvaluateState {
  readonly questions: number;
  readonly samples: number;
  readonly views: readonly EvaluationView[];
  /** Values of subject options; undefined: the first there is. `none` for after: only before is measured. */
  readonly before?: string;
  readonly after?: string;
  readonly going?: EvaluationProgress & { readonly cancelling?: boolean };
  readonly subjectsGoing: readonly string[];
  readonly shown?: ShownEvaluation;
  readonly error?: string;
  readonly fixed?: FixedState;
  readonly answering: boolean;
  readonly fixedError?: string;
}

export class EvaluateController {
  readonly store = new Store<EvaluateState>({
    questions: 256,
    samples: 1,
    views: ['image', 'masked', 'blank'],
    subjectsGoing: [],
    answering: false,
  });

  constructor(private readonly core: Core & WithWorker) {}

  choose(change: Partial<Pick<EvaluateState, 'questions' | 'samples' | 'views' | 'before' | 'after'>>): void {
    this.store.set(change);
  }

  async start(): Promise<void> {
    const { state } = this.core;
    const { questions, samples, views } = this.store.snapshot();
    const chosen = subjectsOf(state, this.store.snapshot());
    const subjects = chosen.map(({ label }) => label);
    const run = requestOf(state.form);
    const request: EvaluationRequest = {
      run,
      subjects: chosen.map(({ subject }) => subject),
      views,
      questions,
      samples,
    };
    const first = { subject: 0, view: views[0], done: 0, total: 1, secondsLeft: null };
    this.store.set({ going: first, subjectsGoing: subjects, error: undefined });
    try {
      const tell = callback((going: EvaluationProgress) => {
        const { going: before } = this.store.snapshot();
        if (before) this.store.set({ going: { ...going, cancelling: before.cancelling } });
      });
      const result = await whileWorkerLives(this.core, (service) => service.evaluate(request, tell));
      if (result)
        this.store.set({
          shown: { result, subjects, views, data: nameOfData(state), mask: maskOf(state) },
        });
    } catch (error) {
      this.store.set({ error: messageOf(error) });
    } finally {
      this.store.set({ going: undefined });
    }
  }

  async cancel(): Promise<void> {
    const { going } = this.store.snapshot();
    if (going) this.store.set({ going: { ...going, cancelling: true } });
    await this.core.guarded(async () => this.core.service.cancelEvaluation());
  }

  /** Asks the fixed questions again where the model at hand has changed since; `always`: in any case. */
  async answerFixed(always = false): Promise<void> {
    const { state } = this.core;
    const { fixed: known, answering } = this.store.snapshot();
    if (answering || !state.loaded) return;
    const run = requestOf(state.form);
    const key = keyOf(run, state);
    const step = stepAtHand(state);
    const isKnown = known?.key === key;
    const isNew = step !== undefined && (always || !isKnown || known?.now?.step !== step);
    if (isKnown && !isNew) {
      if (step === undefined && known.now) this.store.set({ fixed: { ...known, now: undefined } });
      return;
    }
    this.store.set({ answering: true, fixedError: undefined });
    try {
      await whileWorkerLives(this.core, async (service) => {
        const fixed: FixedState = isKnown
          ? known
          : {
              key,
              questions: await service.fixedQuestions(run, fixedCount),
              before: await service.answerFixed(run, fixedCount, { kind: 'base' }),
            };
        // The answers before training come at once where there are none yet.
        if (!isKnown) this.store.set({ fixed });
        if (step === undefined) return this.store.set({ fixed: { ...fixed, now: undefined } });
        const answers = await service.answerFixed(run, fixedCount, { kind: 'current' });
        this.store.set({ fixed: { ...fixed, now: { answers, step } } });
      });
    } catch (error) {
      this.store.set({ fixedError: messageOf(error) });
    } finally {
      this.store.set({ answering: false });
    }
  }
}

/** Before: the model as loaded, or any other; after: one more, or nobody. */
export function optionsOf(state: State): { before: SubjectOption[]; after: SubjectOption[] } {
  const trained = trainedOptions(state);
  return { before: [baseOption, ...trained], after: [...trained, baseOption] };
}

export function subjectsOf(
  state: State,
  { before, after }: Pick<EvaluateState, 'before' | 'after'>,
): SubjectOption[] {
  const options = optionsOf(state);
  const first = chosenOption(options.before, before);
  const second = after === 'none' ? undefined : chosenOption(options.after, after);
  return [first, ...(second && second.value !== first?.value ? [second] : [])].flatMap((one) => one ?? []);
}

/** Whether a run at hand has taken steps, and which is the last. */
export const stepAtHand = ({ run, progress }: State): number | undefined =>
  run !== 'none' && progress && progress.step > 0 ? progress.step : undefined;

export const nameOfData = ({ form, datasets }: State): string =>
  form.dataset === undefined
    ? form.task
    : (datasets.find(({ id }) => id === form.dataset)?.name ?? text.evaluate.yourData);

export const maskOf = ({ validation }: State): string =>
  validation ? `${validation.values.mask_type}, ${validation.values.mask_ratio}` : '';

const keyOf = ({ task, dataset, settings }: RunRequest, { loaded }: State): string =>
  JSON.stringify([task, dataset, settings.max_completion_length, settings.seed, loaded]);
