/**
 * The most bytes that onnxruntime holds while it runs a list of ONNX nodes: their results' sizes from the nodes' own
 * rules, its order of execution, and its way of giving places to values (core/graph/graph_viewer.cc, ReverseDFSFrom;
 * core/framework/allocation_planner.cc).
 */
import { sizeOf } from '../../ops/graph.ts';

/** A node as OnnxBuilder has it: NodeProto's names. */
export interface OnnxNode {
  readonly op_type: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly attribute?: readonly {
    readonly name: string;
    readonly i?: number;
    readonly ints?: readonly number[];
    readonly g?: OnnxGraph;
  }[];
}

export interface OnnxGraph {
  readonly node: readonly OnnxNode[];
  readonly input: readonly { readonly name: string }[];
  readonly output: readonly { readonly name: string }[];
}

export interface OnnxValue {
  readonly dims: readonly number[];
  /** Bytes of an element. */
  readonly width: number;
  /** The numbers themselves, where they are known and decide on shapes. */
  readonly ints?: readonly number[];
}

const bytesOf = ({ dims, width }: OnnxValue) => sizeOf(dims) * width;
/** TensorProto.DataType → bytes of an element. */
export const elementBytes: Record<number, number> = { 1: 4, 6: 4, 7: 8, 9: 1, 10: 2 };

/** `given`: inputs, initializers, values of a graph around this one; they are not counted. `kept`: outputs. */
export function nodePeak(
  nodes: readonly OnnxNode[],
  given: ReadonlyMap<string, OnnxValue>,
  kept: ReadonlySet<string>,
): number {
  const order = executionOrder(nodes);
  const values = new Map(given);
  /** Of a Loop: what its body takes beside the graph around it. */
  const inside = new Map<OnnxNode, number>();
  for (const node of order) {
    if (node.op_type === 'Loop') inside.set(node, loopPeak(node, values));
    resultsOf(node, values).forEach((value, i) => void values.set(node.output[i], value));
  }
  const lastUse = new Map<string, number>();
  order.forEach((node, step) => {
    for (const name of readsOf(node)) lastUse.set(name, step);
  });
  for (const name of kept) lastUse.set(name, order.length);

  interface Place {
    readonly bytes: number;
    readonly first: number;
    last: number;
  }
  const places: Place[] = [];
  const placeOf = new Map<string, Place>();
  /** Places that a later value of equal shape may take. */
  let free: { place: Place; value: OnnxValue }[] = [];
  const isSame = (a: OnnxValue, b: OnnxValue) => a.width === b.width && String(a.dims) === String(b.dims);
  /** Values that are in a place now: an alias and its source are in one. */
  const users = new Map<Place, number>();
  order.forEach((node, step) => {
    node.output.forEach((name, i) => {
      const value = values.get(name)!;
      const until = lastUse.get(name) ?? step;
      // An output of all has a place of its own.
      const candidates = i === 0 && !kept.has(name) ? overwritten(node) : [];
      const source = candidates.find((input) => mayTakeOver(node, input, value, step));
      let place = source === undefined ? undefined : placeOf.get(source);
      if (!place && !kept.has(name)) {
        const found = free.findIndex((entry) => isSame(entry.value, value));
        if (found >= 0) [{ place }] = free.splice(found, 1);
      }
      if (!place) {
        place = { bytes: bytesOf(value), first: step, last: step };
        places.push(place);
      }
      place.last = Math.max(place.last, until);
      placeOf.set(name, place);
      users.set(place, (users.get(place) ?? 0) + 1);
    });
    for (const name of new Set([...readsOf(node), ...node.output])) {
      const place = placeOf.get(name);
      if (!place || (lastUse.get(name) ?? step) !== step) continue;
      const left = users.get(place)! - 1;
      users.set(place, left);
      if (left === 0) free = [{ place, value: values.get(name)! }, ...free];
    }
  });
  function mayTakeOver(node: OnnxNode, input: string, value: OnnxValue, step: number): boolean {
    const place = placeOf.get(input);
    const from = values.get(input);
    if (!place || !from || kept.has(input)) return false;
    if (aliases.has(node.op_type)) return true;
    return lastUse.get(input) === step && users.get(place) === 1 && isSame(from, value);
  }

  const begin = new Map<number, number>();
  const end = new Map<number, number>();
  for (const { bytes, first, last } of places) {
    begin.set(first, (begin.get(first) ?? 0) + bytes);
    end.set(last, (end.get(last) ?? 0) + bytes);
  }
  let now = 0;
  let most = 0;
  order.forEach((node, step) => {
    now += begin.get(step) ?? 0;
    most = Math.max(most, now + (inside.get(node) ?? 0));
    now -= end.get(step) ?? 0;
  });
  return most;
}

/** Inputs of a node, and what a Loop's body reads of the graph around it. */
function readsOf({ input, attribute = [] }: OnnxNode): string[] {
  const inner = attribute.flatMap(({ g }) => (g ? g.node.flatMap(readsOf) : []));
  return [...input.filter(Boolean), ...inner];
}

/** A walk back from the nodes that no other reads, the last first, and of a node's sources the last first. */
function executionOrder(nodes: readonly OnnxNode[]): OnnxNode[] {
  const makers = new Map<string, number>();
  nodes.forEach((node, i) => {
    for (const name of node.output) makers.set(name, i);
  });
  const sources = nodes.map((node) => {
    const found = new Set(readsOf(node).flatMap((name) => makers.get(name) ?? []));
    return [...found].sort((a, b) => a - b);
  });
  const isRead = new Set(sources.flat());
  const stack = nodes.flatMap((_, i) => (isRead.has(i) ? [] : [{ i, leaves: false }]));
  const visited = new Set<number>();
  const order: OnnxNode[] = [];
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { i, leaves } = entry;
    if (leaves) order.push(nodes[i]);
    else if (!visited.has(i)) {
      visited.add(i);
      stack.push({ i, leaves: true });
      for (const source of sources[i]) if (!visited.has(source)) stack.push({ i: source, leaves: false });
    }
  }
  return order;
}

/** A turn: its nodes, the state as it becomes; the state as it was is the Loop's input, or the turn's before. */
function loopPeak(node: OnnxNode, values: ReadonlyMap<string, OnnxValue>): number {
  const body = node.attribute!.find(({ g }) => g)!.g!;
  const given = new Map(values);
  const state = node.input.slice(2).map((name) => values.get(name)!);
  body.input.forEach(({ name }, i) => {
    given.set(name, i < 2 ? { dims: [], width: i === 0 ? 8 : 1 } : state[i - 2]);
  });
  const before = state.reduce((sum, value) => sum + bytesOf(value), 0);
  return before + nodePeak(body.node, given, new Set(body.output.map(({ name }) => name)));
}

/** Their result is the same bytes under another shape. */
const aliases = new Set(['Reshape', 'Identity']);
const unary = ['Exp', 'Log', 'Neg', 'Sqrt', 'Sigmoid', 'Tanh', 'Reciprocal', 'Floor', 'Not', 'Cast'];
const binary = ['Add', 'Sub', 'Mul', 'Div'];

/** Kernels that are registered as working in place (MayInplace); onnxruntime's arithmetic is not. */
const inPlace = new Set(['Softmax', 'LogSoftmax', 'Sigmoid', 'Tanh', 'Cast', 'ScatterElements']);

/** The input whose place the first result may take, if nothing reads it from then on. */
const overwritten = ({ op_type, input }: OnnxNode): readonly string[] =>
  aliases.has(op_type) || inPlace.has(op_type) ? [input[0]] : [];

const logical = ['Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Equal', 'Or', 'And'];

/** What a node makes. Throws an Error for a type that the lowerings do not use. */
function resultsOf(node: OnnxNode, values: ReadonlyMap<string, OnnxValue>): OnnxValue[] {
  const { op_type: type, output } = node;
  const inputs = node.input.map((name) => values.get(name)!);
  const [first, second, third] = inputs;
  const attribute = (name: string) => node.attribute?.find((a) => a.name === name);
  const number = (name: string, fallback: number) => attribute(name)?.i ?? fallback;
  const like = (dims: readonly number[], width = first.width): OnnxValue[] => [{ dims, width }];
  const replaced = (axis: number, n: number) =>
    first.dims.with(axis < 0 ? axis + first.dims.length : axis, n);
  if (binary.includes(type) || type === 'Min' || type === 'Max') return like(broadcast(inputs));
  if (logical.includes(type)) return like(broadcast(inputs), 1);
  switch (type) {
    case 'Where':
      return like(broadcast(inputs), second.width);
    case 'Cast':
      return like(first.dims, elementBytes[number('to', 1)]);
    case 'Gemm': {
      const m = first.dims[number('transA', 0) ? 1 : 0];
      return like([m, second.dims[number('transB', 0) ? 0 : 1]]);
    }
    case 'MatMul': {
      const batch = broadcast([
        { ...first, dims: first.dims.slice(0, -2) },
        { ...second, dims: second.dims.slice(0, -2) },
      ]);
      return like([...batch, first.dims.at(-2)!, second.dims.at(-1)!]);
    }
    case 'Concat': {
      const axis = number('axis', 0);
      const at = axis < 0 ? axis + first.dims.length : axis;
      return like(
        replaced(
          at,
          inputs.reduce((sum, { dims }) => sum + dims[at], 0),
        ),
      );
    }
    case 'Slice': {
      const [start] = second.ints!;
      const [end] = third.ints!;
      const [axis] = inputs[3].ints!;
      return like(replaced(axis, Math.min(end, first.dims[axis]) - start));
    }
    case 'Reshape': {
      const known = second.ints!.map((n, i) => (n === 0 ? first.dims[i] : n));
      const rest = known.reduce((product, n) => (n === -1 ? product : product * n), 1);
      return like(known.map((n) => (n === -1 ? sizeOf(first.dims) / rest : n)));
    }
    case 'Expand':
      return like(broadcast([first, { dims: second.ints!, width: 8 }]));
    case 'Transpose':
      return like(attribute('perm')!.ints!.map((axis) => first.dims[axis]));
    case 'Gather': {
      const axis = number('axis', 0);
      return like([...first.dims.slice(0, axis), ...second.dims, ...first.dims.slice(axis + 1)]);
    }
    case 'GatherElements':
      return like(second.dims);
    case 'TopK': {
      const dims = replaced(number('axis', -1), second.ints![0]);
      return [
        { dims, width: first.width },
        { dims, width: 8 },
      ];
    }
    case 'ArgMax':
      return like(reduced(first.dims, [number('axis', 0)], number('keepdims', 1) === 1), 8);
    case 'LayerNormalization': {
      const mean = { dims: [...first.dims.slice(0, -1), 1], width: 4 };
      return [first, mean, mean].map(({ dims, width }) => ({ dims, width }));
    }
    case 'Loop':
      return inputs.slice(2).map(({ dims, width }) => ({ dims, width }));
  }
  if (type.startsWith('Reduce'))
    return like(
      reduced(first.dims, second?.ints ?? first.dims.map((_, i) => i), number('keepdims', 1) === 1),
    );
  const same = ['Softmax', 'LogSoftmax', 'CumSum', 'ScatterElements', 'Identity', 'Gelu', 'RotaryEmbedding'];
  if (unary.includes(type) || same.includes(type) || type === 'SimplifiedLayerNormalization')
    return output.map(() => ({ dims: first.dims, width: first.width }));
  throw new Error(`the size of what ${type} makes is not known`);
}

function broadcast(values: readonly Pick<OnnxValue, 'dims'>[]): number[] {
  const rank = Math.max(...values.map(({ dims }) => dims.length));
  return Array.from({ length: rank }, (_, axis) =>
    values.reduce((n, { dims }) => {
      const own = dims[axis - rank + dims.length] ?? 1;
      return own === 1 ? n : own;
    }, 1),
  );
}

function reduced(dims: readonly number[], axes: readonly number[], keeps: boolean): number[] {
  const over = new Set(axes.map((axis) => (axis < 0 ? axis + dims.length : axis)));
  return dims.flatMap((n, axis) => (over.has(axis) ? (keeps ? [1] : []) : [n]));
}
