/** Holds out a share of a dataset that came without an evaluation set. */
import { UserError } from '../errors.ts';
import { Purpose, RandomStream } from '../papo/random.ts';
import type { Dataset } from './dataset.ts';

const mostRows = 2 ** 21;

function part(data: Dataset, rows: readonly number[], name: string): Dataset {
  const sorted = rows.toSorted((a, b) => a - b);
  const numberOf = (index: number): number => {
    const row = sorted[index];
    if (row === undefined) throw new RangeError(`${data.name} (${name}) has no row ${index}`);
    return row;
  };
  return {
    name: `${data.name} (${name})`,
    size: sorted.length,
    row: (index, preparation) => data.row(numberOf(index), preparation),
    ...(data.prompt && { prompt: (index) => data.prompt!(numberOf(index)) }),
  };
}

/**
 * Rows to train on and a share of rows held out, both in the data's order; which rows follows from the seed alone.
 * Each part has one row or more. Throws UserError for a share outside (0, 1), and for data of one row or without end.
 */
export function split(data: Dataset, share: number, seed: number): { train: Dataset; heldOut: Dataset } {
  if (!(share > 0 && share < 1))
    throw new UserError(`The held-out share is ${share}; expected 0 < share < 1.`);
  if (!(data.size >= 2 && data.size <= mostRows)) {
    throw new UserError(`${data.name} has ${data.size} rows: 2 to ${mostRows} can be split.`);
  }
  const count = Math.min(data.size - 1, Math.max(1, Math.round(data.size * share)));
  const numbers = Array.from({ length: data.size }, (_, i) => i);
  const order = new RandomStream(seed, Purpose.holdOut).shuffle(numbers);
  return {
    train: part(data, order.slice(count), 'train'),
    heldOut: part(data, order.slice(0, count), 'held out'),
  };
}
