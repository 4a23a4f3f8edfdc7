/** What page and worker say to each other about measuring: held-out accuracy, and what differs between two settings. */
import type { GroupView, RunRequest, Subject } from './protocol.ts';

/** What the model sees of a question: its image, the image behind a mask, or black. */
export const EVALUATION_VIEWS = ['image', 'masked', 'blank'] as const;
export type EvaluationView = (typeof EVALUATION_VIEWS)[number];

export interface EvaluationRequest {
  /** Task or dataset, and the settings that answers depend on: mask, temperature, length. */
  readonly run: RunRequest;
  /** One, or before and after. */
  readonly subjects: readonly Subject[];
  readonly views: readonly EvaluationView[];
  readonly questions: number;
  /** k of average@k. */
  readonly samples: number;
}

/** A number with its 95 % interval, over `n` questions or seeds; bounds NaN where nothing tells the scatter. */
export interface IntervalView {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

export interface DifferenceView extends IntervalView {
  /** Two-sided, of no difference. */
  readonly p: number;
}

export interface EvaluationRow {
  /** `error`: shares of answers by the first thing that is wrong. */
  readonly by: 'all' | 'kind' | 'vision_dependency' | 'error';
  /** Empty for all. */
  readonly name: string;
  readonly view: EvaluationView;
  /** One a subject. */
  readonly values: readonly IntervalView[];
  /** The second subject minus the first, question by question. */
  readonly difference: DifferenceView | null;
}

export interface EvaluationResult {
  /** Questions there were: a dataset may have fewer than asked for. */
  readonly questions: number;
  readonly samples: number;
  readonly rows: readonly EvaluationRow[];
  /** One line an answer. */
  readonly csv: Blob;
  readonly seconds: number;
}

export interface EvaluationProgress {
  readonly subject: number;
  readonly view: EvaluationView;
  readonly done: number;
  readonly total: number;
  readonly secondsLeft: number | null;
}

/** The answer to one of the fixed questions, greedily. */
export interface FixedAnswer {
  readonly text: string;
  /** null where the question has no answer. */
  readonly correct: boolean | null;
}

/** What two runs are compared by. `seconds` is one number a run; the others are one a question. */
export const QUANTITIES = [
  'accuracy',
  'masked_accuracy',
  'blank_accuracy',
  'format_errors',
  'perception_errors',
  'perception_kl',
  'entropy',
  'seconds',
] as const;
export type Quantity = (typeof QUANTITIES)[number];

/** A run's final policy measured; kept by the page, so that a comparison can go on after a reload. */
export interface RunMeasure {
  /** Question by question; absent where nobody can tell. */
  readonly values: Readonly<Partial<Record<Quantity, readonly number[]>>>;
  readonly samples: number;
}

/** Two runs of the same seed. */
export interface MeasuredPair {
  readonly seed: number;
  readonly first: RunMeasure;
  readonly second: RunMeasure;
}

export interface ComparedQuantity {
  readonly quantity: Quantity;
  readonly first: IntervalView;
  readonly second: IntervalView;
  /** The second minus the first. */
  readonly difference: DifferenceView;
  /** Of the quantities beside the main one, by Holm's method; the main one's own p. */
  readonly adjusted: number;
}

export interface ComparisonResult {
  /** What was repeated: questions where there is one seed, seeds where there are several. */
  readonly over: 'questions' | 'seeds';
  readonly seeds: number;
  readonly questions: number;
  /** The main one, chosen beforehand, first. */
  readonly quantities: readonly ComparedQuantity[];
}

export interface EvaluationService {
  /** Resolves to null where it was cancelled. */
  evaluate(
    request: EvaluationRequest,
    onProgress: (progress: EvaluationProgress) => void,
  ): Promise<EvaluationResult | null>;
  cancelEvaluation(): Promise<void>;
  /** Held-out questions that stay the same. */
  fixedQuestions(run: RunRequest, count: number): Promise<GroupView[]>;
  answerFixed(run: RunRequest, count: number, subject: Subject): Promise<FixedAnswer[]>;
  /** Measures a kept run's last checkpoint; null where it was cancelled. `run` names the run's own settings. */
  measureRun(
    request: {
      readonly id: string;
      readonly run: RunRequest;
      readonly questions: number;
      readonly samples: number;
    },
    onProgress: (progress: EvaluationProgress) => void,
  ): Promise<RunMeasure | null>;
  compareRuns(pairs: readonly MeasuredPair[]): Promise<ComparisonResult>;
}
