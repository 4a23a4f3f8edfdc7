/**
 * LoRA against PEFT and PyTorch (tests/fixtures/lora): logits, loss, every gradient of the adapter, one AdamW step, the
 * logits after it, and greedy completions. Shared by tests in Node and the browser.
 */
import type { Device } from '../src/device/device.ts';
import { rolloutGraph } from '../src/policy/generate.ts';
import { layout, roundUp } from '../src/policy/layout.ts';
import { type LoraConfig, loraModules, loraShapes } from '../src/policy/lora.ts';
import { gradientName, Optimizer } from '../src/policy/optimizer.ts';
import type { ModelFiles } from '../src/store/hf-folder.ts';
import { readSafetensors, toFloat32, toInt32 } from '../src/store/safetensors.ts';
import { tinyModel } from './model-fixture.ts';
import { type ParityError, readExpected, relativeError, sequenceGraph } from './parity.ts';

export const loraCases = ['text', 'all-rslora', 'queries-values', 'untied-all', 'untied-rslora'] as const;

interface Facts {
  /** ../<folder of the base model> */
  readonly base: string;
  readonly lora: LoraConfig;
  readonly modules: readonly string[];
  readonly optimizer: {
    readonly learning_rate: number;
    readonly adam_beta1: number;
    readonly adam_beta2: number;
    readonly adam_epsilon: number;
    readonly weight_decay: number;
    readonly max_grad_norm: number | null;
  };
}

/** `filesOf` opens a folder of tests/fixtures. */
export async function loraErrors(
  device: Device,
  filesOf: (folder: string) => ModelFiles,
  name: (typeof loraCases)[number],
  hasBlocks = false,
): Promise<ParityError[]> {
  const folder = filesOf('lora');
  const facts = JSON.parse(new TextDecoder().decode((await folder.read(`${name}.json`))!)) as Facts;
  const stored = readSafetensors((await folder.read(`${name}.safetensors`))!, name);
  const peft = (key: string) => toFloat32(stored.get(key)!);
  const base = filesOf(facts.base.replace('../', ''));
  const { config, counts, inputs, visible } = await readExpected(base);
  const { lora, optimizer: o } = facts;
  if (String([...loraModules(config, lora).keys()].sort()) !== String(facts.modules))
    throw new Error(`${name}: adapters are in ${[...loraModules(config, lora).keys()]}`);

  const { store: weights, prompts, greedy } = await tinyModel(device, base);
  const shapes = loraShapes(config, lora);
  const adapter = device.createStore(
    [...shapes].map(([tensor, shape]) => ({ name: tensor, shape, data: peft(`before.${tensor}`) })),
  );
  const optimizer = await Optimizer.create(device, adapter, shapes, {
    beta1: o.adam_beta1,
    beta2: o.adam_beta2,
    epsilon: o.adam_epsilon,
    weightDecay: o.weight_decay,
    maxNorm: o.max_grad_norm ?? 0,
  });
  const model = { ...config, lora, hasBlocks };
  const graph = sequenceGraph(model, counts, [...shapes.keys()], (g, tensor, gradient) =>
    g.assign(gradientName(tensor), gradient),
  );
  const program = await device.compile(graph, [adapter, weights, optimizer.store]);
  const errors: ParityError[] = [];
  const note = (what: string, a: ArrayLike<number>, b: ArrayLike<number>) =>
    errors.push({ name: what, error: relativeError(a, b) });

  const before = await program.run(inputs);
  note('logits', visible(before.logits), visible(peft('logits')));
  note('loss', before.loss, peft('loss'));
  for (const tensor of shapes.keys())
    note(`grad.${tensor}`, await optimizer.store.read(gradientName(tensor)), peft(`grad.${tensor}`));

  // Greedy rollouts go through the adapter in the prefix and in every decoding step.
  const [P, T] = [prompts.length, greedy[0].length];
  const L = roundUp(Math.max(...prompts.map((p) => p.ids.length)), 8);
  const rollout = await device.compile(
    rolloutGraph(
      model,
      { prompts: P, prefixLength: L, group: 1, maxTokens: T },
      { greedy: true, topK: 0, topP: 1, minP: 0 },
      { endTokens: [], padToken: 0 },
    ),
    [adapter, weights],
  );
  const { completions } = await rollout.run({
    ...layout(config, { prefixes: P, prefixLength: L, group: 0, completionLength: 0 }, prompts, 0),
    temperature: Float32Array.of(1),
    uniforms: new Float32Array(P * T),
    completion_start: Int32Array.from(prompts, (p) => p.ids.length),
  });
  note('completion_ids', completions, toInt32(stored.get('completion_ids')!));

  await optimizer.update(o.learning_rate);
  for (const tensor of shapes.keys())
    note(`after.${tensor}`, await adapter.read(tensor), peft(`after.${tensor}`));
  const after = await program.run(inputs);
  note('logits_after', visible(after.logits), visible(peft('logits_after')));
  note('loss_after', after.loss, peft('loss_after'));
  for (const made of [program, rollout, optimizer, adapter, weights]) made.dispose();
  return errors;
}
