/** A policy on a device: a SmolVLM's weights, its text and image processors, and its compiled passes. */
import {
  type ImagePreparation,
  type ImageProcessorConfig,
  imagePreparation,
  imageProcessorConfig,
  toPixelValues,
} from '../data/image-processor.ts';
import type { RasterImage } from '../data/raster.ts';
import { TextProcessor } from '../data/tokenizer.ts';
import type { Device, Program, Store } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { SamplingAttributes } from '../ops/generation.ts';
import type { Graph, Shape } from '../ops/graph.ts';
import { convertTensor } from '../store/convert-tensor.ts';
import type { ModelFolder } from '../store/hf-folder.ts';
import { type OpenModel, openFromMemory } from '../store/open-folder.ts';
import { parseVlmConfig, patchesPerSide } from './config.ts';
import { type RolloutShape, rolloutGraph } from './generate.ts';
import { imagesOf, layout, type PolicyPrompt, roundUp } from './layout.ts';
import { initialLora, type LoraConfig, loraShapes } from './lora.ts';
import type { PolicyModel } from './model.ts';
import { checkWeights, parameterShapes, visionPrefix, type Weight } from './parameters.ts';
import { heldAs, isLarge } from './precision.ts';
import { saliencyGraph } from './vision.ts';

export interface GenerateOptions extends SamplingAttributes {
  /** G, completions a prompt. */
  readonly group: number;
  /** T, the most tokens of a completion. */
  readonly maxTokens: number;
  readonly temperature: number;
  /** A number in [0, 1) for token t of completion n, row-major in prompts; a pure function, so that runs repeat. */
  readonly uniform: (t: number, n: number) => number;
  /** Prompts in one program run; more are generated in turns. Default: all at once. */
  readonly promptsPerRun?: number;
  /** After each program run; may wait, so that messages come through. */
  readonly onProgress?: (done: number, total: number) => Promise<void> | void;
  /** The prefix is padded to a multiple of this. */
  readonly padToMultipleOf?: number;
}

export interface OpenOptions {
  /** The weights that will be trained, which are held in float32 then; default: all. */
  readonly trains?: (name: string) => boolean;
  /** Bytes of the weight files; may wait, so that messages come through. */
  readonly onProgress?: (loaded: number, total: number) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

export interface Completions {
  /** [P · G, T] row-major, padded behind the end token. */
  readonly ids: Int32Array;
  /** Tokens up to and with the end token, [P · G]. */
  readonly lengths: Int32Array;
  /** Whether the end token was written, [P · G]. */
  readonly terminated: boolean[];
  /** Without special tokens, [P · G]. */
  readonly texts: string[];
}

export class Policy {
  private readonly programs = new Map<string, Promise<Program>>();

  private constructor(
    readonly device: Device,
    readonly config: PolicyModel,
    readonly text: TextProcessor,
    /** preprocessor_config.json */
    readonly imageProcessor: ImageProcessorConfig,
    readonly weights: Store,
    /** The folder that the policy came from: configuration and tokenizer files to save again. */
    readonly folder: Pick<ModelFolder, 'config' | 'files'> & Partial<Pick<OpenModel, 'tensors'>>,
    /** LoRA's tensors, where `config.lora` says that there are some. The weights are another policy's then. */
    readonly adapter: Store | null = null,
  ) {}

  /** Where the variables of its graphs are. */
  get stores(): readonly Store[] {
    return this.adapter ? [this.adapter, this.weights] : [this.weights];
  }

  /** What training changes lies here. */
  get trained(): Store {
    return this.adapter ?? this.weights;
  }

  /**
   * This policy with an adapter beside its weights, which stay shared: it must not outlive this one. `tensors`: the
   * adapter's, by the names of loraShapes; default: PEFT's initialisation from `seed`.
   */
  adapt(lora: LoraConfig, seed: number, tensors?: ReadonlyMap<string, Weight>): Policy {
    const entries = [...loraShapes(this.config, lora)].map(([name, shape]) => {
      const tensor = tensors?.get(name);
      if (tensors && String(tensor?.shape) !== String(shape))
        throw new UserError(`the adapter's ${name} is [${tensor?.shape ?? ''}]; expected [${shape}]`);
      return { name, shape, data: tensor?.data };
    });
    const initial = tensors ? undefined : initialLora(this.config, lora, seed);
    const store = this.device.createStore(
      entries.map((entry) => ({ ...entry, data: entry.data ?? initial?.get(entry.name)?.data })),
    );
    const { device, text, imageProcessor, weights, folder } = this;
    return new Policy(device, { ...this.config, lora }, text, imageProcessor, weights, folder, store);
  }

  /** What a folder says of itself, checked. Throws a UserError where it is no SmolVLM folder, or not whole. */
  static inspect(folder: Pick<OpenModel, 'config' | 'files' | 'json' | 'tensors'>) {
    const config = parseVlmConfig(folder.config);
    const decoder = new TextDecoder();
    const text = TextProcessor.fromFolder(
      Object.fromEntries([...folder.files].map(([name, bytes]) => [name, decoder.decode(bytes)])),
    );
    const imageProcessor = imageProcessorConfig(folder.json);
    return { config, text, imageProcessor, tensors: checkWeights(config, folder.tensors) };
  }

  /** A folder in memory on a device, all of its weights in float32. */
  static create(device: Device, folder: ModelFolder): Policy {
    const { config, text, imageProcessor } = Policy.inspect(openFromMemory(folder));
    const store = device.createStore(
      [...checkWeights(config, folder.weights)].map(([name, weight]) => ({ name, ...weight })),
    );
    const model = { ...config, hasBlocks: isLarge(config) };
    return new Policy(device, model, text, imageProcessor, store, folder);
  }

  /**
   * A folder brought to a device tensor by tensor, each converted on the way: no more than one is in memory beside what
   * the device holds. Rejects with a UserError, or the signal's reason; nothing is left on the device then.
   */
  static async open(
    device: Device,
    model: OpenModel,
    { trains = () => true, onProgress, signal }: OpenOptions = {},
  ): Promise<Policy> {
    const { config, text, imageProcessor, tensors } = Policy.inspect(model);
    const dtypeOf = heldAs(config, trains);
    const store = device.createStore(
      [...tensors].map(([name, { shape }]) => ({ name, shape, dtype: dtypeOf(name) })),
    );
    try {
      const total = [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
      let loaded = 0;
      // In the order of the file, so that it is read from its beginning to its end.
      for (const [name, { dtype, bytes }] of model.tensors) {
        const tensor = tensors.get(name);
        if (!tensor) continue;
        const data = await tensor.read(signal);
        if (dtypeOf(name) === 'f16') store.write(name, convertTensor(data, dtype, 'f16', name));
        else store.write(name, convertTensor(data, dtype, 'f32', name));
        loaded += bytes;
        await onProgress?.(loaded, total);
      }
    } catch (error) {
      store.dispose();
      throw error;
    }
    const shape = { ...config, dtypeOf, hasBlocks: isLarge(config) };
    return new Policy(device, shape, text, imageProcessor, store, model);
  }

  /** Names and shapes of what training changes: the adapter, or all weights (but the vision tower's). */
  trainable({ freezeVisionTower = false } = {}): Map<string, Shape> {
    const { lora } = this.config;
    if (lora) return loraShapes(this.config, lora);
    return new Map(
      [...parameterShapes(this.config)].filter(
        ([name]) => !freezeVisionTower || !name.startsWith(visionPrefix),
      ),
    );
  }

  /** A user's text and image as the policy sees them. */
  prompt(text: string, image: RasterImage): PolicyPrompt {
    return { ids: this.text.buildPrompt(text), pixelValues: this.pixels(image) };
  }

  /** How images are brought to the pixels that the tower gets; whoever keeps images keeps these. */
  get preparation(): ImagePreparation {
    return imagePreparation(this.imageProcessor);
  }

  pixels(image: RasterImage): Float32Array {
    return toPixelValues(image, this.imageProcessor);
  }

  /** A compiled pass, made once a key. */
  program(key: string, build: () => Graph, stores: readonly Store[] = this.stores): Promise<Program> {
    let program = this.programs.get(key);
    if (!program) {
      program = this.device.compile(build(), stores);
      // A failed compilation must not be remembered.
      program.catch(() => this.programs.delete(key));
      this.programs.set(key, program);
    }
    return program;
  }

  /** G completions of each prompt. */
  async generate(prompts: readonly PolicyPrompt[], options: GenerateOptions): Promise<Completions> {
    const { group: G, maxTokens: T, greedy = false, topK, topP, minP } = options;
    const P = Math.min(options.promptsPerRun ?? prompts.length, prompts.length);
    const longest = prompts.reduce((most, p) => Math.max(most, p.ids.length), 0);
    const L = roundUp(longest, options.padToMultipleOf ?? 8);
    if (L + T > this.config.text.maxPositions)
      throw new UserError(
        `a prompt of ${longest} tokens with completions of ${T} passes the model's ${this.config.text.maxPositions} positions`,
      );
    const sampling = { greedy, topK, topP, minP };
    const ends = { endTokens: this.text.eosTokenIds, padToken: this.text.padTokenId };
    const ids = new Int32Array(prompts.length * G * T);
    for (let first = 0; first < prompts.length; first += P) {
      // The last run is filled up with its last prompt; what it writes for that is dropped.
      const run = Array.from({ length: P }, (_, p) => prompts[Math.min(first + p, prompts.length - 1)]);
      const images = imagesOf(run);
      const shape: RolloutShape = { prompts: P, prefixLength: L, group: G, maxTokens: T, images };
      const program = await this.program(`rollout ${JSON.stringify([shape, sampling])}`, () =>
        rolloutGraph(this.config, shape, sampling, ends),
      );
      const counts = { prefixes: P, prefixLength: L, group: 0, completionLength: 0, images };
      const N = P * G;
      const { completions } = await program.run({
        ...layout(this.config, counts, run, ends.padToken),
        temperature: Float32Array.of(options.temperature),
        uniforms: Float32Array.from({ length: T * N }, (_, i) =>
          options.uniform(Math.floor(i / N), first * G + (i % N)),
        ),
        completion_start: Int32Array.from({ length: N }, (_, n) => run[Math.floor(n / G)].ids.length),
      });
      const wanted = Math.min(P, prompts.length - first) * G * T;
      ids.set(completions.subarray(0, wanted), first * G * T);
      await options.onProgress?.(Math.min(first + P, prompts.length), prompts.length);
    }
    return this.readCompletions(ids, T);
  }

  readCompletions(ids: Int32Array, T: number): Completions {
    const N = ids.length / T;
    const lengths = new Int32Array(N);
    const terminated: boolean[] = [];
    const texts: string[] = [];
    for (let n = 0; n < N; n++) {
      const row = Array.from(ids.subarray(n * T, (n + 1) * T));
      const end = row.findIndex((id) => this.text.eosTokenIds.includes(id));
      lengths[n] = end < 0 ? T : end + 1;
      terminated.push(end >= 0);
      texts.push(this.text.decode(row.slice(0, lengths[n]), { skipSpecialTokens: true }));
    }
    return { ids, lengths, terminated, texts };
  }

  /** Attention that each patch of each image receives, [images, patches]: see patchSaliency. */
  async saliency(images: readonly Float32Array[], imagesPerRun = images.length): Promise<Float32Array> {
    const count = Math.min(imagesPerRun, images.length);
    const size = images[0].length;
    const program = await this.program(`saliency ${count}`, () => saliencyGraph(this.config, count));
    const pixel_values = new Float32Array(count * size);
    const patches = patchesPerSide(this.config) ** 2;
    const received = new Float32Array(images.length * patches);
    for (let first = 0; first < images.length; first += count) {
      const own = images.slice(first, first + count);
      own.forEach((image, i) => {
        pixel_values.set(image, i * size);
      });
      const { saliency } = await program.run({ pixel_values });
      received.set(saliency.subarray(0, own.length * patches), first * patches);
    }
    return received;
  }

  /** The weights as they are now, by Hugging Face name. */
  async readWeights(): Promise<Map<string, Weight>> {
    const weights = new Map<string, Weight>();
    for (const [name, data] of await this.weights.readMany([...parameterShapes(this.config).keys()]))
      weights.set(name, { shape: [...this.weights.shape(name)], data });
    return weights;
  }

  dispose(): void {
    for (const program of this.programs.values())
      void program.then(
        (p) => p.dispose(),
        () => {},
      );
    this.programs.clear();
    this.trained.dispose();
  }
}
