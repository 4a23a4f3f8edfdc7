/**
 * What a run holds in memory, counted before it starts: the trainer's graphs are built and planned as its device would,
 * without the device. What the plan makes of it is in plan.ts.
 */
import { type CpuProgramSize, cpuProgramSize, runtimeBytes, wasmBase } from '../device/cpu/program-size.ts';
import type { DeviceLimits } from '../device/device.ts';
import { bytesOf } from '../device/webgpu/bytes.ts';
import { uniformChoice } from '../device/webgpu/gemm.ts';
import { type NamedBytes, programSize } from '../device/webgpu/program-size.ts';
import { pooledBytes } from '../device/webgpu/workspace.ts';
import type { SamplingAttributes } from '../ops/generation.ts';
import { type Graph, type Shape } from '../ops/graph.ts';
import { planBatches } from '../papo/batches.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import { imageTokens, type VlmConfig } from './config.ts';
import { type RolloutShape, rolloutGraph } from './generate.ts';
import { loraOf, loraShapes } from './lora.ts';
import type { PolicyModel } from './model.ts';
import { optimizerGraph } from './optimizer.ts';
import { type PassShape, scoreGraph, trainingGraph } from './papo-pass.ts';
import { parameterShapes, visionPrefix } from './parameters.ts';
import { heldAs, isLarge } from './precision.ts';
import { saliencyGraph } from './vision.ts';

/** What the settings of a run do not say. */
export interface RunShapes {
  /** Tokens that prompts are padded to; a run keeps programs for every one that occurs. */
  readonly prefixLengths: readonly number[];
  /** Held-out generation, where the run does any: prompts a run, completions of each. */
  readonly evaluation?: { readonly prompts: number; readonly group: number; readonly maxTokens: number };
  /** How weights are held that are on the device already; default: as a policy holds what the settings freeze. */
  readonly dtypeOf?: (name: string) => 'f32' | 'f16';
}

/** How a run goes about its passes. None of it changes what the passes compute, but for rounding. */
export interface PassChoices {
  /** The backward pass computes each layer's activations again instead of keeping them (gradient_checkpointing). */
  readonly recompute: boolean;
  /** Most bytes of logits that the head holds at once. */
  readonly headChunkBytes: number;
  /** Passes in which a micro-batch is computed, its gradients added up; a divisor of per_device_train_batch_size. */
  readonly pieces: number;
  /** Prompts that are rolled out at a time. */
  readonly promptsPerRun: number;
  /** Held-out prompts that are answered at a time. */
  readonly evaluationPromptsPerRun: number;
}

/** In the order of a table: first what stays, then what passes take. */
export const partKinds = [
  'frozenHalf',
  'frozen',
  'trained',
  'adapter',
  'gradients',
  'moments',
  'reference',
  'activations',
  'workspace',
  'rollout',
  'fixed',
  'runtime',
] as const;

/**
 * frozenHalf, frozen: weights that nothing trains, in half floats and in float32. trained: weights that are trained, and
 * adapter: LoRA's, float32 both, with their gradients and AdamW's two moments. reference: a copy of all weights, where
 * beta > 0 without LoRA. activations: values of the training pass. workspace: on WebGPU its scratch (a chunk of logits,
 * pieces of products); on the CPU device what WebAssembly grows to. rollout: what rollout (with its key-value cache),
 * evaluation and scoring take beyond what they share with the training pass. fixed: inputs, constants, kernel
 * parameters. runtime: the program itself.
 */
export type PartKind = (typeof partKinds)[number];

/** Bytes, all of it. On WebGPU buffers for reading back are in the host's memory and not counted. */
export interface Counted {
  /** They add up to `total`; none is 0. */
  readonly parts: readonly { readonly kind: PartKind; readonly bytes: number }[];
  readonly total: number;
  /** Each compiled pass alone: what it computes in, with inputs and constants. They share most of it. */
  readonly passes: readonly NamedBytes[];
  /** Keys and values of one rollout; part of what its pass computes in. */
  readonly keyValueCache: number;
  readonly largestTensor: NamedBytes;
  /** What WebAssembly holds at most, on the CPU device; it is in `total` as workspace. */
  readonly wasm?: number;
}

/** Where the device is neither WebGPU nor the CPU: its programs are estimated as if they were WebGPU's. */
const otherLowering = (largestTensor: number): NonNullable<DeviceLimits['webgpu']> => ({
  // Dispatches are WebGPU's: on another device their number is no limit.
  lowering: {
    maxWorkgroupsPerDimension: Number.MAX_SAFE_INTEGER,
    maxBindingBytes: largestTensor,
    workgroupMemory: 16_384,
  },
  gemm: uniformChoice({ variant: 'register', splitTo: 0 }),
});

/** Bytes of one compiled graph, on WebGPU and on the CPU device. */
interface Size {
  readonly slots: readonly number[];
  readonly activations: number;
  readonly scratch: number;
  readonly fixed: number;
  readonly largest: NamedBytes;
  readonly cpu?: CpuProgramSize;
}

/** The model as its policy will be opened for these settings. */
function modelOf(config: VlmConfig, settings: ResolvedConfig, held?: RunShapes['dtypeOf']): PolicyModel {
  const { use_peft, freeze_vision_tower } = settings;
  const trains = (name: string) => !use_peft && !(freeze_vision_tower && name.startsWith(visionPrefix));
  return {
    ...config,
    lora: loraOf(settings),
    dtypeOf: held ?? heldAs(config, trains),
    hasBlocks: isLarge(config),
  };
}

/** Counts runs of one model on one device under several settings and choices; graphs that they share are built once. */
export class RunCounter {
  private readonly shapes: Map<string, Shape>;
  private readonly webgpu: NonNullable<DeviceLimits['webgpu']>;
  private readonly sizes = new Map<string, Size>();

  constructor(
    private readonly config: VlmConfig,
    private readonly run: RunShapes,
    readonly limits: DeviceLimits,
  ) {
    this.shapes = parameterShapes(config);
    this.webgpu = limits.webgpu ?? otherLowering(limits.largestTensor);
  }

  /** What there is whatever the passes are: weights, gradients, moments, reference. */
  standing(settings: ResolvedConfig): Map<PartKind, number> {
    const model = modelOf(this.config, settings, this.run.dtypeOf);
    const trainable = this.trainable(settings, model);
    const sum = (entries: Iterable<[string, Shape]>, of: (name: string) => boolean = () => true) =>
      [...entries].reduce(
        (total, [name, shape]) =>
          of(name) ? total + bytesOf({ shape, dtype: model.dtypeOf?.(name) ?? 'f32' }) : total,
        0,
      );
    const isHalf = (name: string) => model.dtypeOf?.(name) === 'f16';
    const changed = sum(trainable);
    return new Map<PartKind, number>([
      ['frozenHalf', sum(this.shapes, isHalf)],
      ['frozen', sum(this.shapes, (name) => !isHalf(name) && !trainable.has(name))],
      ['trained', model.lora ? 0 : changed],
      ['adapter', model.lora ? changed : 0],
      ['gradients', changed],
      ['moments', 2 * changed],
      // A copy, held as what it is of.
      ['reference', settings.beta > 0 && !model.lora ? sum(this.shapes) : 0],
      ['runtime', this.limits.wasm === undefined ? 0 : runtimeBytes],
    ]);
  }

  /** Throws a UserError where the model has no such modules as lora_target_modules asks for. */
  count(settings: ResolvedConfig, choices: PassChoices): Counted {
    const parts = this.standing(settings);
    const passes = this.passes(settings, choices);
    const training = passes.filter(([name]) => name.endsWith('training pass')).map(([, size]) => size);
    const wasm = this.limits.wasm === undefined ? undefined : wasmBytes(passes);
    if (wasm === undefined) addPasses(parts, passes, training);
    else {
      const peak = (list: readonly Size[]) => list.reduce((most, { cpu }) => Math.max(most, cpu!.between), 0);
      const all = passes.map(([, size]) => size);
      parts.set('activations', peak(training));
      parts.set('rollout', peak(all) - peak(training));
      parts.set('workspace', wasm);
      parts.set('fixed', total(all.map(({ fixed }) => fixed)) + this.pixels(settings));
    }
    const list = partKinds.flatMap((kind) => {
      const bytes = parts.get(kind) ?? 0;
      return bytes > 0 ? [{ kind, bytes }] : [];
    });
    const model = modelOf(this.config, settings, this.run.dtypeOf);
    const tensors = [...this.shapes].map(([name, shape]) => ({
      name,
      bytes: bytesOf({ shape, dtype: model.dtypeOf?.(name) ?? 'f32' }),
    }));
    return {
      parts: list,
      total: total(list.map(({ bytes }) => bytes)),
      passes: passes.map(([name, { activations, fixed, cpu }]) => ({
        name,
        bytes: activations + fixed + (cpu?.wasm ?? 0),
      })),
      keyValueCache: this.keyValueCache(settings, choices),
      largestTensor: [
        ...tensors,
        ...passes.map(([name, { largest }]) => ({ ...largest, name: `${largest.name} of ${name}` })),
      ].reduce((a, b) => (b.bytes > a.bytes ? b : a)),
      ...(wasm !== undefined && { wasm }),
    };
  }

  private trainable(settings: ResolvedConfig, { lora }: PolicyModel): Map<string, Shape> {
    if (lora) return loraShapes(this.config, lora);
    const frozen = (name: string) => settings.freeze_vision_tower && name.startsWith(visionPrefix);
    return new Map([...this.shapes].filter(([name]) => !frozen(name)));
  }

  private keyValueCache(settings: ResolvedConfig, { promptsPerRun }: PassChoices): number {
    const { layers, kvHeads, headDim } = this.config.text;
    const { num_generations: G, max_completion_length: T } = settings;
    const rows = promptsPerRun * (Math.max(...this.run.prefixLengths) + G * T);
    return 2 * layers * rows * kvHeads * headDim * 4;
  }

  /** Images of a generation as the tower takes them, original and masked, in the host's memory. */
  private pixels(settings: ResolvedConfig): number {
    return planBatches(settings).promptsPerGeneration * 2 * 3 * this.config.vision.imageSize ** 2 * 4;
  }

  /** What the trainer compiles: see Trainer, Policy.generate and evaluate. */
  private passes(settings: ResolvedConfig, choices: PassChoices): [string, Size][] {
    const plan = planBatches(settings);
    const { num_generations: G, max_completion_length: T } = settings;
    const model: PolicyModel = {
      ...modelOf(this.config, settings, this.run.dtypeOf),
      headChunkBytes: choices.headChunkBytes,
    };
    const trainable = this.trainable(settings, model);
    const needsMasked = settings.perception_loss_weight > 0 || settings.der_loss_weight2 > 0;
    const hasMaskedLogps =
      needsMasked && settings.objective === 'authors' && settings.detach_masked_branch && plan.needsOldLogps;
    const size = plan.microBatchSize / choices.pieces;
    const unit = gcd(size, gcd(plan.microBatchSize, G));
    const prompts = Math.min(choices.promptsPerRun, plan.promptsPerGeneration);
    /** What a graph depends on beside its shape. */
    const key = JSON.stringify([model.lora, settings.freeze_vision_tower, choices.headChunkBytes]);
    const found: [string, Size][] = [];
    const add = (name: string, kind: unknown, first: NamedBytes, count: number, build: () => Graph) =>
      found.push([name, this.size(`${key} ${JSON.stringify(kind)}`, first, count, build)]);
    const { hiddenSize, layers, kvHeads, headDim } = this.config.text;

    for (const prefixLength of this.run.prefixLengths) {
      const rollout = (name: string, shape: RolloutShape, sampling: SamplingAttributes) => {
        const bytes = shape.prompts * shape.group * shape.maxTokens * kvHeads * headDim * 4;
        const ends = { endTokens: [0], padToken: 0 };
        add(name, ['rollout', shape, sampling], { name: 'key-value cache', bytes }, 2 * layers, () =>
          rolloutGraph(model, shape, sampling, ends),
        );
      };
      const { top_k: topK, top_p: topP, min_p } = settings;
      const sampling = { greedy: false, topK, topP, minP: min_p ?? 0 };
      rollout('rollout', { prompts, group: G, maxTokens: T, prefixLength }, sampling);
      if (this.run.evaluation) {
        const shape = { ...this.run.evaluation, prompts: choices.evaluationPromptsPerRun, prefixLength };
        rollout('evaluation', shape, { topK: 0, topP: 1, minP: 0 });
      }
      const pass = (name: string, kind: unknown, views: 1 | 2, build: (shape: PassShape) => Graph) => {
        const shape = { prompts: size / unit, prefixLength, group: unit, completionLength: T, views };
        const rows = views * (shape.prompts * prefixLength + size * T);
        const first = { name: 'hidden states', bytes: rows * hiddenSize * 4 };
        add(name, [kind, shape], first, layers, () => build(shape));
      };
      if (plan.needsOldLogps) pass('score', 'score', 1, (shape) => scoreGraph(model, shape));
      if (settings.beta > 0)
        pass('score of the reference', 'reference', 1, (shape) =>
          scoreGraph({ ...model, lora: null }, shape),
        );
      for (const accumulate of plan.stepsPerUpdate * choices.pieces > 1 ? [false, true] : [false]) {
        const options = {
          ...{ trainable: [...trainable.keys()], accumulate, hasMaskedLogps },
          hasOldLogps: plan.needsOldLogps,
          hasRefLogps: settings.beta > 0,
        };
        const { recompute } = choices;
        const kind = [
          'train',
          accumulate,
          recompute,
          hasMaskedLogps,
          options.hasOldLogps,
          options.hasRefLogps,
        ];
        const name = accumulate ? 'accumulating training pass' : 'training pass';
        pass(name, kind, needsMasked && !hasMaskedLogps ? 2 : 1, (shape) =>
          trainingGraph({ ...model, hasBlocks: recompute }, shape, settings, options),
        );
      }
    }
    if (settings.mask_type === 'semantic') {
      const bytes = prompts * 3 * this.config.vision.imageSize ** 2 * 4;
      add('saliency', ['saliency', prompts], { name: 'pixel_values', bytes }, 1, () =>
        saliencyGraph(model, prompts),
      );
    }
    const first = { name: 'sums of squares', bytes: 4 };
    if (this.limits.wasm === undefined)
      add('optimizer', 'optimizer', first, 1, () => optimizerGraph(trainable, optimizerAttributes));
    return found;
  }

  /**
   * `first`: one tensor that the graph surely holds `count` of. Where it is too large already, the graph is not built,
   * because its constants would be as large.
   */
  private size(key: string, first: NamedBytes, count: number, build: () => Graph): Size {
    if (first.bytes > this.limits.largestTensor) {
      const bytes = count * first.bytes;
      return {
        ...{ slots: Array<number>(count).fill(first.bytes), activations: bytes, scratch: 0, fixed: 0 },
        largest: first,
        ...(this.limits.wasm !== undefined && {
          cpu: { between: bytes, wasm: bytes, kept: 0, isApart: true },
        }),
      };
    }
    let size = this.sizes.get(key);
    if (!size) {
      const graph = build();
      if (this.limits.wasm === undefined) size = programSize(graph, this.webgpu);
      else {
        const { largest, fixed, ...cpu } = cpuProgramSize(graph);
        size = { slots: [], activations: cpu.between, scratch: 0, fixed, largest, cpu };
      }
      this.sizes.set(key, size);
    }
    return size;
  }
}

/** On WebGPU all passes stay compiled and share what they compute in. */
function addPasses(
  parts: Map<PartKind, number>,
  passes: readonly [string, Size][],
  training: readonly Size[],
): void {
  const all = passes.map(([, size]) => size);
  const pooled = pooledBytes(all.map(({ slots }) => slots));
  const ofTraining = pooledBytes(training.map(({ slots }) => slots));
  const scratch = training.reduce((most, size) => Math.max(most, size.scratch), 0);
  parts.set('activations', ofTraining - scratch);
  parts.set('workspace', scratch);
  parts.set('rollout', pooled - ofTraining);
  parts.set('fixed', total(all.map(({ fixed }) => fixed)));
}

/** WebAssembly's memory only grows: to the largest run of programs that give theirs back, beside what others keep. */
function wasmBytes(passes: readonly [string, Size][]): number {
  const sizes = passes.map(([, size]) => size.cpu!);
  const kept = total(sizes.map(({ kept, wasm, isApart }) => (isApart ? kept : kept + wasm)));
  const apart = sizes.reduce((most, { wasm, isApart }) => (isApart ? Math.max(most, wasm) : most), 0);
  return wasmBase + kept + apart;
}

/** They do not change the size of its program. */
const optimizerAttributes = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxNorm: 1 };

const total = (bytes: readonly number[]) => bytes.reduce((sum, b) => sum + b, 0);
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The length that prompts are taken to have where none are known: the image, its frame, and a short question. */
export const usualPromptTokens = (config: VlmConfig) => imageTokens(config) + 64;
