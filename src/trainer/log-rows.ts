/** Numbers and completions of updates and evaluations, as logs and tables have them. */
import type { Evaluation } from '../data/evaluate.ts';
import type { StepReport } from '../papo/trainer.ts';
import type { SampledCompletion } from '../store/run-store.ts';

/** Of these the last value counts; of all others the mean since the last log, as transformers and TRL log them. */
const latest = new Set(['learning_rate', 'num_tokens', 'skipped_updates', 'grad_norm']);

export function averages(updates: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const last = updates.at(-1) ?? {};
  return Object.fromEntries(
    Object.keys(last).map((name) => {
      const values = updates.flatMap((metrics) => metrics[name] ?? []);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return [name, latest.has(name) ? last[name] : mean];
    }),
  );
}

/** Every completion that was written for this update, in TRL's columns. */
export function completionRows({ groups }: StepReport): SampledCompletion[] {
  const fresh = groups.filter(({ isFresh }) => isFresh);
  return fresh.flatMap(({ row, completions, rewards, advantages }) =>
    completions.map((completion, k) => ({
      prompt: row.prompt,
      completion,
      rewards: rewards[k],
      advantage: advantages[k],
      extra: { id: row.id, answer: row.answer },
    })),
  );
}

/** An evaluation under names that begin with eval_, as TRL's do. */
export function evaluationMetrics(e: Evaluation): Record<string, number> {
  const metrics: Record<string, number> = {
    eval_accuracy: e.accuracy,
    eval_accuracy_error: e.accuracyError,
  };
  const causes = { perception: e.perceptionErrors, reasoning: e.reasoningErrors, format: e.formatErrors };
  for (const [cause, share] of Object.entries(causes))
    if (share !== undefined) metrics[`eval_errors/${cause}`] = share;
  for (const [kind, value] of Object.entries(e.byKind)) metrics[`eval_accuracy/${kind}`] = value;
  return metrics;
}

/** Means of the held-out rewards under TRL's names, and their weighted sum. NaN where no row has one. */
export function rewardMeans(
  rewards: Readonly<Record<string, readonly (number | null)[]>>,
  weights: readonly number[] | null,
): Record<string, number> {
  const metrics: Record<string, number> = { eval_reward: Number.NaN };
  for (const [i, [name, values]] of Object.entries(rewards).entries()) {
    const known = values.filter((value) => value !== null);
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    metrics[`eval_rewards/${name}/mean`] = mean;
    if (known.length === 0) continue;
    const weighted = mean * (weights?.[i] ?? 1);
    metrics.eval_reward = Number.isNaN(metrics.eval_reward) ? weighted : metrics.eval_reward + weighted;
  }
  return metrics;
}
