/** A dataset gone round and round, each time in another order, so that training can draw prompts without end. */
import { Purpose, RandomStream } from '../papo/random.ts';
import type { Dataset } from './dataset.ts';

/**
 * Row n is row n of the rounds laid end to end. The order of a round is a pure function of (seed, round), so a resumed
 * run draws what the uninterrupted one draws; with seed null every round goes from first to last.
 */
export function endless(dataset: Dataset, seed: number | null): Dataset {
  const { size } = dataset;
  let known: { round: number; order: number[] } | undefined;
  const orderOf = (round: number, seed: number): number[] => {
    if (known?.round !== round) {
      const numbers = Array.from({ length: size }, (_, i) => i);
      known = { round, order: new RandomStream(seed, Purpose.order, round).shuffle(numbers) };
    }
    return known.order;
  };
  const numberOf = (index: number): number => {
    const round = Math.floor(index / size);
    const place = index - round * size;
    return seed === null ? place : orderOf(round, seed)[place];
  };
  return {
    name: dataset.name,
    size: Number.POSITIVE_INFINITY,
    epochSize: size,
    row: (index, preparation) => dataset.row(numberOf(index), preparation),
    ...(dataset.prompt && { prompt: (index) => dataset.prompt!(numberOf(index)) }),
  };
}
