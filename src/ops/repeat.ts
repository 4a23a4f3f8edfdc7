/**
 * A loop with a fixed number of turns inside a graph: token after token of a rollout, without coming back to
 * JavaScript. Lowered to ONNX's Loop on the CPU, replayed as a list of dispatches on WebGPU.
 */
import { type Call, Graph, type Op, type Tensor } from './graph.ts';

export interface RepeatAttributes {
  readonly body: Graph;
  readonly times: number;
  /** The body's view of the state at the start of a turn, and what it becomes at its end. */
  readonly state: readonly Tensor[];
  readonly next: readonly Tensor[];
  /** Scalar of the body: nonzero ends the loop early where the device can (webgpu plays on; a no-op by then). */
  readonly until?: Tensor;
}

/**
 * `build` writes one turn into the body graph; it may use any tensor of the outer graph. Returns the state after
 * `times` turns. The body must leave the state unchanged once `until` is nonzero.
 */
export function repeat(
  g: Graph,
  times: number,
  initial: readonly Tensor[],
  build: (body: Graph, state: readonly Tensor[]) => { next: readonly Tensor[]; until?: Tensor },
): Tensor[] {
  const body = new Graph();
  const state = initial.map((t) => body.tensor(t.shape, t.dtype, `state.${t.name}`));
  const { next, until } = build(body, state);
  next.forEach((t, i) => {
    if (String(t.shape) !== String(state[i].shape) || t.dtype !== state[i].dtype)
      throw new Error(
        `repeat: state ${i} starts as ${state[i].dtype}[${state[i].shape}], ends as [${t.shape}]`,
      );
  });
  if (body.inputs.size || body.variables.size || body.outputs.size)
    throw new Error('repeat: inputs, variables and outputs belong to the outer graph');
  return g.call(repeatOp, initial, { body, times, state, next, until });
}

export function isRepeat(call: Call): call is Call<RepeatAttributes> {
  return call.op.name === 'repeat';
}

const unreachable = (): never => {
  throw new Error('repeat is run by the device itself');
};

const repeatOp: Op<RepeatAttributes> = {
  name: 'repeat',
  outputs: (inputs) => inputs.map(({ shape, dtype }) => ({ shape, dtype })),
  reference: unreachable,
  webgpu: unreachable,
  onnx(b, { inputs, attributes: { body, times, state, next, until } }) {
    return b.loop(
      times,
      inputs.map((t) => b.name(t)),
      body,
      state,
      next,
      until,
    );
  },
};
