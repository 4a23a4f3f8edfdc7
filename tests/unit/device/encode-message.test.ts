/** Our encoder gives the bytes of protobufjs's generated one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { afterEach, expect, it, vi } from 'vitest';
import { encodeMessage } from '../../../src/device/cpu/encode-message.ts';

const schema = readFileSync(join(import.meta.dirname, '../../../src/device/cpu/onnx-ml.proto'), 'utf8');
const open = () => protobuf.parse(schema, { keepCase: true }).root;

afterEach(() => vi.unstubAllGlobals());

it('encodes every kind of field as protobufjs does', () => {
  // Without resolveAll protobufjs does not know which lists are packed.
  const type = open().resolveAll().lookupType('onnx.ModelProto');
  const model = {
    graph: {
      name: 'graph µ',
      node: [
        {
          op_type: 'Conv',
          domain: '',
          input: ['a', '', 'b'],
          output: ['c'],
          attribute: [
            { name: 'i', type: 2, i: -3 },
            { name: 'big', type: 2, i: 2 ** 40 },
            { name: 'f', type: 1, f: -1.5 },
            { name: 's', type: 3, s: new TextEncoder().encode('text') },
            { name: 'ints', type: 7, ints: [0, -1, 2 ** 33] },
            { name: 'g', type: 5, g: { name: 'inner', node: [] } },
          ],
        },
      ],
      initializer: [
        { name: 'w', data_type: 1, dims: [2, 3], raw_data: new Uint8Array(24).map((_, i) => i) },
        { name: 'p', data_type: 1, dims: [3], float_data: [1, 2, 3] },
        { name: 'e', data_type: 1, dims: [], float_data: [] },
      ],
      input: [
        {
          name: 'a',
          type: { tensor_type: { elem_type: 1, shape: { dim: [{ dim_value: 2 }, { dim_param: 'n' }] } } },
        },
      ],
    },
    opset_import: [{ domain: '', version: 20 }],
    ir_version: 9,
    producer_name: undefined,
  };
  // A page under a Content-Security-Policy has no Function either.
  const refuse = () => {
    throw new EvalError('code from a string');
  };
  vi.stubGlobal('Function', new Proxy(Function, { apply: refuse, construct: refuse }));
  const bytes = encodeMessage(open().lookupType('onnx.ModelProto'), model);
  expect(() => type.encode(type.fromObject(model))).toThrow(EvalError);
  vi.unstubAllGlobals();
  expect([...bytes]).toEqual([...type.encode(type.fromObject(model)).finish()]);
  expect(encodeMessage(type, { ir_version: 9n })).toEqual(encodeMessage(type, { ir_version: 9 }));
});

it('refuses a field that the type lacks', () => {
  expect(() => encodeMessage(open().lookupType('onnx.TensorProto'), { dim: [1] })).toThrow(
    /TensorProto has no field "dim"/,
  );
});
