/** Measures models on held-out questions: before and after training, on the image, behind a mask, and on black. */
import { transfer } from 'comlink';
import { type Dataset, worldDataset } from '../data/dataset.ts';
import { type Evaluation, evaluate } from '../data/evaluate.ts';
import { withFormatPrompt } from '../data/format-prompt.ts';
import { meanOf } from '../data/statistics.ts';
import type { TaskName } from '../data/tasks.ts';
import { UserError } from '../errors.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import { maskedView } from '../papo/masked-view.ts';
import { Purpose, RandomStream } from '../papo/random.ts';
import type { Policy } from '../policy/policy.ts';
import type { LogRow } from '../store/run-store.ts';
import { Breath } from './breath.ts';
import { check } from './catalogue.ts';
import type {
  EvaluationProgress,
  EvaluationRequest,
  EvaluationResult,
  EvaluationService,
  EvaluationView,
  RunMeasure,
} from './evaluation-protocol.ts';
import { answersCsv, type Cell, evaluationRows } from './evaluation-tables.ts';
import type { GroupView, RunRequest, Subject } from './protocol.ts';
import type { Subjects } from './subjects.ts';
import { scoreViews } from './view-scores.ts';
import { buffersOf, rowView } from './views.ts';

/** The built-in questions are the same for every run, whatever its seed. */
const heldOutSeed = 1000;

export interface EvaluationPlace {
  readonly subjects: Subjects;
  /** Rows of a dataset that a run of this seed does not train on. */
  heldOut(dataset: string, seed: number): Promise<Dataset>;
  /** The seed that a subject was trained with, where it is known. */
  seedOf(subject: Subject): Promise<number | undefined>;
  keptRun(id: string): Promise<{ lastStep: number | undefined; rows: LogRow[] }>;
}

class Cancelled extends Error {}

export class Evaluations {
  private going?: { readonly abort: AbortController; readonly over: Promise<unknown>; usesCurrent: boolean };

  constructor(private readonly place: EvaluationPlace) {}

  evaluate(
    request: EvaluationRequest,
    onProgress: (progress: EvaluationProgress) => void,
  ): Promise<EvaluationResult | null> {
    const usesCurrent = request.subjects.some(({ kind }) => kind === 'current');
    return this.alone(usesCurrent, async (signal) => {
      const started = performance.now();
      const { samples } = request;
      const config = configOf(request.run);
      const dataset = await this.questionsOf(request.run, config, request.subjects);
      const questions = Math.min(request.questions, dataset.size);
      const counter = new Counter(request.subjects.length * request.views.length * questions, onProgress);
      const cells: Cell[] = [];
      for (const [subject, who] of request.subjects.entries())
        await this.place.subjects.with(who, async (policy) => {
          for (const view of request.views) {
            const evaluation = await this.answer(policy, config, dataset, view, questions, samples, (done) =>
              counter.take(subject, view, done, questions, signal),
            );
            cells.push({ subject, view, evaluation });
          }
        });
      return {
        questions,
        samples,
        rows: evaluationRows(cells, request.subjects.length, samples),
        csv: new Blob(answersCsv(cells, samples), { type: 'text/csv' }),
        seconds: (performance.now() - started) / 1000,
      };
    });
  }

  cancel(): void {
    this.going?.abort.abort();
  }

  /** Stops what asks a model that goes: the one that trains here, or all. */
  async leave(which: 'current' | 'all'): Promise<void> {
    if (!this.going || (which === 'current' && !this.going.usesCurrent)) return;
    this.cancel();
    await this.going.over.catch(() => {});
  }

  async fixedQuestions(run: RunRequest, count: number): Promise<GroupView[]> {
    const dataset = await this.questionsOf(run, configOf(run), []);
    const rows = Array.from({ length: Math.min(count, dataset.size) }, (_, i) => dataset.row(i));
    const views = (await Promise.all(rows)).map(rowView);
    return transfer(views, buffersOf(views));
  }

  async answerFixed(run: RunRequest, count: number, subject: Subject) {
    const config = configOf(run);
    const dataset = await this.questionsOf(run, config, []);
    const { completions, correct } = await this.place.subjects.with(subject, (policy) =>
      evaluate(policy, {
        dataset,
        examples: count,
        seed: heldOutSeed,
        maxTokens: config.max_completion_length,
        greedy: true,
      }),
    );
    return completions.texts.map((text, i) => ({ text, correct: correct[i] }));
  }

  measureRun: EvaluationService['measureRun'] = ({ id, run, questions: wanted, samples }, onProgress) =>
    this.alone(false, async (signal): Promise<RunMeasure> => {
      const config = configOf(run);
      const { lastStep, rows } = await this.place.keptRun(id);
      if (lastStep === undefined)
        throw new UserError('This run has no checkpoint, so there is nothing to measure; run it again.');
      const subject: Subject = { kind: 'run', run: id, step: lastStep };
      const dataset = await this.questionsOf(run, config, [subject]);
      const questions = Math.min(wanted, dataset.size);
      // Three views are answered, and two scored.
      const counter = new Counter(4 * questions, onProgress);
      return this.place.subjects.with(subject, async (policy) => {
        const views: Partial<Record<EvaluationView, Evaluation>> = {};
        for (const view of ['image', 'masked', 'blank'] as const)
          views[view] = await this.answer(policy, config, dataset, view, questions, samples, (done) =>
            counter.take(0, view, done, questions, signal),
          );
        const { image, masked, blank } = views as Record<EvaluationView, Evaluation>;
        const scores = await scoreViews(
          policy,
          image,
          samples,
          config,
          (pixels, i) => maskedPixels(policy, config, pixels, i),
          (done) => counter.take(0, 'masked', done, questions, signal),
        );
        const share = (cause: string) =>
          image.errors &&
          byQuestion(
            image.errors.map((error) => Number(error === cause)),
            samples,
          );
        const values: RunMeasure['values'] = {
          accuracy: accuracies(image, samples),
          masked_accuracy: accuracies(masked, samples),
          blank_accuracy: accuracies(blank, samples),
          format_errors: share('format'),
          perception_errors: share('perception'),
          perception_kl: byQuestion(scores.kl, samples),
          entropy: byQuestion(scores.entropy, samples),
          seconds: secondsAStep(rows),
        };
        return { values, samples };
      });
    });

  /** Held-out questions, as the settings have them put to the model. */
  private async questionsOf(
    run: RunRequest,
    config: ResolvedConfig,
    subjects: readonly Subject[],
  ): Promise<Dataset> {
    return withFormatPrompt(await this.heldOutOf(run, config, subjects), config.format_prompt);
  }

  private async heldOutOf(
    { task, dataset }: RunRequest,
    config: ResolvedConfig,
    subjects: readonly Subject[],
  ): Promise<Dataset> {
    if (!dataset) return worldDataset(task as TaskName, 'test', heldOutSeed);
    const seeds = await Promise.all(subjects.map((subject) => this.place.seedOf(subject)));
    const known = [...new Set(seeds.filter((seed) => seed !== undefined))];
    if (known.length > 1)
      throw new UserError(
        'The two runs were trained with different seeds, and so hold out different rows of the dataset: no question is new to both. Compare each with the model as loaded.',
      );
    return this.place.heldOut(dataset, known[0] ?? config.seed);
  }

  private answer(
    policy: Policy,
    config: ResolvedConfig,
    dataset: Dataset,
    view: EvaluationView,
    examples: number,
    samples: number,
    onProgress: (done: number) => Promise<void>,
  ): Promise<Evaluation> {
    return evaluate(policy, {
      dataset,
      examples,
      samples,
      seed: heldOutSeed,
      maxTokens: config.max_completion_length,
      temperature: config.temperature,
      ...(view === 'masked' && { view: (image, i) => maskedPixels(policy, config, image, i) }),
      ...(view === 'blank' && { view: (image) => ({ ...image, data: new Uint8Array(image.data.length) }) }),
      onProgress,
    });
  }

  /** One at a time: another one waits. */
  private async alone<T>(usesCurrent: boolean, work: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    while (this.going) await this.going.over.catch(() => {});
    const abort = new AbortController();
    const over = work(abort.signal);
    this.going = { abort, over, usesCurrent };
    try {
      return await over;
    } catch (error) {
      if (error instanceof Cancelled) return null;
      throw error;
    } finally {
      this.going = undefined;
    }
  }
}

/** The masked view as training makes it; a question's mask is always the same. */
async function maskedPixels(
  policy: Policy,
  config: ResolvedConfig,
  image: Parameters<typeof maskedView>[1],
  index: number,
): Promise<Float32Array> {
  const random = new RandomStream(heldOutSeed, Purpose.mask, 0, index);
  const saliency =
    config.mask_type === 'semantic' ? await policy.saliency([policy.pixels(image)]) : undefined;
  return maskedView(policy, image, config, saliency, () => random.next()).pixelValues;
}

function configOf(run: RunRequest): ResolvedConfig {
  const { config, validation } = check(run);
  if (!config)
    throw new UserError(
      validation.problems.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join(' '),
    );
  return config;
}

/** Means over the k samples of each question. */
export const byQuestion = (values: readonly number[], samples: number): number[] =>
  Array.from({ length: values.length / samples }, (_, i) =>
    meanOf(values.slice(i * samples, (i + 1) * samples)),
  );

/** Of each question that has an answer, the share of its samples that are right. */
const accuracies = ({ correct }: Evaluation, samples: number) =>
  byQuestion(
    correct.map((right) => (right === null ? Number.NaN : Number(right))),
    samples,
  ).filter((share) => !Number.isNaN(share));

/** The first update compiles, and is left out where there are others. */
function secondsAStep(rows: readonly LogRow[]): number[] | undefined {
  const times = rows.filter(({ kind }) => kind === 'step').map(({ metrics }) => metrics.step_time);
  const counted = times.length > 1 ? times.slice(1) : times;
  return counted.length > 0 ? [meanOf(counted)] : undefined;
}

/** Counts questions answered, lets messages in, and stops where that was asked for. */
class Counter {
  private before = 0;
  private last = 0;
  private first?: { readonly done: number; readonly at: number };
  private readonly breath = new Breath(() => {});

  constructor(
    private readonly total: number,
    private readonly tell: (progress: EvaluationProgress) => void,
  ) {}

  async take(
    subject: number,
    view: EvaluationView,
    done: number,
    questions: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (done <= this.last) this.before += questions;
    this.last = done;
    const all = this.before + done;
    const now = performance.now();
    // The first answers compile their pass.
    this.first ??= { done: all, at: now };
    const each = all > this.first.done ? (now - this.first.at) / 1000 / (all - this.first.done) : null;
    const secondsLeft = each === null ? null : each * (this.total - all);
    this.tell({ subject, view, done: all, total: this.total, secondsLeft });
    await this.breath.take();
    if (signal.aborted || all === this.total) this.breath.end();
    if (signal.aborted) throw new Cancelled();
  }
}
