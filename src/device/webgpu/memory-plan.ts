/**
 * Where every tensor of a graph lives on the GPU, and the list of steps over these places. Values whose lifetimes
 * do not overlap share a slot; aliases and in-place results share their source's; a loop's state has fixed places
 * that the next state is computed into, or copied to at the end of a turn. Pure: knows no GPU.
 */
import type { Call, DType, Graph, Tensor } from '../../ops/graph.ts';
import { isRepeat } from '../../ops/repeat.ts';
import { bytesOf } from './bytes.ts';
import type { Dispatch, Scratch } from './dispatch.ts';
import { Lifetimes, type Value } from './lifetimes.ts';
import { orderCopies } from './parallel-copy.ts';
import { assignSlots, type Slot } from './slots.ts';

type Home =
  | { readonly kind: 'input'; readonly tensor: Tensor }
  | { readonly kind: 'constant'; readonly tensor: Tensor }
  | { readonly kind: 'variable'; readonly name: string; readonly dtype: DType };

/** A piece of GPU memory, from position `first` to `last`; `home` when it is not one of the plan's slots. */
export interface Place {
  readonly bytes: number;
  readonly home?: Home;
  readonly first: number;
  last: number;
  /** Index into the plan's slots, when it has no home. */
  slot: number;
  /** For messages. */
  readonly name: string;
}

export type PlanStep =
  | { readonly kind: 'dispatch'; readonly dispatch: Dispatch; readonly places: readonly Place[] }
  | { readonly kind: 'copy' | 'add'; readonly from: Place; readonly to: Place; readonly bytes: number }
  | { readonly kind: 'loop'; readonly times: number; readonly steps: readonly PlanStep[] };

export interface MemoryPlan {
  readonly steps: readonly PlanStep[];
  readonly slots: readonly Slot<Place>[];
  readonly constants: ReadonlyMap<Tensor, Float32Array | Int32Array>;
  /** Place of an input, constant, variable or graph output. */
  place(tensor: Tensor): Place;
}

const isScratch = (t: Tensor | Scratch): t is Scratch => 'scratch' in t;

export function planMemory(graph: Graph, lower: (call: Call) => readonly Dispatch[]): MemoryPlan {
  return new Planner(graph, lower).plan();
}

class Planner {
  private readonly lifetimes: Lifetimes;
  private readonly places = new Map<Value, Place>();
  private readonly slotted: Place[] = [];
  private readonly constants = new Map<Tensor, Float32Array | Int32Array>();
  /** Values that are computed straight into the place of a variable or a state. */
  private readonly targets = new Map<Value, () => Place>();

  constructor(
    private readonly graph: Graph,
    lower: (call: Call) => readonly Dispatch[],
  ) {
    this.lifetimes = new Lifetimes(graph, lower);
  }

  plan(): MemoryPlan {
    const { graph } = this;
    for (const tensor of graph.inputs.values()) this.settle(tensor, { kind: 'input', tensor });
    for (const [name, tensor] of graph.variables)
      this.settle(tensor, { kind: 'variable', name, dtype: tensor.dtype });
    const direct = graph.assignments.map((_, i) => this.aimAtVariable(i));
    const { early } = this.lifetimes;
    const assign = (i: number) =>
      direct[i] ? [] : this.assign(graph.assignments[i], this.lifetimes.assignments[i]);
    const steps = this.walk(graph, (call) => early.get(call)?.flatMap(assign) ?? []);
    const done = new Set([...early.values()].flat());
    graph.assignments.forEach((_, i) => {
      if (!done.has(i)) steps.push(...assign(i));
    });
    const { slotOf, slots } = assignSlots(this.slotted);
    for (const [i, place] of this.slotted.entries()) place.slot = slotOf[i];
    return { steps, slots, constants: this.constants, place: (t) => this.placeOf(t) };
  }

  private placeOf(tensor: Tensor): Place {
    return this.places.get(this.lifetimes.of(tensor))!;
  }

  private settle(tensor: Tensor, home: Home): void {
    this.places.set(this.lifetimes.of(tensor), {
      ...{ bytes: bytesOf(tensor), home, first: -1, last: -1, slot: -1 },
      name: tensor.name,
    });
  }

  private newPlace(name: string, bytes: number, first: number, last: number): Place {
    const place = { name, bytes, first, last, slot: -1 };
    this.slotted.push(place);
    return place;
  }

  /** The place of a value that starts a life of its own. */
  private open(tensor: Tensor): Place {
    const value = this.lifetimes.of(tensor);
    const target = this.targets.get(value);
    const place = target ? target() : this.newPlace(tensor.name, bytesOf(tensor), value.defined, value.last);
    this.places.set(value, place);
    return place;
  }

  /** `value` goes on in a place that another value leaves. */
  private takeOver(value: Value, place: Place): void {
    place.last = Math.max(place.last, value.last);
    this.places.set(value, place);
  }

  private walk(graph: Graph, after: (call: Call) => PlanStep[] = () => []): PlanStep[] {
    for (const [tensor, data] of graph.constants) {
      this.constants.set(tensor, data);
      this.settle(tensor, { kind: 'constant', tensor });
    }
    return graph.calls.flatMap((call) => [
      ...(isRepeat(call) ? this.loop(call) : this.call(call)),
      ...after(call),
    ]);
  }

  private call(call: Call): PlanStep[] {
    const { op, inputs, outputs } = call;
    const { start, end, dispatches } = this.lifetimes.timings.get(call)!;
    const steps: PlanStep[] = [];
    // In-place ops bind the input, the output or both: either means the place of the output.
    const bound = new Map<Tensor, Place>();
    for (const [o, output] of (op.alias ? [] : outputs).entries()) {
      const source = op.inPlace?.[o];
      if (source === undefined) {
        this.open(output);
        continue;
      }
      const input = inputs[source];
      const place = this.placeOf(input);
      const value = this.lifetimes.of(input);
      // Changing a variable is what in-place ops are for; a value that is on its way into one is not the variable.
      const mayOverwrite =
        place.home?.kind === 'variable'
          ? !this.targets.has(value)
          : place.home?.kind !== 'constant' && value.last <= end;
      if (mayOverwrite) this.takeOver(this.lifetimes.of(output), place);
      else steps.push({ kind: 'copy', from: place, to: this.open(output), bytes: bytesOf(input) });
      bound.set(input, this.placeOf(output));
    }
    const scratch = this.placeScratch(call, dispatches, start);
    for (const dispatch of dispatches) {
      const places = dispatch.bindings.map((t) =>
        isScratch(t) ? scratch.get(t)! : (bound.get(t) ?? this.placeOf(t)),
      );
      steps.push({ kind: 'dispatch', dispatch, places });
    }
    return steps;
  }

  private placeScratch(call: Call, dispatches: readonly Dispatch[], start: number): Map<Scratch, Place> {
    const places = new Map<Scratch, Place>();
    dispatches.forEach(({ bindings }, i) => {
      for (const t of bindings.filter(isScratch)) {
        const known = places.get(t);
        if (known) known.last = start + i;
        else places.set(t, this.newPlace(`scratch of ${call.op.name}`, t.bytes, start + i, start + i));
      }
    });
    return places;
  }

  private loop(call: Call): PlanStep[] {
    if (!isRepeat(call)) return [];
    const { body, times, state, next } = call.attributes;
    const { begin, turnEnd, end } = this.lifetimes.loops.get(call)!;
    const steps: PlanStep[] = [];
    call.inputs.forEach((initial, i) => {
      const value = this.lifetimes.of(state[i]);
      const from = this.placeOf(initial);
      const shared = call.inputs.some(
        (t, j) => j !== i && this.lifetimes.of(t) === this.lifetimes.of(initial),
      );
      const kept = from.home?.kind === 'variable' || from.home?.kind === 'constant';
      if (!kept && !shared && this.lifetimes.of(initial).last <= begin) this.takeOver(value, from);
      else {
        const to = this.newPlace(state[i].name, bytesOf(initial), begin, end);
        this.places.set(value, to);
        steps.push({ kind: 'copy', from, to, bytes: bytesOf(initial) });
      }
      const place = this.placeOf(state[i]);
      place.last = Math.max(place.last, end);
    });
    const states = state.map((t) => this.placeOf(t));
    for (const [i, t] of next.entries())
      this.aimAtState(t, state[i], this.lifetimes.of(state[i]).loop, states[i]);
    const turn = this.walk(body);
    const temporary = (like: Place) => this.newPlace(like.name, like.bytes, turnEnd, turnEnd);
    const moves = next.map((t, i) => ({ from: this.placeOf(t), to: states[i] }));
    for (const move of orderCopies(moves, temporary))
      turn.push({ kind: 'copy', ...move, bytes: move.to.bytes });
    steps.push({ kind: 'loop', times, steps: turn });
    for (const [i, t] of call.outputs.entries()) this.takeOver(this.lifetimes.of(t), states[i]);
    return steps;
  }

  /** The next state is computed where the state is, if nothing reads the state from then on. */
  private aimAtState(next: Tensor, state: Tensor, loop: Value['loop'], place: Place): void {
    const value = this.lifetimes.of(next);
    const old = this.lifetimes.of(state);
    if (!value.fresh || value.loop !== loop || this.targets.has(value)) return;
    if (old.overwritten || old.last >= value.defined) return;
    this.targets.set(value, () => place);
  }

  /** A value to be stored in a variable is computed there, if nothing reads the variable from then on. */
  private aimAtVariable(i: number): boolean {
    const { variable, value: tensor, mode } = this.graph.assignments[i];
    const target = this.graph.variables.get(variable);
    const value = this.lifetimes.of(tensor);
    const others = this.graph.assignments.some((a, j) => j !== i && a.variable === variable);
    if (mode !== 'set' || others || !value.fresh || value.loop || this.targets.has(value)) return false;
    if (target) {
      const old = this.lifetimes.of(target);
      if (old.overwritten || old.last >= value.defined) return false;
    }
    const place = this.variablePlace(variable, tensor);
    this.targets.set(value, () => place);
    return true;
  }

  /** Gradients are assigned without having been read: such variables are known by their name alone. */
  private readonly written = new Map<string, Place>();

  private variablePlace(name: string, value: Tensor): Place {
    const declared = this.graph.variables.get(name);
    if (declared) {
      if (bytesOf(declared) !== bytesOf(value))
        throw new Error(`variable ${name} is [${declared.shape}], the value assigned to it [${value.shape}]`);
      return this.placeOf(declared);
    }
    const known = this.written.get(name);
    if (known) return known;
    const home = { kind: 'variable', name, dtype: value.dtype } as const;
    const place = { name, bytes: bytesOf(value), home, first: -1, last: -1, slot: -1 };
    this.written.set(name, place);
    return place;
  }

  private assign({ variable, value, mode }: Graph['assignments'][number], position: number): PlanStep[] {
    const to = this.variablePlace(variable, value);
    const from = this.placeOf(value);
    const bytes = bytesOf(value);
    const kind = mode === 'add' ? 'add' : 'copy';
    if (from !== to) return [{ kind, from, to, bytes }];
    if (mode === 'set') return [];
    const twin = this.newPlace(`copy of ${variable}`, bytes, position, position);
    return [
      { kind: 'copy', from, to: twin, bytes },
      { kind: 'add', from: twin, to, bytes },
    ];
  }
}
