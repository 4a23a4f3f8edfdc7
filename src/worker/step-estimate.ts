/**
 * About how long a step takes: the multiplications that it is made of, by how fast this device does such products. Two are
 * timed, a second each: many rows, as in the training pass and a prompt, and as few as there are completions of a prompt,
 * as in every turn of a rollout.
 */
import type { Device, Program } from '../device/device.ts';
import { Graph } from '../ops/graph.ts';
import { linear } from '../ops/linear.ts';
import { planBatches } from '../papo/batches.ts';
import type { ResolvedConfig } from '../papo/config.ts';
import type { VlmConfig } from '../policy/config.ts';
import { heldAs, isLarge } from '../policy/precision.ts';
import type { StepEstimate } from './model-protocol.ts';

/** Floating-point operations per second: of products with many rows, and with as many as a group has. */
export interface Rates {
  readonly many: number;
  readonly few: number;
}

export interface StepWork {
  /** Floating-point operations. */
  readonly prefill: number;
  readonly decode: number;
  readonly training: number;
}

/** One update's work; `prefixLength`: tokens of a prompt with its image. Every completion is taken to be as long as it may. */
export function stepWork(config: VlmConfig, settings: ResolvedConfig, prefixLength: number): StepWork {
  const { text, vision } = config;
  const { hiddenSize: D, intermediateSize: I, layers, heads, kvHeads, headDim } = text;
  const T = settings.max_completion_length;
  const layer = D * headDim * (2 * heads + 2 * kvHeads) + 3 * D * I;
  /** A token of the decoder that looks back on `context` others. */
  const token = (context: number) => layers * (2 * layer + 4 * heads * headDim * context);
  const head = 2 * text.vocabSize * D;
  const patches = (vision.imageSize / vision.patchSize) ** 2;
  const { hiddenSize: Dv, intermediateSize: Iv } = vision;
  const image = patches * vision.layers * (2 * (4 * Dv * Dv + 2 * Dv * Iv) + 4 * Dv * patches);
  const prompt = image + prefixLength * token(prefixLength / 2);
  const answer = T * token(prefixLength + T / 2);

  const batches = planBatches(settings);
  const completions = batches.microBatchSize * batches.stepsPerUpdate;
  const prompts = completions / settings.num_generations;
  const generations = batches.stepsPerUpdate / batches.generateEvery;
  const drawn = generations * batches.promptsPerGeneration;

  const { use_peft, freeze_vision_tower, lora_towers, beta } = settings;
  const views = settings.perception_loss_weight > 0 || settings.der_loss_weight2 > 0 ? 2 : 1;
  const trainsVision = use_peft
    ? lora_towers === 'vision' || lora_towers === 'text+vision' || lora_towers === 'all'
    : !freeze_vision_tower;
  // Forward; again where activations are computed again; gradients of values, and of the weights where these are trained.
  const again = (settings.gradient_checkpointing ?? isLarge(config)) ? 1 : 0;
  const passes = 1 + again + (use_peft ? 1 : 2);
  const imagePasses = trainsVision ? passes : 1;
  const trained =
    views *
    (prompts * (imagePasses * image + passes * (prompt - image)) +
      completions * (passes * answer + (use_peft ? 3 : 4) * T * head));
  const scored = (beta > 0 ? 1 : 0) + (batches.needsOldLogps ? 1 : 0);
  const scoring = scored * (prompts * prompt + completions * (answer + T * head));
  return {
    prefill: drawn * prompt,
    decode: drawn * settings.num_generations * (answer + T * head),
    training: trained + scoring,
  };
}

export function estimate(work: StepWork, { many, few }: Rates): StepEstimate {
  const rollout = work.prefill / many + work.decode / few;
  const training = work.training / many;
  return { seconds: rollout + training, rollout, training };
}

const manyRows = 256;
const secondsEach = 0.8;

/** Times products of the decoder's shapes; nothing of it stays on the device. */
export async function measureRates(config: VlmConfig, device: Device, group: number): Promise<Rates> {
  const { hiddenSize: D, intermediateSize: I } = config.text;
  const dtype = heldAs(config, () => false)('model.text_model.layers.0.mlp.up_proj.weight');
  const store = device.createStore([
    { name: 'up', shape: [I, D], dtype },
    { name: 'down', shape: [D, I], dtype },
  ]);
  try {
    const rate = async (rows: number) => {
      const turns = Math.max(1, Math.round(512 / rows));
      const program = await device.compile(chain(rows, D, I, dtype, turns), [store]);
      try {
        return (4 * rows * D * I * turns) / (await secondsOf(program, rows * D));
      } finally {
        program.dispose();
      }
    };
    return { many: await rate(manyRows), few: await rate(group) };
  } finally {
    store.dispose();
  }
}

/** x [rows, D] up and down `turns` times. */
function chain(rows: number, D: number, I: number, dtype: 'f32' | 'f16', turns: number): Graph {
  const g = new Graph();
  let x = g.input('x', [rows, D]);
  for (let turn = 0; turn < turns; turn++)
    x = linear(g, linear(g, x, g.variable('up', [I, D], dtype)), g.variable('down', [D, I], dtype));
  g.output('y', x);
  return g;
}

/** The quickest run of those that there is time for. The first is left out: it warms up. */
async function secondsOf(program: Program, size: number): Promise<number> {
  const x = new Float32Array(size).fill(1);
  await program.run({ x });
  const began = performance.now();
  let best = Number.POSITIVE_INFINITY;
  do {
    const started = performance.now();
    await program.run({ x });
    best = Math.min(best, (performance.now() - started) / 1000);
  } while (performance.now() - began < 1000 * secondsEach);
  return best;
}
