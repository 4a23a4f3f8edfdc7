/** Plans a run, and refuses it where the device has no room, before anything of it is allocated. */
import type { Dataset } from '../data/dataset.ts';
import { evaluationPromptsPerRun } from '../data/evaluate.ts';
import { UserError } from '../errors.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import { roundUp } from '../policy/layout.ts';
import { type PlanView, planRunOnDevice } from '../policy/plan.ts';
import type { Policy } from '../policy/policy.ts';

/** Prompts of a dataset are taken to be about as long as its first ones. */
const shownRows = 32;

/** `weightsStay`: they are held as they are, whatever the settings. Throws a UserError with what the run needs, what there is, and what would fit. */
export async function checkMemory(
  policy: Policy,
  config: ResolvedConfig,
  train: Dataset,
  heldOut: Dataset | null,
  { weightsStay = false } = {},
): Promise<PlanView> {
  // Without their images, where that is possible: photographs take a second each to read.
  const first = async (data: Dataset) =>
    Promise.all(
      Array.from(
        { length: Math.min(shownRows, data.size) },
        async (_, i) => data.prompt?.(i) ?? (await data.row(i)).prompt,
      ),
    );
  const prompts = [...(await first(train)), ...(heldOut ? await first(heldOut) : [])];
  const lengths = prompts.map((prompt) => policy.text.buildPrompt(prompt).length);
  const prefixLengths = [roundUp(Math.max(...lengths), config.pad_to_multiple_of ?? 8)];
  const evaluated = Math.min(evaluationPromptsPerRun, config.num_eval_samples);
  const evaluation = { prompts: evaluated, group: 1, maxTokens: config.max_completion_length };
  // Of every name, the adapter's too.
  const { dtypeOf = () => 'f32' as const } = policy.config;
  const run = { prefixLengths, ...(weightsStay && { dtypeOf }), ...(heldOut && { evaluation }) };
  const plan = await planRunOnDevice(policy.config, config, run, policy.device);
  if (plan.refusal) throw new UserError(plan.refusal);
  return plan;
}
