/** A policy's parameters and adapters as variables of a graph. */
import { add, scale } from '../ops/elementwise.ts';
import type { Graph, Tensor } from '../ops/graph.ts';
import { linear } from '../ops/linear.ts';
import type { VlmConfig } from './config.ts';
import { type LoraConfig, loraA, loraB, loraModules, loraScale } from './lora.ts';
import { parameterShapes } from './parameters.ts';

/** How a graph over the policy is made, beside its architecture. */
export interface PolicyModel extends VlmConfig {
  /** The linear modules' adapters, which are variables like the parameters. */
  readonly lora?: LoraConfig | null;
  /** How a parameter is held on the device; default f32. */
  readonly dtypeOf?: (name: string) => 'f32' | 'f16';
  /** Layers are blocks of the graph: see Graph.blocks. */
  readonly hasBlocks?: boolean;
  /** Most bytes of logits that a training or scoring pass holds at once; default headSettings.chunkBytes. */
  readonly headChunkBytes?: number;
}

/** The model's parameters as variables of a graph, by their Hugging Face names. */
export interface Parameters {
  (name: string): Tensor;
  /** y [R, out] = x [R, in] through a linear module: weight, bias where it has one, adapter where it has one. */
  linear(g: Graph, x: Tensor, module: string): Tensor;
}

/** The calls of `linear` go to the graph that it is given, which may be a loop's body in `owner`. */
export function parameters(owner: Graph, model: PolicyModel): Parameters {
  const shapes = parameterShapes(model);
  const { lora, dtypeOf } = model;
  const adapted = lora ? loraModules(model, lora) : undefined;
  const w = (name: string): Tensor => {
    const shape = shapes.get(name);
    if (!shape) throw new Error(`the model has no parameter ${name}`);
    return owner.variable(name, shape, dtypeOf?.(name));
  };
  const linearModule = (g: Graph, x: Tensor, module: string): Tensor => {
    const bias = `${module}.bias`;
    const y = linear(g, x, w(`${module}.weight`), shapes.has(bias) ? w(bias) : undefined);
    const shape = adapted?.get(module);
    if (!lora || !shape) return y;
    const a = owner.variable(loraA(module), [lora.r, shape[1]]);
    const b = owner.variable(loraB(module), [shape[0], lora.r]);
    return add(g, y, linear(g, scale(g, linear(g, x, a), loraScale(lora)), b));
  };
  return Object.assign(w, { linear: linearModule });
}
