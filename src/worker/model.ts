/**
 * The model that is loaded: opened, its tensors waiting where they are; and on the device once, as soon as somebody
 * wants it there, for all that only read its weights: the base that answers, and the runs that train an adapter on it.
 */
import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import type { VlmConfig } from '../policy/config.ts';
import { loraModules, loraOf } from '../policy/lora.ts';
import { Policy } from '../policy/policy.ts';
import { isLarge, parameterCount } from '../policy/precision.ts';
import { crc32 } from '../store/crc32.ts';
import type { OpenModel } from '../store/open-folder.ts';
import type { TensorSource } from '../store/tensor-source.ts';
import type { LoadProgress, ModelMark, ModelSource } from './model-protocol.ts';
import type { Problem } from './protocol.ts';

/** A matrix that every fine-tuning changes, with or without an adapter that was merged. */
const marked = 'model.text_model.layers.0.self_attn.q_proj.weight';

export class LoadedModel implements ModelMark {
  readonly config: VlmConfig;
  readonly isLarge: boolean;
  readonly parameters: number;
  private shared?: { readonly device: Device; readonly policy: Promise<Policy> };

  private constructor(
    readonly folder: OpenModel,
    readonly name: string,
    readonly source: ModelSource,
    readonly mark: string,
  ) {
    this.config = Policy.inspect(folder).config;
    this.isLarge = isLarge(this.config);
    this.parameters = parameterCount(this.config);
  }

  /** Throws a UserError where the folder is no SmolVLM's, or not whole. What is not large is read into memory. */
  static async of(
    opened: OpenModel,
    name: string,
    source: ModelSource,
    signal?: AbortSignal,
  ): Promise<LoadedModel> {
    const { config } = Policy.inspect(opened);
    const folder = isLarge(config) ? opened : await inMemory(opened, signal);
    const json = new TextEncoder().encode(JSON.stringify(folder.config));
    const bytes = await folder.tensors.get(marked)?.read(signal);
    const mark = crc32(bytes ?? new Uint8Array(), crc32(json));
    return new LoadedModel(folder, name, source, mark.toString(16).padStart(8, '0'));
  }

  /** The policy that all share who do not change its weights. Its owner is this. */
  base(device: Device, onProgress?: (progress: LoadProgress) => void, signal?: AbortSignal): Promise<Policy> {
    if (this.shared?.device === device) return this.shared.policy;
    this.leaveDevice();
    const started = performance.now();
    let told = 0;
    const policy = Policy.open(device, this.folder, {
      // A small model answers in the precision that it is trained in.
      trains: () => false,
      signal,
      onProgress: async (loaded, total) => {
        const now = performance.now();
        if (now - told < 100 && loaded < total) return;
        told = now;
        const perSecond = loaded / Math.max(0.001, (now - started) / 1000);
        const bytes = { loaded, total, perSecond, secondsLeft: (total - loaded) / perSecond };
        onProgress?.({ message: `${this.name}: onto the device`, fraction: loaded / total, bytes });
        // A word to stop comes through between two tensors.
        await new Promise((resolve) => setTimeout(resolve));
      },
    });
    this.shared = { device, policy };
    policy.catch(() => {
      if (this.shared?.policy === policy) this.shared = undefined;
    });
    return policy;
  }

  /** Gives back what it holds on the device; adapters on it are gone before. */
  leaveDevice(): void {
    void this.shared?.policy.then(
      (policy) => policy.dispose(),
      () => undefined,
    );
    this.shared = undefined;
  }

  /** What of the settings does not go with this model. */
  problems(settings: ResolvedConfig): Problem[] {
    try {
      const lora = loraOf(settings);
      if (lora) loraModules(this.config, lora);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const [, field, message] = /^([a-z_]+): (.*)$/s.exec(error.message) ?? [];
      return [field ? { field, message } : { message: error.message }];
    }
    const most = this.config.text.maxPositions;
    if (settings.max_completion_length >= most)
      return [
        {
          field: 'max_completion_length',
          message: `expected fewer than the model’s ${most} positions, got ${settings.max_completion_length}.`,
        },
      ];
    return [];
  }
}

/** The same with its tensors read: a small model is asked for again and again. */
async function inMemory(folder: OpenModel, signal?: AbortSignal): Promise<OpenModel> {
  const tensors = new Map<string, TensorSource>();
  for (const [name, tensor] of folder.tensors) {
    const bytes = await tensor.read(signal);
    tensors.set(name, { ...tensor, read: async () => bytes });
  }
  return { ...folder, tensors };
}
