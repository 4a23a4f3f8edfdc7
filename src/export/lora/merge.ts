/** The weights with the adapter added in: what PEFT's merge_and_unload leaves, one tensor at a time. */
import { UserError } from '../../errors.ts';
import { parseVlmConfig } from '../../policy/config.ts';
import { type LoraConfig, loraA, loraB, loraModules, loraScale, loraShapes } from '../../policy/lora.ts';
import type { JsonObject } from '../../store/json.ts';
import type { TensorSource } from '../out-file.ts';

/** An adapter on its way out: its tensors by `<module>.lora_A.weight` and `<module>.lora_B.weight`. */
export interface Adapter {
  readonly lora: LoraConfig;
  readonly tensors: TensorSource;
}

/** Throws UserError unless the adapter has exactly the tensors that its settings ask for in a model of this config. */
export function checkAdapter(config: JsonObject, { lora, tensors }: Adapter): void {
  const expected = loraShapes(parseVlmConfig(config), lora);
  for (const [name, shape] of expected) {
    const found = tensors.shapes.get(name);
    if (String(found) !== String(shape))
      throw new UserError(
        `The adapter's ${name} is ${found ? `[${found}]` : 'missing'}; its settings ask for [${shape}].`,
      );
  }
  for (const name of tensors.shapes.keys())
    if (!expected.has(name))
      throw new UserError(`The adapter has ${name}, which its settings do not ask for.`);
}

/**
 * `base` with W + s·B·A in place of every adapted W, computed when it is read: sums in float64, one rounding to
 * float32. All other tensors are the base's own, and so are the bytes of its file where it has them. Throws UserError
 * for an adapter that does not fit.
 */
export function mergedSource(config: JsonObject, base: TensorSource, adapter: Adapter): TensorSource {
  checkAdapter(config, adapter);
  const { lora, tensors } = adapter;
  const scale = loraScale(lora);
  const adapted = new Map<string, string>();
  for (const [module, shape] of loraModules(parseVlmConfig(config), lora)) {
    const name = `${module}.weight`;
    const found = base.shapes.get(name);
    if (String(found) !== String(shape))
      throw new UserError(
        `The base model's ${name} is ${found ? `[${found}]` : 'missing'}; expected [${shape}].`,
      );
    adapted.set(name, module);
  }
  return {
    shapes: base.shapes,
    async read(name) {
      const module = adapted.get(name);
      const weight = await base.read(name);
      if (module === undefined) return weight;
      const [a, b] = [await tensors.read(loraA(module)), await tensors.read(loraB(module))];
      return addProduct(weight, a, b, lora.r, scale);
    },
    async original(name) {
      return adapted.has(name) ? null : ((await base.original?.(name)) ?? null);
    },
  };
}

/** W [out, in] + scale · B [out, r] · A [r, in], in new memory: W may be the model itself. */
function addProduct(
  weight: Float32Array,
  a: Float32Array,
  b: Float32Array,
  r: number,
  scale: number,
): Float32Array {
  const columns = a.length / r;
  const out = new Float32Array(weight.length);
  const row = new Float64Array(columns);
  for (let o = 0; o < b.length / r; o++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = b[o * r + k];
      const from = k * columns;
      for (let i = 0; i < columns; i++) row[i] += factor * a[from + i];
    }
    const at = o * columns;
    for (let i = 0; i < columns; i++) out[at + i] = weight[at + i] + scale * row[i];
  }
  return out;
}
