import { expect, it } from 'vitest';
import { OnnxBuilder } from '../../../src/device/cpu/onnx-builder.ts';
import { smallestModel } from '../../../src/device/cpu/smallest-model.ts';
import { Graph } from '../../../src/ops/graph.ts';

it('is what OnnxBuilder makes of a graph without an op', () => {
  const x = new Graph().input('x', [1, 1]);
  const builder = new OnnxBuilder();
  builder.input(x, 'x');
  expect(smallestModel()).toEqual(new Uint8Array(builder.model([{ name: 'y', tensor: x }])));
});
