/** What the training passes of one update found for each token, by completion. */
import type { RunOutputs } from '../device/device.ts';
import type { Generation } from './generation.ts';

/** Lists by completion; a list is empty where the update did not compute it, or not for this completion. */
export interface CompletionValues {
  /** log π(token | image), of the policy as it was before the update. */
  readonly logps: number[][];
  /** The same for the masked image; empty where the masked view was not needed. */
  readonly masked_logps: number[][];
  /** KL[π‖π_mask], exact, nats; empty where the masked view was not needed. */
  readonly perception_kl: number[][];
  /** H[π], nats. */
  readonly entropy: number[][];
  /** π / π_old; empty where no update came between sampling and this one: there it is 1 by construction. */
  readonly ratio: number[][];
}

export class TokenValues {
  private readonly found = new Map<number, { readonly [name in keyof CompletionValues]: number[] }>();

  /** The outputs of a micro-batch. They are copied: a device may use their memory again. */
  add(generation: Generation, batch: number, out: RunOutputs): void {
    const { lengths } = generation.completions;
    const old = generation.oldLogps.get(batch);
    const order = generation.microBatches[batch];
    const T = out.per_token_logps.length / order.length;
    const rows = (values: RunOutputs[string] | undefined, i: number): number[] =>
      values ? Array.from(values.subarray(i * T, i * T + lengths[order[i]])) : [];
    order.forEach((n, i) => {
      const logps = rows(out.per_token_logps, i);
      this.found.set(n, {
        logps,
        masked_logps: rows(out.per_token_logps_masked ?? generation.maskedLogps.get(batch), i),
        perception_kl: rows(out.kl_exact, i),
        entropy: rows(out.entropy, i),
        ratio: rows(old, i).map((value, t) => Math.fround(Math.exp(logps[t] - value))),
      });
    });
  }

  /** Of these completions. */
  of(completions: readonly number[]): CompletionValues {
    const list = (name: keyof CompletionValues) => completions.map((n) => this.found.get(n)?.[name] ?? []);
    return {
      logps: list('logps'),
      masked_logps: list('masked_logps'),
      perception_kl: list('perception_kl'),
      entropy: list('entropy'),
      ratio: list('ratio'),
    };
  }
}
