/** How large tensors are in GPU buffers. */
import { sizeOf, type TensorSpec } from '../../ops/graph.ts';
import { roundUp } from './flags.ts';

/** Bytes of the tensor's values in its buffer: whole words, so an odd number of halves has a half of padding. */
export const bytesOf = ({ shape, dtype }: TensorSpec) =>
  roundUp(sizeOf(shape) * (dtype === 'f16' ? 2 : 4), 4);
