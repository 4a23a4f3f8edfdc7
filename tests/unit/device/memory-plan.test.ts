import { describe, expect, test } from 'vitest';
import type { Dispatch } from '../../../src/device/webgpu/dispatch.ts';
import {
  type MemoryPlan,
  type Place,
  type PlanStep,
  planMemory,
} from '../../../src/device/webgpu/memory-plan.ts';
import { orderCopies } from '../../../src/device/webgpu/parallel-copy.ts';
import { parseBindings } from '../../../src/device/webgpu/pipelines.ts';
import { assignSlots } from '../../../src/device/webgpu/slots.ts';
import { type Call, Graph, type Op, type Shape, sizeOf, type Tensor } from '../../../src/ops/graph.ts';
import { isRepeat, repeat } from '../../../src/ops/repeat.ts';

/** Kernels as functions over the bound arrays; the bindings from `written` on are outputs. */
const kernels: Record<string, { written: number; run: (arrays: Float64Array[]) => void }> = {
  mix: {
    written: 2,
    run: ([x, y, z]) => fill(z, (i) => 0.5 * x[i % x.length] + 0.3 * y[i % y.length] + 0.1),
  },
  half: { written: 1, run: ([x, y]) => fill(y, (i) => 0.5 * x[i % x.length]) },
  increment: { written: 0, run: ([x]) => fill(x, (i) => x[i] + 1) },
  copy: { written: 1, run: ([x, y]) => fill(y, (i) => x[i]) },
  add: { written: 1, run: ([x, y]) => fill(y, (i) => y[i] + x[i]) },
};

function fill(array: Float64Array, f: (i: number) => number): void {
  for (let i = 0; i < array.length; i++) array[i] = f(i);
}

const dispatch = (kernel: string, ...bindings: Dispatch['bindings']): Dispatch => ({
  ...{ kernel, code: kernel, bindings, params: [] },
  workgroups: [1, 1, 1],
});

interface TestAttributes {
  readonly shapes: readonly Shape[];
}

const op = (name: string, webgpu: (call: Call<TestAttributes>) => Dispatch[], rest: Partial<Op> = {}) =>
  ({
    name,
    outputs: (_inputs, { shapes }) => shapes.map((shape) => ({ shape, dtype: 'f32' })),
    reference: () => {},
    onnx: () => [],
    webgpu: (_gpu, call) => webgpu(call),
    ...rest,
  }) as Op<TestAttributes>;

const mixOp = op('mix', ({ inputs: [x, y], outputs: [z] }) => [dispatch('mix', x, y, z)]);
/** Halves into scratch, then mixes: the scratch is bound twice. */
const stagedOp = op('staged', ({ inputs: [x, y], outputs: [z] }) => {
  const scratch = { scratch: true, bytes: sizeOf(z.shape) * 4 } as const;
  return [dispatch('half', x, scratch), dispatch('mix', scratch, y, z)];
});
/** Two outputs; the first is ready before the second is begun. */
const splitOp = op('split', ({ inputs: [x, y], outputs: [u, v] }) => [
  dispatch('mix', x, y, u),
  dispatch('half', y, v),
]);
const incrementOp = op('increment', ({ inputs: [x] }) => [dispatch('increment', x)], { inPlace: [0] });
const viewOp = op('view', () => [], { alias: true });

const call = (g: Graph, o: Op<TestAttributes>, inputs: Tensor[], ...sizes: number[]) =>
  g.call(o, inputs, { shapes: sizes.map((n) => [1, n]) });

const lower = (c: Call) => c.op.webgpu(undefined as never, c);

type Arrays = Record<string, Float64Array>;

/** Runs a plan on arrays as a GPU would, with slots that start as NaN. */
function simulate(plan: MemoryPlan, graph: Graph, inputs: Arrays, variables: Arrays): Arrays {
  const slots = plan.slots.map(({ bytes }) => new Float64Array(bytes / 4).fill(Number.NaN));
  const fed = new Map([...graph.inputs].map(([name, t]) => [t, inputs[name].slice()]));
  const constants = new Map([...plan.constants].map(([t, data]) => [t, Float64Array.from(data)]));
  const memory = ({ home, slot }: Place): Float64Array => {
    if (!home) return slots[slot];
    if (home.kind === 'input') return fed.get(home.tensor)!;
    return home.kind === 'constant' ? constants.get(home.tensor)! : variables[home.name];
  };
  const view = (place: Place) => memory(place).subarray(0, place.bytes / 4);
  const execute = (kernel: string, places: readonly Place[]) => {
    const { written, run } = kernels[kernel];
    const buffers = places.map(memory);
    for (let i = written; i < places.length; i++)
      expect(buffers.filter((b) => b === buffers[i]).length, `${kernel} binds a buffer it writes twice`).toBe(
        1,
      );
    run(places.map(view));
  };
  const walk = (steps: readonly PlanStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') for (let i = 0; i < step.times; i++) walk(step.steps);
      else if (step.kind === 'dispatch') execute(step.dispatch.kernel, step.places);
      else execute(step.kind, [step.from, step.to]);
    }
  };
  walk(plan.steps);
  for (const [t, data] of plan.constants) expect([...constants.get(t)!]).toEqual([...data]);
  return Object.fromEntries([...graph.outputs].map(([name, t]) => [name, view(plan.place(t)).slice()]));
}

/** What the graph means: every call gives new arrays. */
function evaluate(graph: Graph, inputs: Arrays, variables: Arrays): Arrays {
  const values = new Map<Tensor, Float64Array>();
  const walk = (g: Graph): void => {
    for (const [t, data] of g.constants) values.set(t, Float64Array.from(data));
    for (const c of g.calls) {
      const arrays = c.inputs.map((t) => values.get(t)!);
      if (isRepeat(c)) {
        let state = arrays;
        for (let i = 0; i < c.attributes.times; i++) {
          for (const [k, t] of c.attributes.state.entries()) values.set(t, state[k]);
          walk(c.attributes.body);
          state = c.attributes.next.map((t) => values.get(t)!);
        }
        for (const [k, t] of c.outputs.entries()) values.set(t, state[k]);
        continue;
      }
      const results = c.outputs.map((t) => new Float64Array(sizeOf(t.shape)));
      if (c.op.alias || c.op.inPlace) results[0].set(arrays[0]);
      if (c.op.inPlace) kernels.increment.run(results);
      else if (c.op === (splitOp as Op)) {
        kernels.mix.run([...arrays, results[0]]);
        kernels.half.run([arrays[1], results[1]]);
      } else if (!c.op.alias) {
        const x = c.op === (stagedOp as Op) ? new Float64Array(results[0].length) : arrays[0];
        if (x !== arrays[0]) kernels.half.run([arrays[0], x]);
        kernels.mix.run([x, arrays[1], results[0]]);
      }
      for (const [i, t] of c.outputs.entries()) values.set(t, results[i]);
    }
  };
  for (const [name, t] of graph.inputs) values.set(t, inputs[name].slice());
  for (const [name, t] of graph.variables) values.set(t, variables[name].slice());
  walk(graph);
  for (const { variable, value, mode } of graph.assignments) {
    const data = values.get(value)!;
    fill(variables[variable], (i) => (mode === 'add' ? variables[variable][i] + data[i] : data[i]));
  }
  return Object.fromEntries([...graph.outputs].map(([name, t]) => [name, values.get(t)!]));
}

const callsOf = (g: Graph): number =>
  g.calls.reduce((sum, c) => sum + (isRepeat(c) ? callsOf(c.attributes.body) : 1), 0);

function generator(seed: number) {
  let state = seed * 2654435761 + 1;
  return (count: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

/** Appends random calls that may read `outer`; returns the new tensors. */
function randomCalls(
  g: Graph,
  outer: readonly Tensor[],
  pick: (n: number) => number,
  depth: number,
): Tensor[] {
  const known = [...outer];
  const any = () => known[pick(known.length)];
  const sizes = [3, 3, 70, 200];
  for (let i = 0; i < 14; i++) {
    const [x, y] = [any(), any()];
    const n = sizes[pick(sizes.length)];
    const kind = pick(depth > 0 ? 9 : 7);
    if (kind === 0) known.push(...call(g, splitOp, [x, y], n, sizes[pick(sizes.length)]));
    else if (kind === 1) known.push(...call(g, stagedOp, [x, y], n));
    else if (kind === 2) known.push(...call(g, viewOp, [x], sizeOf(x.shape)));
    else if (kind === 3 || kind === 4) known.push(...call(g, incrementOp, [x], sizeOf(x.shape)));
    else if (kind <= 6) known.push(...call(g, mixOp, [x, y], n));
    else {
      const initial = Array.from({ length: 1 + pick(4) }, any);
      const times = pick(4);
      const state = repeat(g, times, initial, (body, state) => {
        const inside = [...state, body.constant(Float32Array.of(7, 8, 9), [1, 3]), ...known];
        const made = [...randomCalls(body, inside, pick, depth - 1), ...state, ...state];
        // Any tensor of the right size will do, states in other places and outer tensors included.
        const next = state.map((s) => {
          const fitting = [...made, ...inside].filter((t) => String(t.shape) === String(s.shape));
          return fitting[pick(fitting.length)];
        });
        return { next };
      });
      known.push(...state);
    }
  }
  return known.slice(outer.length);
}

describe('plans of random graphs, run on arrays', () => {
  test('give what the graphs mean, and leave constants alone', () => {
    let shared = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const pick = generator(seed);
      const g = new Graph();
      const start = [
        g.input('x', [1, 3]),
        g.input('y', [1, 70]),
        g.variable('w', [1, 70]),
        g.constant(Float32Array.of(1, 2, 3), [1, 3]),
      ];
      // In-place ops change a variable for good, which `evaluate` does not do: they get copies here.
      start[2] = call(g, mixOp, [start[2], start[3]], 70)[0];
      const made = randomCalls(g, start, pick, 2);
      for (let i = 0; i < 4; i++) g.output(`o${i}`, made[pick(made.length)]);
      g.output('x', start[0]);
      const any = (n: number) => {
        const fitting = made.filter((t) => sizeOf(t.shape) === n);
        return fitting[pick(fitting.length)] ?? start[n === 3 ? 0 : 1];
      };
      g.assign('set', any(3));
      g.assign('added', any(70), 'add');
      g.assign('w', any(70));
      const inputs = { x: Float64Array.of(1, -2, 3), y: new Float64Array(70).map((_, i) => i / 10) };
      const variables = () => ({
        w: new Float64Array(70).fill(2),
        set: new Float64Array(3),
        added: new Float64Array(70).fill(5),
      });
      const [expectedVariables, actualVariables] = [variables(), variables()];
      const expected = evaluate(g, inputs, expectedVariables);
      const plan = planMemory(g, lower);
      const actual = simulate(plan, g, inputs, actualVariables);
      expect(actual, `seed ${seed}`).toEqual(expected);
      expect(actualVariables, `variables, seed ${seed}`).toEqual(expectedVariables);
      if (plan.slots.length < callsOf(g)) shared++;
    }
    expect(shared).toBeGreaterThan(190);
  });
});

describe('a plan', () => {
  test('a chain needs two slots, the large values in one', () => {
    const g = new Graph();
    let x = g.input('x', [1, 100]);
    for (const n of [100, 300, 100, 500, 100]) x = call(g, mixOp, [x, x], n)[0];
    g.output('y', x);
    expect(planMemory(g, lower).slots.map((s) => s.bytes)).toEqual([2048, 512]);
  });

  test('what a loop reads from outside stays until its end', () => {
    const g = new Graph();
    const x = g.input('x', [1, 64]);
    const [outside] = call(g, mixOp, [x, x], 64);
    const [state] = repeat(g, 3, [x], (body, [s]) => {
      const [a] = call(body, mixOp, [s, outside], 64);
      const [b] = call(body, mixOp, [a, a], 64);
      return { next: call(body, mixOp, [b, a], 64) };
    });
    g.output('y', state);
    // The state lives in the input's buffer; outside, a and b have slots.
    expect(planMemory(g, lower).slots.length).toBe(3);
  });

  test('an in-place op changes a variable itself, and a state without copies', () => {
    const g = new Graph();
    call(g, incrementOp, [g.variable('w', [1, 3])], 3);
    const [cache] = repeat(g, 3, call(g, mixOp, [g.input('x', [1, 3]), g.scalar(1)], 3), (body, [s]) => ({
      next: call(body, incrementOp, call(body, viewOp, [s], 3), 3),
    }));
    g.output('y', cache);
    const plan = planMemory(g, lower);
    const variables = { w: Float64Array.of(1, 2, 3) };
    const { y } = simulate(plan, g, { x: Float64Array.of(2, 4, 6) }, variables);
    expect([...variables.w]).toEqual([2, 3, 4]);
    expect([...y].map((v) => v.toFixed(6))).toEqual(['4.400000', '5.400000', '6.400000']);
    expect(plan.steps.map((s) => (s.kind === 'loop' ? s.steps.map((t) => t.kind) : s.kind))).toEqual([
      'dispatch',
      'dispatch',
      ['dispatch'],
    ]);
  });

  test('the next state is not computed over an in-place successor of the state that is still read', () => {
    const g = new Graph();
    const x = g.input('x', [1, 3]);
    const [t] = repeat(g, 2, [x, x], (body, [a]) => {
      const [moved] = call(body, incrementOp, [a], 3);
      const [next] = call(body, mixOp, [body.scalar(2), body.scalar(3)], 3);
      return { next: [next, call(body, mixOp, [moved, next], 3)[0]] };
    }).slice(1);
    g.output('y', t);
    const inputs = { x: Float64Array.of(1, 2, 3) };
    expect(simulate(planMemory(g, lower), g, inputs, {})).toEqual(evaluate(g, inputs, {}));
  });

  test('a set assignment costs nothing, unless the variable is read later', () => {
    const g = new Graph();
    const x = g.input('x', [1, 3]);
    const w = g.variable('w', [1, 3]);
    const [y] = call(g, mixOp, [x, x], 3);
    const [z] = call(g, mixOp, [y, w], 3);
    g.assign('w', y);
    g.assign('v', z);
    expect(planMemory(g, lower).steps.map((s) => s.kind)).toEqual(['dispatch', 'dispatch', 'copy']);
  });

  test('what is added to a variable that nothing reads is added at once, and its memory is free', () => {
    const g = new Graph();
    const x = g.input('x', [1, 300]);
    for (const name of ['a', 'b', 'c', 'd']) g.assign(name, call(g, mixOp, [x, x], 300)[0], 'add');
    const plan = planMemory(g, lower);
    expect(plan.steps.map((s) => s.kind)).toEqual(Array(4).fill(['dispatch', 'add']).flat());
    expect(plan.slots.length).toBe(1);
    // One that the graph reads is added after all.
    const w = g.variable('a', [1, 300]);
    g.output('y', call(g, mixOp, [w, w], 300)[0]);
    expect(planMemory(g, lower).steps.at(-1)?.kind).toBe('add');
  });

  test('tensors of another graph are refused by name', () => {
    const stray = new Graph().input('stray', [1, 3]);
    const g = new Graph();
    call(g, mixOp, [stray, stray], 3);
    expect(() => planMemory(g, lower)).toThrow('stray');
  });
});

describe('slots', () => {
  test('touching lifetimes overlap, following ones do not', () => {
    const { slotOf, slots } = assignSlots([
      { bytes: 100, first: 0, last: 2 },
      { bytes: 300, first: 2, last: 3 },
      { bytes: 200, first: 3, last: 5 },
      { bytes: 50, first: 4, last: 4 },
    ]);
    expect(slotOf[0]).not.toBe(slotOf[1]);
    expect(slotOf[0]).toBe(slotOf[2]);
    expect(slotOf[3]).toBe(slotOf[1]);
    expect(slots.map((s) => s.bytes)).toEqual([512, 256]);
  });
});

describe('copies at once', () => {
  const run = (moves: { from: string; to: string }[]) => {
    const memory: Record<string, string> = Object.fromEntries('abcdx'.split('').map((k) => [k, k]));
    for (const { from, to } of orderCopies(moves, () => 'temporary')) memory[to] = memory[from];
    return 'abcd'.replace(/./g, (k) => memory[k]);
  };
  const moves = (next: string) => [...'abcd'].map((to, i) => ({ from: next[i], to }));

  test('shifts, swaps, rotations, fans', () => {
    for (const next of ['abcd', 'bcdx', 'xabc', 'badc', 'bcda', 'dabc', 'bbbb', 'bcab', 'aaac', 'cdab'])
      expect(run(moves(next)), next).toBe(next);
  });
});

describe('bindings', () => {
  test('are read from declarations, not from comments', () => {
    const code = `
      // @group(0) @binding(7) var<storage, read> gone: array<f32>;
      @group(0) @binding(0) var<uniform> p: Params;
      @group(0) @binding(2) var<storage, read_write> y: array<f32>;
      @group(0) @binding(1)
      var<storage> x: array<f32>;
      @group(0) @binding(3) var<storage,read> z: array<f32>;
      var<workgroup> tile: array<f32, 4>;`;
    expect([...parseBindings(code)].sort(([a], [b]) => a - b)).toEqual([
      [0, 'uniform'],
      [1, 'read-only-storage'],
      [2, 'storage'],
      [3, 'read-only-storage'],
    ]);
  });
});
