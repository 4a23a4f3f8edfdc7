/** A device that remembers what its programs were given. */
import type { Device, Program, RunInputs, Store, StoreEntry } from '../src/device/device.ts';
import type { Graph } from '../src/ops/graph.ts';

export class RecordingDevice implements Device {
  /** Copies of the inputs of every run, in order. */
  runs: RunInputs[] = [];
  readonly stores: Store[] = [];
  compilations = 0;

  constructor(private readonly inner: Device) {}

  get kind() {
    return this.inner.kind;
  }

  get label() {
    return this.inner.label;
  }

  get limits() {
    return this.inner.limits;
  }

  get lost() {
    return this.inner.lost;
  }

  /** Runs of the training pass: only it takes advantages. */
  get trainingRuns(): RunInputs[] {
    return this.runs.filter((inputs) => inputs.advantages);
  }

  createStore(entries: Iterable<StoreEntry>): Store {
    const store = this.inner.createStore(entries);
    this.stores.push(store);
    return store;
  }

  async compile(graph: Graph, stores: readonly Store[]): Promise<Program> {
    this.compilations++;
    const program = await this.inner.compile(graph, stores);
    const { runs } = this;
    return {
      run: (inputs = {}) => {
        runs.push(Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, data.slice()])));
        return program.run(inputs);
      },
      stats: program.stats,
      dispose: () => program.dispose(),
    };
  }

  forget(): void {
    this.runs.length = 0;
  }

  dispose(): void {
    this.inner.dispose();
  }
}
