/** Gradients, AdamW's moments and its step, as tensors on the policy's device. */
import type { Device, Program, Store } from '../device/device.ts';
import { type AdamwAttributes, adamw, sumSquares } from '../ops/adamw.ts';
import { Graph, type Shape } from '../ops/graph.ts';

export const gradientName = (parameter: string) => `grad.${parameter}`;

/** One AdamW step of all parameters. Input: step [1, 3], see adamw. Output: the gradients' sum of squares. */
export function optimizerGraph(trainable: ReadonlyMap<string, Shape>, attributes: AdamwAttributes): Graph {
  const g = new Graph();
  const gradients = [...trainable].map(([name, shape]) => g.variable(gradientName(name), shape));
  const squares = sumSquares(g, gradients);
  const step = g.input('step', [1, 3]);
  [...trainable].forEach(([name, shape], i) => {
    const [parameter, m, v] = [name, `m.${name}`, `v.${name}`].map((n) => g.variable(n, shape));
    adamw(g, parameter, gradients[i], m, v, squares, step, attributes);
  });
  g.output('squares', squares);
  return g;
}

export class Optimizer {
  /** Updates done; bias correction counts from 1. */
  step = 0;

  private constructor(
    /** `grad.<name>`, `m.<name>` and `v.<name>` for every trainable parameter. */
    readonly store: Store,
    private readonly program: Program,
    private readonly attributes: AdamwAttributes,
  ) {}

  static async create(
    device: Device,
    weights: Store,
    trainable: ReadonlyMap<string, Shape>,
    attributes: AdamwAttributes,
  ): Promise<Optimizer> {
    const entries = [...trainable].flatMap(([name, shape]) =>
      [gradientName(name), `m.${name}`, `v.${name}`].map((entry) => ({ name: entry, shape })),
    );
    const store = device.createStore(entries);
    const program = await device.compile(optimizerGraph(trainable, attributes), [weights, store]);
    return new Optimizer(store, program, attributes);
  }

  /**
   * One AdamW step with the gradients in the store. Returns their norm before clipping; where that is no finite number
   * nothing was changed, and the update does not count (as torch's GradScaler skips a step).
   */
  async update(learningRate: number): Promise<number> {
    const count = this.step + 1;
    const { beta1, beta2 } = this.attributes;
    const step = Float32Array.of(learningRate, 1 - beta1 ** count, 1 - beta2 ** count);
    const { squares } = await this.program.run({ step });
    const norm = Math.sqrt(squares[0]);
    if (Number.isFinite(norm)) this.step = count;
    return norm;
  }

  dispose(): void {
    this.program.dispose();
    this.store.dispose();
  }
}
