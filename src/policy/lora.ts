/**
 * LoRA as PEFT defines it (Hu et al., arXiv 2106.09685; peft/tuners/lora): a linear module's y = x Wᵀ + b becomes
 * y + s · (x Aᵀ) Bᵀ with A [r, in], B [out, r] and s = lora_alpha / r, or lora_alpha / √r with rank stabilisation
 * (Kalajdzievski, arXiv 2312.03732). W and b stay as they are. Tensors are named `<module>.lora_A.weight` and
 * `<module>.lora_B.weight`; PEFT's files put `base_model.model.` before them.
 */
import { UserError } from '../errors.ts';
import type { Shape } from '../ops/graph.ts';
import { Purpose, RandomStream } from '../papo/random.ts';
import type { Settings } from '../papo/settings.ts';
import type { VlmConfig } from './config.ts';
import { parameterShapes, type Weight } from './parameters.ts';

export const loraTowers = ['text', 'vision', 'connector'] as const;
export type LoraTower = (typeof loraTowers)[number];

/** peft.LoraConfig's names; `towers` is ours. */
export interface LoraConfig {
  readonly r: number;
  readonly lora_alpha: number;
  /** Last names of the modules that get an adapter, such as `q_proj`; `all-linear`: every linear but the head. */
  readonly target_modules: readonly string[] | 'all-linear';
  readonly use_rslora: boolean;
  /** The parts of the model in which they are looked for. */
  readonly towers: readonly LoraTower[];
}

type LoraSettings = Pick<
  Settings,
  'use_peft' | 'lora_r' | 'lora_alpha' | 'lora_target_modules' | 'lora_towers' | 'use_rslora'
>;

/** The adapter that a run's settings ask for; null where all weights are trained. */
export function loraOf(settings: LoraSettings): LoraConfig | null {
  if (!settings.use_peft) return null;
  const towers = {
    text: ['text'],
    vision: ['vision'],
    'text+vision': ['text', 'vision'],
    all: loraTowers,
  } as const;
  return {
    r: settings.lora_r,
    lora_alpha: settings.lora_alpha,
    target_modules: settings.lora_target_modules ?? 'all-linear',
    use_rslora: settings.use_rslora,
    towers: towers[settings.lora_towers],
  };
}

/** s: what the adapter's product is multiplied by. */
export function loraScale({ r, lora_alpha, use_rslora }: LoraConfig): number {
  return lora_alpha / (use_rslora ? Math.sqrt(r) : r);
}

const towerPrefix: Record<LoraTower, string> = {
  text: 'model.text_model.layers.',
  vision: 'model.vision_model.encoder.layers.',
  connector: 'model.connector.',
};

/** Every linear module of these towers as full name → [out, in], in the order of the data's way. */
function linears(config: VlmConfig, towers: readonly LoraTower[]): Map<string, Shape> {
  const found = new Map<string, Shape>();
  for (const [name, shape] of parameterShapes(config))
    if (shape.length === 2 && towers.some((tower) => name.startsWith(towerPrefix[tower])))
      found.set(name.replace(/\.weight$/, ''), shape);
  return found;
}

const lastName = (module: string) => module.slice(module.lastIndexOf('.') + 1);

/** Full names of the modules with an adapter → [out, in]. Throws UserError where a target names no module. */
export function loraModules(config: VlmConfig, lora: LoraConfig): Map<string, Shape> {
  const all = linears(config, lora.towers);
  if (lora.target_modules === 'all-linear') return all;
  const names = new Set([...all.keys()].map(lastName));
  for (const target of lora.target_modules)
    if (!names.has(target))
      throw new UserError(
        `lora_target_modules: ${target} is no linear module of ${lora.towers.join(', ')}; there are ${[...names].join(', ')}`,
      );
  const targets = new Set(lora.target_modules);
  return new Map([...all].filter(([module]) => targets.has(lastName(module))));
}

export const loraA = (module: string) => `${module}.lora_A.weight`;
export const loraB = (module: string) => `${module}.lora_B.weight`;

/** Name → shape of the adapter's tensors: A [r, in] and B [out, r] of each module. */
export function loraShapes(config: VlmConfig, lora: LoraConfig): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const [module, [out, inp]] of loraModules(config, lora)) {
    shapes.set(loraA(module), [lora.r, inp]);
    shapes.set(loraB(module), [out, lora.r]);
  }
  return shapes;
}

/**
 * PEFT's initialisation: A by Kaiming's uniform with a = √5, which is U(−1/√in, 1/√in); B zero, so that the adapter
 * changes nothing before the first update. Row-major float32 of the shapes above.
 */
export function initialLora(config: VlmConfig, lora: LoraConfig, seed: number): Map<string, Weight> {
  const weights = new Map<string, Weight>();
  let index = 0;
  for (const [name, shape] of loraShapes(config, lora)) {
    const random = new RandomStream(seed, Purpose.adapter, index++);
    const data = new Float32Array(shape[0] * shape[1]);
    if (name.endsWith('.lora_A.weight')) {
      const bound = 1 / Math.sqrt(shape[1]);
      for (let i = 0; i < data.length; i++) data[i] = (2 * random.next() - 1) * bound;
    }
    weights.set(name, { shape, data });
  }
  return weights;
}
