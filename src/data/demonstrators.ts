// Two demonstrators of one form. The careful one writes what is there. The lazy one never looks: it writes what
// the hint or the prior makes plausible, and answers in line with what it wrote.
import type { RandomStream } from '../papo/random.ts';
import { completionText } from './completion.ts';
import type { Example } from './examples.ts';
import { kinds } from './tasks.ts';

export function carefulDemonstration(example: Example): string {
  return example.demonstration;
}

/** `sharpness` raises the prior to a power: 1 draws from it, 4 nearly always takes the commonest. */
export function lazyDemonstration(example: Example, random: RandomStream, sharpness: number): string {
  const { kind, question, hint } = example;
  const spec = kinds[kind];
  // With a hint: whatever leads to it, first by the sharp prior, then by flatter ones.
  for (const power of hint ? [sharpness, 1, 0.5, 0] : [sharpness]) {
    for (let attempt = 0; attempt < 32; attempt++) {
      const imagined = spec.imagine(question, random, power);
      const answer = spec.solve(question, imagined);
      if (!hint || answer === hint.answer) return completionText(spec.think(question, imagined), answer);
    }
  }
  const imagined = spec.imagine(question, random, sharpness);
  return completionText(spec.think(question, imagined), spec.solve(question, imagined));
}
