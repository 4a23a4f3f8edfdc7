// Held-out accuracy of sampled completions, with the errors told apart.

import { Purpose, uniform } from '../papo/random.ts';
import type { Policy } from '../policy/policy.ts';
import { diagnose } from './diagnose.ts';
import { type Example, generateExample } from './examples.ts';
import type { RasterImage } from './raster.ts';
import type { TaskMix, TaskName } from './tasks.ts';

export interface EvaluationOptions {
  readonly task: TaskName | TaskMix;
  readonly examples: number;
  readonly seed: number;
  readonly maxTokens: number;
  /** Completions an example; accuracy is average@k. */
  readonly samples?: number;
  readonly temperature?: number;
  readonly greedy?: boolean;
  /** What the policy sees instead of the image (masked, blank). */
  readonly view?: (image: RasterImage, index: number) => RasterImage;
}

export interface Evaluation {
  readonly accuracy: number;
  /** Standard error over examples. */
  readonly accuracyError: number;
  /** Shares of completions whose first failing is …; `format_ok` the share that keeps the form. */
  readonly perceptionErrors: number;
  readonly reasoningErrors: number;
  readonly formatErrors: number;
  readonly byKind: Record<string, number>;
  readonly byDependency: Record<string, number>;
}

/** The held-out examples 0 … n−1 of a seed. */
export function heldOut(task: TaskName | TaskMix, examples: number, seed: number): Example[] {
  return Array.from({ length: examples }, (_, i) => generateExample(seed, 'test', i, task));
}

export async function evaluate(policy: Policy, options: EvaluationOptions): Promise<Evaluation> {
  const { seed, samples = 1, temperature = 1, view } = options;
  const examples = heldOut(options.task, options.examples, seed);
  const prompts = examples.map((e, i) => policy.prompt(e.prompt, view ? view(e.image, i) : e.image));
  const completions = await policy.generate(prompts, {
    group: samples,
    maxTokens: options.maxTokens,
    temperature,
    greedy: options.greedy,
    topK: 0,
    topP: 1,
    minP: 0,
    uniform: (t, n) => uniform(seed, Purpose.evaluation, t, n),
    promptsPerRun: Math.min(32, examples.length),
  });
  const found = completions.texts.map((text, n) => diagnose(text, examples[Math.floor(n / samples)]));
  const share = (test: (d: (typeof found)[number], n: number) => boolean) =>
    found.filter(test).length / found.length;
  const means = examples.map((_, i) => {
    const own = found.slice(i * samples, (i + 1) * samples);
    return own.filter((d) => d.correct).length / samples;
  });
  const accuracy = means.reduce((a, b) => a + b, 0) / means.length;
  const variance = means.reduce((a, m) => a + (m - accuracy) ** 2, 0) / Math.max(1, means.length - 1);
  const by = (key: (e: Example) => string) => {
    const groups = new Map<string, number[]>();
    examples.forEach((e, i) => {
      groups.set(key(e), [...(groups.get(key(e)) ?? []), means[i]]);
    });
    return Object.fromEntries([...groups].map(([k, m]) => [k, m.reduce((a, b) => a + b, 0) / m.length]));
  };
  return {
    accuracy,
    accuracyError: Math.sqrt(variance / means.length),
    perceptionErrors: share((d) => d.error === 'perception'),
    reasoningErrors: share((d) => d.error === 'reasoning'),
    formatErrors: share((d) => !d.format_ok),
    byKind: by((e) => e.kind),
    byDependency: by((e) => e.vision_dependency),
  };
}
