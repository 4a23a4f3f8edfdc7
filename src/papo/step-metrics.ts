/** What is counted of rollouts and micro-steps, under TRL's names where it has one. See docs/metrics.md. */
import type { Row } from '../data/dataset.ts';
import type { RunOutputs } from '../device/device.ts';
import type { Completions } from '../policy/policy.ts';

// Completions may be more than a call can have arguments.
const smallest = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b));
const largest = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b));

/** TRL's completions/… metrics. */
export function completionMetrics({ lengths, terminated }: Completions): Record<string, number> {
  const all = Array.from(lengths);
  const ended = all.filter((_, n) => terminated[n]);
  const mean = (x: number[]) => (x.length ? x.reduce((a, b) => a + b, 0) / x.length : 0);
  return {
    'completions/mean_length': mean(all),
    'completions/min_length': smallest(all),
    'completions/max_length': largest(all),
    'completions/clipped_ratio': 1 - ended.length / all.length,
    'completions/mean_terminated_length': mean(ended),
    'completions/min_terminated_length': ended.length ? smallest(ended) : 0,
    'completions/max_terminated_length': ended.length ? largest(ended) : 0,
  };
}

/** accuracy, and the share of completions whose first failing is perception, reasoning or format; {} for unknown worlds. */
export function diagnosisMetrics(texts: string[], rows: readonly Row[], G: number): Record<string, number> {
  const found = texts.flatMap((text, n) => rows[Math.floor(n / G)].diagnose?.(text) ?? []);
  if (found.length < texts.length) return {};
  const share = (test: (d: (typeof found)[number]) => boolean) => found.filter(test).length / found.length;
  return {
    accuracy: share((d) => d.correct),
    'errors/perception': share((d) => d.error === 'perception'),
    'errors/reasoning': share((d) => d.error === 'reasoning'),
    'errors/format': share((d) => !d.format_ok),
  };
}

/** The [1, 1] outputs of a training pass. */
export function scalars(out: RunOutputs): Record<string, number> {
  const metrics: Record<string, number> = { loss: out.loss[0] };
  for (const [name, value] of Object.entries(out))
    if (name.startsWith('metric.')) metrics[name.slice('metric.'.length)] = value[0];
  return metrics;
}

/** Over micro-steps or generations: losses add up (each is its share), extremes stay, everything else is a mean. */
export function merge(steps: Record<string, number>[]): Record<string, number> {
  const merged: Record<string, number> = {};
  for (const name of Object.keys(steps[0])) {
    const values = steps.map((s) => s[name]);
    const sum = values.reduce((a, b) => a + b, 0);
    if (name === 'loss' || name.endsWith('_loss')) merged[name] = sum;
    else if (name.endsWith('_min') || name.includes('/min_')) merged[name] = Math.min(...values);
    else if (name.endsWith('_max') || name.includes('/max_')) merged[name] = Math.max(...values);
    else merged[name] = sum / values.length;
  }
  return merged;
}

/**
 * The outputs of passes over consecutive parts of a micro-batch as those of one pass over all of it. `tokens`: how many
 * each part has. Losses are sums, other metrics means over tokens; with `ratioByRow` clip ratios are means over completions,
 * of which all parts have as many.
 */
export function joinPieces(
  outs: readonly RunOutputs[],
  tokens: readonly number[],
  ratioByRow: boolean,
): RunOutputs {
  const all = Math.max(
    tokens.reduce((a, b) => a + b, 0),
    1,
  );
  return Object.fromEntries(
    Object.keys(outs[0]).map((name) => {
      const parts = outs.map((out) => out[name] as Float32Array);
      if (name !== 'loss' && !name.startsWith('metric.')) {
        const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
        let at = 0;
        for (const part of parts) {
          joined.set(part, at);
          at += part.length;
        }
        return [name, joined];
      }
      const isLoss = name === 'loss' || name.endsWith('_loss');
      const isByRow = ratioByRow && name.startsWith('metric.clip_ratio/');
      const share = (i: number) => (isLoss ? 1 : isByRow ? 1 / parts.length : tokens[i] / all);
      const value = parts.reduce((sum, [x], i) => sum + share(i) * x, 0);
      return [name, Float32Array.of(value)];
    }),
  );
}
