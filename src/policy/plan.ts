/**
 * The memory plan of a run: what it chooses so that the run fits, and what it says where nothing fits. Preferred is, in this
 * order: to keep activations, to compute them again layer by layer, smaller chunks of logits, micro-batches in pieces; and
 * as many prompts as possible rolled out at a time. None of these changes what an update computes, but for rounding.
 */
import type { Device, DeviceKind, DeviceLimits } from '../device/device.ts';
import { headSettings } from '../ops/head-webgpu.ts';
import { type BatchPlan, planBatches } from '../papo/batches.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import type { Settings } from '../papo/settings.ts';
import type { VlmConfig } from './config.ts';
import { type Counted, type PassChoices, RunCounter, type RunShapes } from './memory.ts';
import { refusal } from './plan-text.ts';

/** Settings that would fit, nearest first, by TRL's names. */
export interface Alternative {
  readonly settings: Partial<Settings>;
  /** What it means for the training, as the end of a sentence: "the same updates in smaller pieces". */
  readonly effect: string;
}

/**
 * A plan as plain data: what a worker sends, a page draws and `npm run plan -- --json` prints. Bytes throughout.
 *
 *     parts      what is held, by kind; they add up to `total` (see PartKind for what each is)
 *     limit      what there is for all of it; absent where nobody knows
 *     limits     of the device: bytes of one tensor, and of WebAssembly where graphs run in it
 *     choices    how the passes are gone about
 *     fits       whether the run may start; where not, `refusal` says why, and `alternatives` what would
 */
export interface PlanView extends Counted {
  readonly device: DeviceKind;
  readonly choices: PassChoices;
  readonly limit?: number;
  readonly limits: { readonly largestTensor: number; readonly wasm?: number };
  readonly fits: boolean;
  readonly alternatives: readonly Alternative[];
  /** One or more sentences with the numbers. */
  readonly refusal?: string;
}

type PlannedDevice = Pick<Device, 'kind' | 'limits'>;

/**
 * Of what WebAssembly can address: the rest may be lost to gaps between pieces of memory. A training pass in one piece has
 * its memory from an arena that grows by doubling.
 */
const usableWasm = (recompute: boolean) => (recompute ? 0.9 : 0.5);

/** Throws a UserError where the settings do not fit the model (see loraModules). */
export function planRun(
  config: VlmConfig,
  settings: ResolvedConfig,
  run: RunShapes,
  device: PlannedDevice,
): PlanView {
  return new Planner(config, run, device).plan(settings);
}

/**
 * The same for a policy whose weights (and adapter) are on the device already: where the device does not say how much
 * memory it has, what the run needs is tried out.
 */
export async function planRunOnDevice(
  config: VlmConfig,
  settings: ResolvedConfig,
  run: RunShapes,
  device: PlannedDevice & Pick<Device, 'room'>,
): Promise<PlanView> {
  const plan = planRun(config, settings, run, device);
  if (!plan.fits || !device.room) return plan;
  const there = ['frozenHalf', 'frozen', 'trained', 'adapter'];
  const held = plan.parts.reduce((sum, { kind, bytes }) => (there.includes(kind) ? sum + bytes : sum), 0);
  const wanted = plan.total - held;
  const room = await device.room(wanted);
  if (room >= wanted) return plan;
  const limits = { ...device.limits, memory: held + room };
  return planRun(config, settings, run, { kind: device.kind, limits });
}

class Planner {
  private readonly counter: RunCounter;
  private readonly limits: DeviceLimits;

  constructor(
    config: VlmConfig,
    private readonly run: RunShapes,
    private readonly device: PlannedDevice,
  ) {
    this.limits = device.limits;
    this.counter = new RunCounter(config, run, device.limits);
  }

  plan(settings: ResolvedConfig): PlanView {
    const found = this.choose(settings);
    const view = {
      ...found.counted,
      device: this.device.kind,
      choices: found.choices,
      ...(this.limits.memory !== undefined && { limit: this.limits.memory }),
      limits: {
        largestTensor: this.limits.largestTensor,
        ...(this.limits.wasm !== undefined && { wasm: this.limits.wasm }),
      },
      fits: found.fits,
      alternatives: found.fits ? [] : this.alternatives(settings),
    };
    return found.fits ? view : { ...view, refusal: refusal(view) };
  }

  /** The first choices that fit, or the thriftiest. */
  private choose(settings: ResolvedConfig): { choices: PassChoices; counted: Counted; fits: boolean } {
    const batches = planBatches(settings);
    const rollouts = [...rolloutChoices(batches, this.run)];
    const thrifty = rollouts[rollouts.length - 1];
    const tried = (choices: PassChoices) => {
      const counted = this.counter.count(settings, choices);
      return { choices, counted, fits: this.fits(counted, choices) };
    };
    let last: ReturnType<typeof tried> | undefined;
    const hopeless = this.isHopeless(settings);
    const passes = [...passChoices(settings, batches)];
    for (const choices of hopeless ? passes.slice(-1) : passes) {
      last = tried({ ...choices, ...(hopeless ? thrifty : rollouts[0]) });
      if (last.fits) return last;
      if (hopeless || rollouts.length === 1) continue;
      last = tried({ ...choices, ...thrifty });
      if (!last.fits) continue;
      for (const rollout of rollouts.slice(1, -1)) {
        const more = tried({ ...choices, ...rollout });
        if (more.fits) return more;
      }
      return last;
    }
    return last!;
  }

  /** Where what stays is too much already, no choice is worth its time. */
  private isHopeless(settings: ResolvedConfig): boolean {
    const standing = [...this.counter.standing(settings).values()].reduce((sum, bytes) => sum + bytes, 0);
    return standing > (this.limits.memory ?? Number.POSITIVE_INFINITY);
  }

  /** With the thriftiest choices. */
  private fitsSomehow(settings: ResolvedConfig): boolean {
    if (this.isHopeless(settings)) return false;
    const batches = planBatches(settings);
    const choices = {
      ...[...passChoices(settings, batches)].at(-1)!,
      ...[...rolloutChoices(batches, this.run)].at(-1)!,
    };
    return this.fits(this.counter.count(settings, choices), choices);
  }

  private fits({ total, largestTensor, wasm }: Counted, { recompute }: PassChoices): boolean {
    const { memory, wasm: address } = this.limits;
    return (
      total <= (memory ?? Number.POSITIVE_INFINITY) &&
      largestTensor.bytes <= this.limits.largestTensor &&
      (wasm === undefined || address === undefined || wasm <= usableWasm(recompute) * address)
    );
  }

  /** At most three, none of which needs all of another. */
  private alternatives(settings: ResolvedConfig): Alternative[] {
    const found: Alternative[] = [];
    for (const ways of alternativesTo(settings))
      for (const way of ways) {
        if (found.length === 3) return found;
        const changed = withSettings(settings, way.settings);
        const includes = (other: Alternative) =>
          Object.entries(other.settings).every(
            ([name, value]) => way.settings[name as keyof Settings] === value,
          );
        if (found.some(includes) || !this.fitsSomehow(changed)) continue;
        found.push(way);
        break;
      }
    return found;
  }
}

/** Settings with some changed, and what follows from the batches. */
function withSettings(settings: ResolvedConfig, changed: Partial<Settings>): ResolvedConfig {
  const given = Object.entries(changed).filter(([, value]) => value !== undefined);
  const all: ResolvedConfig = { ...settings, ...Object.fromEntries(given) };
  return { ...all, generation_batch_size: all.per_device_train_batch_size * all.steps_per_generation };
}

/** From the fastest to the thriftiest. */
function* passChoices(
  settings: ResolvedConfig,
  { microBatchSize }: BatchPlan,
): Generator<Pick<PassChoices, 'recompute' | 'headChunkBytes' | 'pieces'>> {
  const { chunkBytes } = headSettings;
  const forced = settings.gradient_checkpointing;
  const recompute = forced ?? true;
  if (forced === null) yield { recompute: false, headChunkBytes: chunkBytes, pieces: 1 };
  yield { recompute, headChunkBytes: chunkBytes, pieces: 1 };
  const headChunkBytes = chunkBytes / 4;
  yield { recompute, headChunkBytes, pieces: 1 };
  if (!isSum(settings)) return;
  for (const pieces of divisors(microBatchSize)) yield { recompute, headChunkBytes, pieces };
}

/** Above 1, ascending. */
function divisors(n: number): number[] {
  const small: number[] = [];
  for (let i = 1; i * i <= n; i++) if (n % i === 0) small.push(i);
  return [...new Set([...small, ...small.toReversed().map((i) => n / i)])].slice(1);
}

/** Whether a micro-batch's loss is the sum of its completions' own, so that it may be computed in pieces. */
export const isSum = ({
  objective,
  top_entropy_quantile,
}: Pick<Settings, 'objective' | 'top_entropy_quantile'>) =>
  objective === 'paper' && top_entropy_quantile === 1;

/** From all prompts at a time to one. */
function* rolloutChoices(
  { promptsPerGeneration }: BatchPlan,
  { evaluation }: RunShapes,
): Generator<Pick<PassChoices, 'promptsPerRun' | 'evaluationPromptsPerRun'>> {
  let promptsPerRun = promptsPerGeneration;
  let evaluationPromptsPerRun = evaluation?.prompts ?? 1;
  const half = (n: number) => Math.ceil(n / 2);
  yield { promptsPerRun, evaluationPromptsPerRun };
  while (promptsPerRun > 1 || evaluationPromptsPerRun > 1) {
    // The larger first: their sizes are about as their prompts.
    if (evaluationPromptsPerRun > promptsPerRun) evaluationPromptsPerRun = half(evaluationPromptsPerRun);
    else promptsPerRun = half(promptsPerRun);
    yield { promptsPerRun, evaluationPromptsPerRun };
  }
}

/** Other settings that take less, each list from near to far. */
function* alternativesTo(settings: ResolvedConfig): Generator<Iterable<Alternative>> {
  const { gradient_checkpointing, use_peft, freeze_vision_tower } = settings;
  if (gradient_checkpointing === false)
    yield [{ settings: { gradient_checkpointing: null }, effect: 'the same updates, slower' }];
  if (!isSum(settings)) yield smallerBatches(settings);
  if (!use_peft && !freeze_vision_tower)
    yield [{ settings: { freeze_vision_tower: true }, effect: 'the vision tower stays as it is' }];
  if (!use_peft && settings.beta > 0)
    yield [{ settings: { beta: 0 }, effect: 'without the pull to the reference policy' }];
  yield shorter(settings);
  yield fewer(settings);
  if (use_peft) return;
  yield [{ settings: { use_peft: true }, effect: 'an adapter is trained in place of all weights' }];
  yield [...shorter(settings)].map((way) => ({
    settings: { use_peft: true, ...way.settings },
    effect: `an adapter in place of all weights, ${way.effect}`,
  }));
}

/** Smaller micro-batches, the largest first, with as many more of them an update. */
function* smallerBatches(settings: ResolvedConfig): Generator<Alternative> {
  const { per_device_train_batch_size: size, gradient_accumulation_steps, steps_per_generation } = settings;
  for (const parts of divisors(size))
    yield {
      settings: {
        per_device_train_batch_size: size / parts,
        gradient_accumulation_steps: gradient_accumulation_steps * parts,
        steps_per_generation: steps_per_generation * parts,
      },
      effect: 'as many completions an update, in smaller micro-batches',
    };
}

/** Half the tokens, a quarter, … */
function* shorter({ max_completion_length }: ResolvedConfig): Generator<Alternative> {
  for (let T = Math.floor(max_completion_length / 2); T >= 8; T = Math.floor(T / 2))
    yield { settings: { max_completion_length: T }, effect: 'shorter answers' };
}

/** Half the completions a prompt, a quarter, …, at least two, where they still fill the generation batch. */
function* fewer({ num_generations, generation_batch_size }: ResolvedConfig): Generator<Alternative> {
  for (let G = Math.floor(num_generations / 2); G >= 2; G = Math.floor(G / 2))
    if (generation_batch_size % G === 0)
      yield { settings: { num_generations: G }, effect: 'more prompts with fewer answers each' };
}
