/** How a number of a token becomes a colour: one scale for each choice, the same for the legend and the tokens. */
import type { CompletionView, TokenView } from '../../worker/protocol.ts';
import { short, signed } from '../parts/format.ts';

export const COLOURINGS = ['kl', 'ratio', 'entropy', 'advantage'] as const;
export type Colouring = (typeof COLOURINGS)[number];

interface Scale {
  readonly value: (token: TokenView, completion: CompletionView) => number | null;
  /** From −1 to 1, 0 without colour. */
  readonly share: (value: number) => number;
  /** Numbers that the legend shows, least first. */
  readonly stops: readonly number[];
  readonly format: (value: number) => string;
}

const within = (share: number) => Math.max(-1, Math.min(1, share));
/** Numbers without an upper end: half the colour at 0.69, nearly all at 3. */
const saturating = (value: number) => 1 - Math.exp(-Math.max(0, value));
/** A ratio and its inverse are as far from 1. */
const mostRatio = 1.25;

export const scales: Readonly<Record<Colouring, Scale>> = {
  kl: { value: ({ kl }) => kl, share: saturating, stops: [0, 0.1, 0.3, 1, 3], format: short },
  ratio: {
    value: ({ ratio }) => ratio,
    share: (ratio) => within(Math.log(ratio) / Math.log(mostRatio)),
    stops: [1 / mostRatio, 0.9, 1, 1.1, mostRatio],
    format: (value) => String(Number(value.toFixed(2))),
  },
  entropy: { value: ({ entropy }) => entropy, share: saturating, stops: [0, 0.1, 0.3, 1, 3], format: short },
  advantage: {
    value: (_, { advantage }) => advantage,
    share: (advantage) => within(advantage / 2),
    stops: [-2, -1, 0, 1, 2],
    format: signed,
  },
};

/** Class and style of a thing of this colour. */
export function tone(colouring: Colouring, value: number | null): { className: string; share: string } {
  if (value === null || Number.isNaN(value)) return { className: 'unknown', share: '0%' };
  const share = scales[colouring].share(value);
  const isDiverging = scales[colouring].stops[0] !== 0;
  const className = !isDiverging ? 'amount' : share < 0 ? 'below' : 'above';
  return { className, share: `${Math.round(100 * Math.abs(share))}%` };
}
