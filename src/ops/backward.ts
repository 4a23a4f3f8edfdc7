/** Reverse-mode differentiation: a walk back over a graph's calls. */
import { add } from './elementwise.ts';
import type { Graph, Tensor } from './graph.ts';

/**
 * Appends to `g` the calls that compute d(loss)/d(t) for every tensor of `wrt`.
 * `seed`: gradient of the outer loss with respect to each seeded tensor; a scalar loss is seeded with 1.
 * Returns the gradients in the order of `wrt`; throws if one does not depend on the loss.
 */
export function gradients(g: Graph, seeds: Map<Tensor, Tensor>, wrt: readonly Tensor[]): Tensor[] {
  const found = partialGradients(g, seeds, wrt);
  return found.map((gradient, i) => {
    if (!gradient) throw new Error(`the loss does not depend on ${wrt[i].name} [${wrt[i].shape}]`);
    return gradient;
  });
}

/** The same, with undefined where the loss does not depend on the tensor. */
export function partialGradients(
  g: Graph,
  seeds: Map<Tensor, Tensor>,
  wrt: readonly Tensor[],
): (Tensor | undefined)[] {
  const forward = [...g.calls];
  // Only tensors that some `wrt` flows into need a gradient: frozen towers cost nothing.
  const needed = new Set<Tensor>(wrt);
  for (const { op, inputs, outputs } of forward) {
    if (op.backward && inputs.some((t) => needed.has(t))) for (const t of outputs) needed.add(t);
  }
  const gradient = new Map<Tensor, Tensor>(seeds);
  for (const call of forward.reverse()) {
    if (!call.op.backward || !call.outputs.some((t) => gradient.has(t))) continue;
    const needs = call.inputs.map((t) => t.dtype === 'f32' && needed.has(t));
    if (!needs.some(Boolean)) continue;
    const ofOutputs = call.outputs.map((t) => gradient.get(t));
    call.op.backward(g, call, ofOutputs, needs).forEach((term, i) => {
      if (!term || !needs[i]) return;
      const tensor = call.inputs[i];
      const sum = gradient.get(tensor);
      gradient.set(tensor, sum ? add(g, sum, term) : term);
    });
  }
  return wrt.map((t) => gradient.get(t));
}
