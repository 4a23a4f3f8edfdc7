/**
 * What a run will hold in memory, before it starts: the trainer's graphs are built and planned as for WebGPU, without
 * a device. A run that does not fit is refused, with the numbers and the nearest settings that do.
 */
import { type Device, type DeviceLimits, mebibytes } from '../device/device.ts';
import { uniformChoice } from '../device/webgpu/gemm.ts';
import { type NamedBytes, type ProgramSize, programSize } from '../device/webgpu/program-size.ts';
import { pooledBytes } from '../device/webgpu/workspace.ts';
import { type Graph, type Shape, sizeOf } from '../ops/graph.ts';
import { planBatches } from '../papo/batches.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import type { VlmConfig } from './config.ts';
import { type RolloutShape, rolloutGraph } from './generate.ts';
import { type PassShape, scoreGraph, trainingGraph } from './papo-pass.ts';
import { parameterShapes, visionPrefix } from './parameters.ts';
import { saliencyGraph } from './vision.ts';

export interface RunShapes {
  /** Tokens that prompts are padded to; a run keeps programs for every one that occurs. */
  readonly prefixLengths: readonly number[];
  /** Held-out generation, where the run does any: prompts a run, completions of each. */
  readonly evaluation?: { readonly prompts: number; readonly group: number; readonly maxTokens: number };
  /** What training changes; default: all that `freeze_vision_tower` leaves. */
  readonly trainable?: ReadonlyMap<string, Shape>;
}

type Batches = Pick<
  ResolvedConfig,
  'per_device_train_batch_size' | 'gradient_accumulation_steps' | 'steps_per_generation'
>;

/** Bytes, all of it. Buffers for reading back are in the host's memory and not counted. */
export interface MemoryPlan {
  readonly weights: number;
  readonly gradients: number;
  /** AdamW's two. */
  readonly moments: number;
  /** The reference policy's weights, where beta > 0. */
  readonly reference: number;
  /** Activations of each compiled pass, with its inputs and constants. */
  readonly programs: readonly NamedBytes[];
  /** What they hold together: all passes stay compiled, and share what they compute in. */
  readonly activations: number;
  readonly largestTensor: NamedBytes;
  readonly total: number;
  /** What the device offers: in all (absent where nobody knows) and for one tensor. */
  readonly limit?: number;
  readonly tensorLimit: number;
  readonly fits: boolean;
  /** The nearest settings that fit; absent when these do, or when none was found. */
  readonly wouldFit?: Batches;
  /** `wouldFit` makes the same updates, only in smaller pieces. */
  readonly sameUpdates?: boolean;
}

/** Where the device is not WebGPU: its programs are estimated as if it were, on core limits. */
const coreLowering = (largestTensor: number): NonNullable<DeviceLimits['webgpu']> => ({
  // Dispatches are WebGPU's: on another device their number is no limit.
  lowering: {
    maxWorkgroupsPerDimension: Number.MAX_SAFE_INTEGER,
    maxBindingBytes: largestTensor,
    workgroupMemory: 16_384,
  },
  gemm: uniformChoice({ variant: 'register', splitTo: 0 }),
});

export function planRunMemory(
  config: VlmConfig,
  settings: ResolvedConfig,
  run: RunShapes,
  limits: DeviceLimits,
): MemoryPlan {
  const planner = new RunPlanner(config, run, limits);
  const plan = planner.plan(settings);
  if (plan.fits) return plan;
  // Whatever the batches, these stay: then no search is worth its time.
  const stays = plan.weights + plan.gradients + plan.moments + plan.reference;
  if (stays > (limits.memory ?? Number.POSITIVE_INFINITY)) return plan;
  for (const sameUpdates of [true, false])
    for (const batches of smallerBatches(settings, sameUpdates))
      if (planner.plan({ ...settings, ...batches }).fits) return { ...plan, wouldFit: batches, sameUpdates };
  return plan;
}

/**
 * The same for a policy whose weights are on the device already: where the device does not say how much memory it has,
 * what the run needs is tried out.
 */
export async function planRunOnDevice(
  config: VlmConfig,
  settings: ResolvedConfig,
  run: RunShapes,
  device: Pick<Device, 'limits' | 'room'>,
): Promise<MemoryPlan> {
  const plan = planRunMemory(config, settings, run, device.limits);
  if (!plan.fits || !device.room) return plan;
  const wanted = plan.total - plan.weights;
  const room = await device.room(wanted);
  if (room >= wanted) return plan;
  return planRunMemory(config, settings, run, { ...device.limits, memory: plan.weights + room });
}

/** Why the run is refused, with numbers in MiB and what would fit; undefined when it fits. */
export function refusal(plan: MemoryPlan): string | undefined {
  if (plan.fits) return undefined;
  const { largestTensor, total, limit, tensorLimit, wouldFit, sameUpdates } = plan;
  const parts = Object.entries({
    weights: plan.weights,
    gradients: plan.gradients,
    "AdamW's moments": plan.moments,
    'reference policy': plan.reference,
    activations: plan.activations,
  }).filter(([, bytes]) => bytes > 0);
  const has = limit === undefined ? '' : `; the device has ${mebibytes(limit)}`;
  const sentences = [
    `This run needs ${mebibytes(total)} of memory (${parts.map(([name, bytes]) => `${name} ${mebibytes(bytes)}`).join(', ')})${has}.`,
    `Its largest single tensor (${largestTensor.name}) takes ${mebibytes(largestTensor.bytes)}, and one can have ${mebibytes(tensorLimit)}.`,
  ];
  if (wouldFit) {
    const names = Object.entries(wouldFit).map(([name, value]) => `${name} ${value}`);
    const effect = sameUpdates ? 'the same updates in smaller pieces' : 'smaller updates';
    sentences.push(`It would fit with ${names.join(', ')}: ${effect}.`);
  } else
    sentences.push(
      'No smaller per_device_train_batch_size fits. Lower num_generations or max_completion_length, take a smaller model, ' +
        'or another device.',
    );
  return sentences.join(' ');
}

/** Smaller micro-batches, the largest first: with as many more of them an update, or with smaller updates. */
function* smallerBatches(settings: ResolvedConfig, sameUpdates: boolean): Generator<Batches> {
  const { per_device_train_batch_size: size, gradient_accumulation_steps, steps_per_generation } = settings;
  for (let parts = 2; parts <= size; parts++) {
    const smaller = size / parts;
    const factor = sameUpdates ? parts : 1;
    const steps = steps_per_generation * factor;
    if (!Number.isInteger(smaller) || (smaller * steps) % settings.num_generations !== 0) continue;
    yield {
      per_device_train_batch_size: smaller,
      gradient_accumulation_steps: gradient_accumulation_steps * factor,
      steps_per_generation: steps,
    };
  }
}

const bytesOf = (shapes: Iterable<Shape>) => [...shapes].reduce((sum, shape) => sum + sizeOf(shape) * 4, 0);
const larger = (a: NamedBytes, b: NamedBytes) => (b.bytes > a.bytes ? b : a);

class RunPlanner {
  private readonly shapes: Map<string, Shape>;
  private readonly lowering: NonNullable<DeviceLimits['webgpu']>;
  /** Sizes of graphs that several settings have in common. */
  private readonly sizes = new Map<string, ProgramSize>();

  constructor(
    private readonly config: VlmConfig,
    private readonly run: RunShapes,
    private readonly limits: DeviceLimits,
  ) {
    this.shapes = parameterShapes(config);
    this.lowering = limits.webgpu ?? coreLowering(limits.largestTensor);
  }

  plan(settings: ResolvedConfig): MemoryPlan {
    const trainable = this.trainable(settings);
    const programs = this.programs(settings, [...trainable.keys()]);
    const weights = bytesOf(this.shapes.values());
    const gradients = bytesOf(trainable.values());
    const reference = settings.beta > 0 ? weights : 0;
    const programBytes = programs.map(([name, { activations, fixed }]) => ({
      name,
      bytes: activations + fixed,
    }));
    const activations =
      pooledBytes(programs.map(([, { slots }]) => slots)) +
      programs.reduce((sum, [, { fixed }]) => sum + fixed, 0);
    const total = weights + 3 * gradients + reference + activations;
    const largestTensor = [
      ...[...this.shapes].map(([name, shape]) => ({ name, bytes: sizeOf(shape) * 4 })),
      ...programs.map(([name, { largest }]) => ({ ...largest, name: `${largest.name} of ${name}` })),
    ].reduce(larger);
    const { memory: limit, largestTensor: tensorLimit } = this.limits;
    return {
      ...{
        weights,
        gradients,
        moments: 2 * gradients,
        reference,
        programs: programBytes,
        activations,
        largestTensor,
        total,
      },
      ...{ limit, tensorLimit },
      fits: largestTensor.bytes <= tensorLimit && total <= (limit ?? Number.POSITIVE_INFINITY),
    };
  }

  private trainable(settings: ResolvedConfig): ReadonlyMap<string, Shape> {
    if (this.run.trainable) return this.run.trainable;
    const frozen = (name: string) => settings.freeze_vision_tower && name.startsWith(visionPrefix);
    return new Map([...this.shapes].filter(([name]) => !frozen(name)));
  }

  /** The passes that the trainer compiles: see Trainer, Policy.generate and evaluate. */
  private programs(settings: ResolvedConfig, trainable: readonly string[]): [string, ProgramSize][] {
    const plan = planBatches(settings);
    const unit = gcd(plan.microBatchSize, settings.num_generations);
    const needsMasked = settings.perception_loss_weight > 0 || settings.der_loss_weight2 > 0;
    const scoresMasked =
      settings.objective === 'authors' && settings.detach_masked_branch && plan.needsOldLogps;
    const T = settings.max_completion_length;
    const found: [string, ProgramSize][] = [];
    for (const prefixLength of this.run.prefixLengths) {
      const rollout = { prompts: plan.promptsPerGeneration, group: settings.num_generations, maxTokens: T };
      found.push(['rollout', this.rollout({ ...rollout, prefixLength })]);
      if (this.run.evaluation)
        found.push(['evaluation', this.rollout({ ...this.run.evaluation, prefixLength })]);
      const pass = { prompts: plan.microBatchSize / unit, prefixLength, group: unit, completionLength: T };
      const score = () => this.pass({ ...pass, views: 1 }, 'score', (s) => scoreGraph(this.config, s));
      if (plan.needsOldLogps) found.push(['score', score()]);
      if (settings.beta > 0) found.push(['score of the reference', score()]);
      const views = needsMasked && !scoresMasked ? 2 : 1;
      for (const accumulate of plan.stepsPerUpdate > 1 ? [false, true] : [false]) {
        const options = {
          ...{ trainable, accumulate },
          hasOldLogps: plan.needsOldLogps,
          hasRefLogps: settings.beta > 0,
          hasMaskedLogps: needsMasked && scoresMasked,
        };
        const { hasOldLogps, hasMaskedLogps } = options;
        const size = this.pass(
          { ...pass, views },
          `train ${[accumulate, hasOldLogps, hasMaskedLogps]}`,
          (s) => trainingGraph(this.config, s, settings, options),
        );
        found.push([accumulate ? 'accumulating training pass' : 'training pass', size]);
      }
    }
    if (settings.mask_type === 'semantic') found.push(['saliency', this.saliency(plan.promptsPerGeneration)]);
    return found;
  }

  private rollout(shape: RolloutShape): ProgramSize {
    const { text } = this.config;
    const cache = shape.prompts * shape.group * shape.maxTokens * text.kvHeads * text.headDim * 4;
    const sampling = { greedy: false, topK: 0, topP: 1, minP: 0 };
    const ends = { endTokens: [0], padToken: 0 };
    return this.size(`rollout ${JSON.stringify(shape)}`, 'key-value cache', cache, 2 * text.layers, () =>
      rolloutGraph(this.config, shape, sampling, ends),
    );
  }

  private pass(shape: PassShape, kind: string, build: (shape: PassShape) => Graph): ProgramSize {
    const { prompts, prefixLength, group, completionLength, views } = shape;
    const rows = views * prompts * (prefixLength + group * completionLength);
    const { hiddenSize, layers } = this.config.text;
    return this.size(`${kind} ${JSON.stringify(shape)}`, 'hidden states', rows * hiddenSize * 4, layers, () =>
      build(shape),
    );
  }

  private saliency(images: number): ProgramSize {
    const pixels = 3 * this.config.vision.imageSize ** 2;
    return this.size(`saliency ${images}`, 'pixel_values', images * pixels * 4, 1, () =>
      saliencyGraph(this.config, images),
    );
  }

  /**
   * `bytes` of one tensor that the graph surely holds, `count` of its size: where that one is too large already, the
   * graph is not built, because its constants would be as large.
   */
  private size(key: string, name: string, bytes: number, count: number, build: () => Graph): ProgramSize {
    if (bytes > this.limits.largestTensor)
      return {
        ...{ slots: Array<number>(count).fill(bytes), activations: count * bytes, fixed: 0 },
        largest: { name, bytes },
      };
    let size = this.sizes.get(key);
    if (!size) {
      size = programSize(build(), this.lowering);
      this.sizes.set(key, size);
    }
    return size;
  }
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
