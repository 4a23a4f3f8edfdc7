/**
 * Cuts a graph with blocks into pieces that the CPU device runs one after the other: each block, and what lies between
 * blocks. Layers differ in their weights alone, so their pieces are equal but for what is fed to them, and one compiled
 * model serves them all. WASM then holds one layer at a time, where a whole network with its weights would not fit
 * into the 4 GB that 32-bit addresses reach.
 */
import { type Call, earlyAssignments, type Graph, type Tensor } from '../../ops/graph.ts';
import { isRepeat } from '../../ops/repeat.ts';

export interface Segment {
  readonly calls: readonly Call[];
  readonly constants: Graph['constants'];
  /** What it reads of the graph's inputs, variables and earlier segments; constants are its own. */
  readonly inputs: readonly Tensor[];
  /** What later segments, outputs or assignments read. */
  readonly outputs: readonly Tensor[];
  /** To be done after it; those of the graph that are in no segment come after all. */
  readonly assignments: Graph['assignments'];
  /** Equal for segments that compute the same function of their inputs. */
  readonly key: string;
  /** Values that nothing reads after this segment. */
  readonly dead: readonly Tensor[];
}

export function cutIntoSegments(graph: Graph): Segment[] {
  const bounds = new Set([0, graph.calls.length]);
  for (const { start, end } of graph.blocks) bounds.add(start).add(end);
  const cuts = [...bounds].sort((a, b) => a - b);
  const pieces = cuts.slice(1).map((end, i) => graph.calls.slice(cuts[i], end));

  const all = pieces.map((calls) => [...readsOf(calls)]);
  const reads = all.map((tensors) => tensors.filter((t) => !graph.constants.has(t)));
  /** The last segment that reads a value; outputs and assignments come after all. */
  const lastRead = new Map<Tensor, number>();
  reads.forEach((tensors, i) => {
    for (const t of tensors) lastRead.set(t, i);
  });
  for (const t of graph.outputs.values()) lastRead.set(t, pieces.length);
  const made = new Set(graph.calls.flatMap((call) => call.outputs));
  const early = [...earlyAssignments(graph)].filter(({ value }) => made.has(value));
  const isEarly = new Set(early.map(({ value }) => value));
  for (const { value } of graph.assignments) if (!isEarly.has(value)) lastRead.set(value, pieces.length);

  return pieces.map((calls, i) => {
    const inputs = reads[i];
    const constants = new Map(
      all[i].flatMap((t) => {
        const data = graph.constants.get(t);
        return data ? [[t, data] as const] : [];
      }),
    );
    const last = (t: Tensor) => lastRead.get(t) ?? -1;
    const own = calls.flatMap((call) => call.outputs);
    const outputs = own.filter((t) => last(t) > i || isEarly.has(t));
    return {
      calls,
      constants,
      inputs,
      outputs,
      assignments: early.filter(({ value }) => own.includes(value)),
      key: keyOf(calls, inputs, outputs, constants),
      dead: [...inputs, ...outputs].filter((t) => last(t) <= i),
    };
  });
}

/** Tensors that the calls read and do not make themselves, in the order of their first use. */
function readsOf(calls: readonly Call[], made = new Set<Tensor>()): Set<Tensor> {
  const reads = new Set<Tensor>();
  const read = (t: Tensor) => {
    if (!made.has(t)) reads.add(t);
  };
  for (const call of calls) {
    call.inputs.forEach(read);
    if (isRepeat(call)) {
      const { body, state, next, until } = call.attributes;
      const own = new Set([...made, ...state, ...body.constants.keys()]);
      for (const t of readsOf(body.calls, own)) read(t);
      for (const t of until ? [...next, until] : next) if (!own.has(t)) read(t);
    }
    for (const t of call.outputs) made.add(t);
  }
  return reads;
}

/** Constants up to this length are compared by their numbers, longer ones by identity. */
const SHORT = 64;

function keyOf(
  calls: readonly Call[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  constants: Graph['constants'],
): string {
  const names = new Map<Tensor, string>();
  const spec = ({ dtype, shape }: Tensor) => `${dtype}[${shape}]`;
  inputs.forEach((t, i) => void names.set(t, `in${i}:${spec(t)}`));
  const nameOf = (t: Tensor): string => {
    const data = constants.get(t);
    if (data) return data.length <= SHORT ? `${spec(t)}=${data.join()}` : `constant${t.id}`;
    return names.get(t) ?? `foreign${t.id}`;
  };
  const lines = calls.map((call, i) => {
    call.outputs.forEach((t, o) => void names.set(t, `v${i}.${o}`));
    // A loop's body is a graph of its own, and no two are alike.
    const attributes = isRepeat(call) ? `loop${call.outputs[0].id}` : JSON.stringify(call.attributes);
    return `${call.op.name} ${attributes} ${call.inputs.map(nameOf).join(' ')}`;
  });
  return [...lines, outputs.map(nameOf).join(' ')].join('\n');
}
