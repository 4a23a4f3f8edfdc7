/**
 * Supervised warm-up steps of a small policy on the procedural world: demonstrations as text, and the image tokens
 * classified against the words of their cells.
 */

import type { Example } from '../data/examples.ts';
import { expectedCellContents } from '../data/render.ts';
import type { Program, RunOutputs } from '../device/device.ts';
import { UserError } from '../errors.ts';
import { imageTokens } from './config.ts';
import { layout, roundUp } from './layout.ts';
import type { Optimizer } from './optimizer.ts';
import type { Policy } from './policy.ts';
import { type SupervisedOptions, supervisedGraph } from './supervised.ts';

export interface Demonstration {
  readonly example: Example;
  /** What the demonstrator wrote, without the end token. */
  readonly text: string;
}

export class WarmUp {
  /** Compiled passes; they write into this optimizer's gradients, so the policy's cache is not the place. */
  private readonly programs = new Map<string, Promise<Program>>();

  constructor(
    private readonly policy: Policy,
    private readonly optimizer: Optimizer,
    private readonly trainable: readonly string[],
    private readonly maxTokens: number,
    private readonly prefixLength: number,
  ) {}

  /** One update on a batch; returns the losses before it, and the gradient norm. */
  async step(
    batch: readonly Demonstration[],
    learningRate: number,
    options: SupervisedOptions,
  ): Promise<{ loss: number; imageLoss: number; gradNorm: number }> {
    const { policy, maxTokens: T } = this;
    const P = batch.length;
    const prompts = batch.map(({ example }) => policy.prompt(example.prompt, example.image));
    const L = Math.max(this.prefixLength, roundUp(Math.max(...prompts.map((p) => p.ids.length)), 8));
    const counts = { prefixes: P, prefixLength: L, group: 1, completionLength: T };
    const labels = 3;
    const key = JSON.stringify([counts, options]);
    if (!this.programs.has(key)) {
      const graph = supervisedGraph(policy.config, counts, this.trainable, {
        ...options,
        imageLabels: labels,
      });
      this.programs.set(key, policy.device.compile(graph, [policy.weights, this.optimizer.store]));
    }
    const program = await this.programs.get(key)!;
    const completions = new Int32Array(P * T).fill(policy.text.padTokenId);
    const target_mask = new Float32Array(P * T);
    batch.forEach(({ text }, p) => {
      const ids = [...policy.text.encode(text), policy.text.eosTokenId];
      if (ids.length > T)
        throw new UserError(`a demonstration of ${ids.length} tokens; the limit is ${T}: ${text}`);
      completions.set(ids, p * T);
      target_mask.fill(1, p * T, p * T + ids.length);
    });
    const inputs: Record<string, Float32Array | Int32Array> = {
      ...layout(policy.config, counts, prompts, policy.text.padTokenId, completions),
    };
    if (!options.imageOnly) Object.assign(inputs, { targets: completions, target_mask });
    if (options.imageLoss) Object.assign(inputs, this.cellLabels(batch, labels));
    const out: RunOutputs = await program.run(inputs);
    const gradNorm = await this.optimizer.update(learningRate);
    return { loss: out.loss?.[0] ?? 0, imageLoss: out.image_loss?.[0] ?? 0, gradNorm };
  }

  /**
   * Label 0: the colour's word, 1: the shape's (or the bar's), 2: the cell's own name, so that a name in the text
   * finds its cell by content. Masked where a cell has none. One softmax serves all three: the loss cannot fall
   * below that of a third each (log 3 where a cell holds something).
   */
  private cellLabels(batch: readonly Demonstration[], labels: number) {
    const tokens = imageTokens(this.policy.config);
    const out: Record<string, Float32Array | Int32Array> = {};
    for (let k = 0; k < labels; k++) {
      const targets = new Int32Array(batch.length * tokens);
      const mask = new Float32Array(batch.length * tokens);
      batch.forEach(({ example }, p) => {
        expectedCellContents(example).forEach(({ color, shape }, cell) => {
          const word = [color, shape, `@${cell + 1}`][k];
          if (word === null) return;
          targets[p * tokens + cell] = this.word(word);
          mask[p * tokens + cell] = 1;
        });
      });
      out[`image_targets.${k}`] = targets;
      out[`image_mask.${k}`] = mask;
    }
    return out;
  }

  private readonly words = new Map<string, number>();
  private word(text: string): number {
    let id = this.words.get(text);
    if (id === undefined) {
      const ids = this.policy.text.encode(` ${text}`);
      id = ids[ids.length - 1];
      this.words.set(text, id);
    }
    return id;
  }

  dispose(): void {
    for (const program of this.programs.values())
      void program.then(
        (p) => p.dispose(),
        () => {},
      );
  }
}
