/**
 * When each value of a graph is written first and read last. Positions count dispatches in the order of execution;
 * a loop's body has the positions of one turn.
 */
import { type Call, earlyAssignments, type Graph, type Tensor } from '../../ops/graph.ts';
import { isRepeat } from '../../ops/repeat.ts';
import type { Dispatch, Scratch } from './dispatch.ts';

/** A tensor and all its aliases: one value. */
export interface Value {
  readonly tensor: Tensor;
  readonly defined: number;
  /** Position of the last read; `defined` or less when there is none. */
  last: number;
  readonly loop?: Loop;
  /** The call that computes it, when it is an ordinary one that does not work in place. */
  readonly fresh: boolean;
  /** An op works in place on it, or a loop starts from it: the storage may change hands. */
  overwritten: boolean;
}

export interface Loop {
  readonly outer?: Loop;
  /** Position where the state is initialised, where a turn's end copies the next state, and where the loop is left. */
  readonly begin: number;
  turnEnd: number;
  end: number;
  /** Values from outside that the body reads: every turn reads them again, so they live until the loop is left. */
  readonly captured: Set<Value>;
}

export interface Timing {
  readonly start: number;
  readonly end: number;
  readonly dispatches: readonly Dispatch[];
}

/** Position of host inputs, constants and variables: before everything. */
export const BEFORE = -1;

export class Lifetimes {
  readonly values = new Map<Tensor, Value>();
  readonly loops = new Map<Call, Loop>();
  readonly timings = new Map<Call, Timing>();
  /** Position of each assignment, in order; outputs are read after all. */
  readonly assignments: number[] = [];
  /** Numbers of the assignments that come right after the call that makes their value. */
  readonly early = new Map<Call, number[]>();
  readonly end: number;
  private position = 0;

  constructor(
    graph: Graph,
    private readonly lower: (call: Call) => readonly Dispatch[],
  ) {
    for (const t of [...graph.inputs.values(), ...graph.variables.values()]) this.define(t, BEFORE);
    const early = earlyAssignments(graph);
    const makers = new Map(graph.calls.flatMap((call) => call.outputs.map((t) => [t, call] as const)));
    graph.assignments.forEach((assignment, i) => {
      const call = makers.get(assignment.value);
      // What is set is computed in the variable's place, where that can be.
      if (call && assignment.mode === 'add' && early.has(assignment))
        this.early.set(call, [...(this.early.get(call) ?? []), i]);
    });
    const assign = (i: number) => {
      this.read(graph.assignments[i].value, this.position);
      this.assignments[i] = this.position++;
    };
    this.walk(graph, undefined, (call) => this.early.get(call)?.forEach(assign));
    graph.assignments.forEach((_, i) => {
      if (this.assignments[i] === undefined) assign(i);
    });
    this.end = this.position;
    for (const t of graph.outputs.values()) this.read(t, this.end);
  }

  of(tensor: Tensor): Value {
    const value = this.values.get(tensor);
    if (!value)
      throw new Error(`tensor ${tensor.name} is used before it is computed, or belongs to another graph`);
    return value;
  }

  private define(tensor: Tensor, defined: number, loop?: Loop, fresh = false): void {
    this.values.set(tensor, { tensor, defined, last: defined, loop, fresh, overwritten: false });
  }

  private read(tensor: Tensor, position: number, loop?: Loop): void {
    const value = this.of(tensor);
    value.last = Math.max(value.last, position);
    for (let l = loop; l && value.defined < l.begin; l = l.outer) l.captured.add(value);
  }

  private walk(graph: Graph, loop?: Loop, after?: (call: Call) => void): void {
    for (const t of graph.constants.keys()) this.define(t, BEFORE);
    for (const call of graph.calls) {
      if (isRepeat(call)) this.walkLoop(call, loop);
      else this.walkCall(call, loop);
      after?.(call);
    }
  }

  private walkLoop(call: Call, outer?: Loop): void {
    if (!isRepeat(call)) return;
    const { body, state, next } = call.attributes;
    const begin = this.position++;
    const loop: Loop = { outer, begin, turnEnd: begin, end: begin, captured: new Set() };
    this.loops.set(call, loop);
    for (const t of call.inputs) {
      this.read(t, begin, outer);
      this.of(t).overwritten = true;
    }
    for (const t of state) this.define(t, begin, loop);
    this.walk(body, loop);
    loop.turnEnd = this.position++;
    for (const t of next) this.read(t, loop.turnEnd, loop);
    loop.end = this.position++;
    for (const value of loop.captured) value.last = Math.max(value.last, loop.end);
    for (const t of call.outputs) this.define(t, loop.end, outer);
  }

  private walkCall(call: Call, loop?: Loop): void {
    const { op, inputs, outputs } = call;
    const dispatches = this.lower(call);
    const start = this.position;
    const end = start + Math.max(dispatches.length - 1, 0);
    this.position = end + 1;
    this.timings.set(call, { start, end, dispatches });
    const uses = new Map<Tensor | Scratch, { first: number; last: number }>();
    dispatches.forEach(({ bindings }, i) => {
      for (const t of bindings) uses.set(t, { first: uses.get(t)?.first ?? start + i, last: start + i });
    });
    for (const t of inputs) this.read(t, op.inPlace ? end : (uses.get(t)?.last ?? end), loop);
    for (const i of op.inPlace ?? []) this.of(inputs[i]).overwritten = true;
    if (op.alias) {
      this.values.set(outputs[0], this.of(inputs[0]));
      return;
    }
    outputs.forEach((t, o) => {
      const inPlace = op.inPlace?.[o] !== undefined;
      this.define(t, inPlace ? start : (uses.get(t)?.first ?? start), loop, !inPlace);
      // It must stay its own until the op is done with it, read later or not.
      this.read(t, uses.get(t)?.last ?? end);
    });
  }
}
