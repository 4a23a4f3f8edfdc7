/** How much a mask changes what the model would write, and how undecided it is: over sampled completions. */
import type { Evaluation } from '../data/evaluate.ts';
import type { RasterImage } from '../data/raster.ts';
import { layout, roundUp } from '../policy/layout.ts';
import { passCounts, scoreGraph } from '../policy/papo-pass.ts';
import type { Policy } from '../policy/policy.ts';

/** Completions of one pass, about: both views are scored at once. */
const completionsPerPass = 32;

/** Means over each completion's tokens, nats: the exact KL[π‖π_mask], and H[π]. */
export async function scoreViews(
  policy: Policy,
  { rows, completions: { ids, lengths } }: Evaluation,
  samples: number,
  settings: { readonly temperature: number; readonly max_completion_length: number },
  maskedPixels: (image: RasterImage, index: number) => Promise<Float32Array>,
  onProgress: (done: number) => Promise<void>,
): Promise<{ kl: number[]; entropy: number[] }> {
  const T = settings.max_completion_length;
  const P = Math.min(rows.length, Math.max(1, Math.floor(completionsPerPass / samples)));
  const tokens = rows.map(({ prompt }) => policy.text.buildPrompt(prompt));
  const prefixLength = roundUp(
    tokens.reduce((most, list) => Math.max(most, list.length), 0),
    8,
  );
  const shape = { prompts: P, prefixLength, group: samples, completionLength: T, views: 2 as const };
  const program = await policy.program(`score ${JSON.stringify(shape)}`, () =>
    scoreGraph(policy.config, shape),
  );
  const [kl, entropy]: number[][] = [[], []];
  for (let first = 0; first < rows.length; first += P) {
    // The last pass is filled up with the last question.
    const wanted = Array.from({ length: P }, (_, p) => Math.min(first + p, rows.length - 1));
    const images = wanted.map((i) => ({ ids: tokens[i], pixelValues: policy.pixels(rows[i].image) }));
    const masked = await Promise.all(
      wanted.map(async (i) => ({ ids: tokens[i], pixelValues: await maskedPixels(rows[i].image, i) })),
    );
    const own = wanted.flatMap((i) => Array.from(ids.subarray(i * samples * T, (i + 1) * samples * T)));
    const targets = Int32Array.from(own);
    const out = await program.run({
      ...layout(
        policy.config,
        passCounts(shape),
        [...images, ...masked],
        policy.text.padTokenId,
        Int32Array.from([...own, ...own]),
      ),
      targets,
      temperature: Float32Array.of(settings.temperature),
    });
    const count = Math.min(P, rows.length - first) * samples;
    for (let n = 0; n < count; n++) {
      const length = lengths[first * samples + n];
      const mean = (values: ArrayLike<number>) => {
        let sum = 0;
        for (let t = 0; t < length; t++) sum += values[n * T + t];
        return sum / length;
      };
      kl.push(mean(out.kl_exact));
      entropy.push(mean(out.entropy));
    }
    await onProgress(Math.min(first + P, rows.length));
  }
  return { kl, entropy };
}
