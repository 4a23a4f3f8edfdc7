// Held-out accuracy of sampled completions, with the errors told apart where the picture's content is known.

import { Purpose, uniform } from '../papo/random.ts';
import type { PolicyPrompt } from '../policy/layout.ts';
import type { Completions, Policy } from '../policy/policy.ts';
import { answersRight } from '../rewards/answer-rewards.ts';
import { boxedAnswer } from './completion.ts';
import type { Dataset, Row } from './dataset.ts';
import type { Diagnosis } from './diagnose.ts';
import type { RasterImage } from './raster.ts';

export interface EvaluationOptions {
  readonly dataset: Dataset;
  /** The first so many rows; all where there are fewer. */
  readonly examples: number;
  readonly seed: number;
  readonly maxTokens: number;
  /** Completions an example; accuracy is average@k. */
  readonly samples?: number;
  readonly temperature?: number;
  readonly greedy?: boolean;
  /** What the policy sees instead of the image (masked, blank): an image, or normalised pixels. */
  readonly view?: (image: RasterImage, index: number) => Seen | Promise<Seen>;
  /** Completions of one program run, at most; default evaluationPromptsPerRun. */
  readonly completionsPerRun?: number;
  /** Examples answered so far; may wait, so that messages come through. */
  readonly onProgress?: (done: number, total: number) => Promise<void> | void;
}

type Seen = RasterImage | Float32Array;

export interface Evaluation {
  readonly rows: readonly Row[];
  readonly completions: Completions;
  /** Of each completion; null where its row has no answer. */
  readonly correct: readonly (boolean | null)[];
  /** The first failing of each completion, null where there is none; undefined where nobody can tell. */
  readonly errors?: readonly Diagnosis['error'][];
  /** Of the rows that have an answer; NaN where none has. */
  readonly accuracy: number;
  /** Standard error over examples. */
  readonly accuracyError: number;
  /** Shares of completions whose first failing is …; undefined where nobody can tell. */
  readonly perceptionErrors?: number;
  readonly reasoningErrors?: number;
  readonly formatErrors?: number;
  /** Accuracy by the columns `kind` and `vision_dependency`, where the data have them. */
  readonly byKind: Record<string, number>;
  readonly byDependency: Record<string, number>;
}

/** Prompts of one program run. */
export const evaluationPromptsPerRun = 32;

export async function evaluate(policy: Policy, options: EvaluationOptions): Promise<Evaluation> {
  const { seed, samples = 1, temperature = 1, view, dataset, onProgress } = options;
  const { completionsPerRun = evaluationPromptsPerRun } = options;
  const count = Math.min(options.examples, dataset.size);
  const { preparation } = policy;
  const rows = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const row = await dataset.row(i, preparation);
      return { ...row, image: preparation.prepare(row.image) };
    }),
  );
  const prompts: PolicyPrompt[] = [];
  for (const [i, { prompt, image }] of rows.entries()) {
    const seen = view ? await view(image, i) : image;
    prompts.push({
      ids: policy.text.buildPrompt(prompt),
      // Made when they are asked for: bytes take a quarter of their room.
      get pixelValues() {
        return seen instanceof Float32Array ? seen : policy.pixels(seen);
      },
    });
  }
  const completions = await policy.generate(prompts, {
    group: samples,
    maxTokens: options.maxTokens,
    temperature,
    greedy: options.greedy,
    topK: 0,
    topP: 1,
    minP: 0,
    uniform: (t, n) => uniform(seed, Purpose.evaluation, t, n),
    // As many completions a run with several samples as with one.
    promptsPerRun: Math.min(Math.max(1, Math.floor(completionsPerRun / samples)), count),
    onProgress,
  });
  const diagnoses = completions.texts.map((text, n) => rows[Math.floor(n / samples)].diagnose?.(text));
  const found = diagnoses.flatMap((d) => d ?? []);
  const share = (test: (d: (typeof found)[number]) => boolean) =>
    found.length === diagnoses.length ? found.filter(test).length / found.length : undefined;
  const correct = completions.texts.map((text, n) => {
    const row = rows[Math.floor(n / samples)];
    if (row.answer === null) return null;
    const isSame = () => (boxedAnswer(text) ?? text.trim()) === row.answer;
    return diagnoses[n]?.correct ?? (isSame() || answersRight(text, row));
  });
  /** Rows with an answer, each with its share of right completions. */
  const scored = rows.flatMap((row, i) => {
    if (row.answer === null) return [];
    let right = 0;
    for (let k = 0; k < samples; k++) if (correct[i * samples + k]) right++;
    return { row, mean: right / samples };
  });
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const accuracy = mean(scored.map((s) => s.mean));
  const variance = scored.reduce((a, s) => a + (s.mean - accuracy) ** 2, 0) / Math.max(1, scored.length - 1);
  const by = (column: string) => {
    const groups = new Map<string, number[]>();
    for (const { row, mean } of scored) {
      const key = row.columns[column];
      if (typeof key === 'string') groups.set(key, [...(groups.get(key) ?? []), mean]);
    }
    return Object.fromEntries([...groups].map(([key, means]) => [key, mean(means)]));
  };
  return {
    rows,
    completions,
    correct,
    ...(found.length === diagnoses.length && { errors: found.map(({ error }) => error) }),
    accuracy,
    accuracyError: Math.sqrt(variance / scored.length),
    perceptionErrors: share((d) => d.error === 'perception'),
    reasoningErrors: share((d) => d.error === 'reasoning'),
    formatErrors: share((d) => !d.format_ok),
    byKind: by('kind'),
    byDependency: by('vision_dependency'),
  };
}
