/**
 * Exponential moving average as TensorBoard and Weights & Biases draw it: debiased, so that it starts at the first
 * value and not at 0; rows without a finite value are left as they are and count for nothing.
 */
import { grown } from './history.ts';

export class Smoothing {
  private values: Float64Array = new Float64Array(0);
  private rows = 0;
  private average = 0;
  /** weight to the power of the values so far. */
  private bias = 1;

  constructor(readonly weight: number) {}

  /** Of the first `rows` of `raw`. Only what is new since the last call is computed; its last row may have changed. */
  numbers(raw: Float64Array, rows: number): Float64Array {
    this.values = grown(this.values, rows);
    const { weight, values } = this;
    for (let i = this.rows; i < rows; i++) {
      const value = raw[i];
      let { average, bias } = this;
      // Neither NaN nor infinite.
      if (value - value === 0) {
        average = weight * average + (1 - weight) * value;
        bias *= weight;
        values[i] = average / (1 - bias);
      } else values[i] = value;
      if (i === rows - 1) break;
      this.average = average;
      this.bias = bias;
      this.rows = i + 1;
    }
    return values;
  }
}
