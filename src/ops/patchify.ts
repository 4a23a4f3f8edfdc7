/** Images to rows of patches, in the order of a patch convolution's weight [d, 3, p, p]. No gradient to pixels. */
import patchifyWgsl from '../../shaders/patchify.wgsl?raw';
import { check, f32, type Graph, type Op, type Tensor } from './graph.ts';

/** images [B, 3·S·S] (channel first) → [B · (S/p)², 3·p·p]; patches row by row. */
export function patchify(g: Graph, images: Tensor, size: number, patch: number): Tensor {
  return g.call(patchifyOp, [images], { size, patch })[0];
}

const patchifyOp: Op<{ size: number; patch: number }> = {
  name: 'patchify',
  outputs([images], { size, patch }) {
    check(size % patch === 0, 'patchify', `patch size ${patch} must divide ${size}`, [images]);
    check(images.shape[1] === 3 * size * size, 'patchify', `images must be [B, 3·${size}·${size}]`, [images]);
    return [f32(images.shape[0] * (size / patch) ** 2, 3 * patch * patch)];
  },
  reference([images], [y], { attributes: { size, patch } }) {
    const side = size / patch;
    for (let i = 0; i < y.length; i++) {
      const column = i % patch;
      const row = Math.floor(i / patch) % patch;
      const channel = Math.floor(i / (patch * patch)) % 3;
      const index = Math.floor(i / (3 * patch * patch));
      const [b, py, px] = [Math.floor(index / (side * side)), Math.floor(index / side) % side, index % side];
      y[i] = images[((b * 3 + channel) * size + py * patch + row) * size + px * patch + column];
    }
  },
  onnx(b, { inputs: [images], outputs: [y], attributes: { size, patch } }) {
    const side = size / patch;
    const split = b.reshape(b.name(images), [images.shape[0], 3, side, patch, side, patch]);
    return [b.reshape(b.transpose(split, [0, 2, 4, 1, 3, 5]), y.shape)];
  },
  webgpu(gpu, { inputs: [images], outputs: [y], attributes: { size, patch } }) {
    const count = y.shape[0] * y.shape[1];
    return [
      gpu.dispatch({
        kernel: 'patchify',
        code: patchifyWgsl,
        bindings: [images, y],
        params: [count, size, patch],
        threads: count,
      }),
    ];
  },
};
