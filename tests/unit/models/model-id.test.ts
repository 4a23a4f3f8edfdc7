import { expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { parseHubModel } from '../../../src/models/model-id.ts';

const smol = 'HuggingFaceTB/SmolVLM-256M-Instruct';

it.each<[string, string | undefined, string, string]>([
  [smol, undefined, smol, 'main'],
  [`  ${smol}\n`, undefined, smol, 'main'],
  [smol, 'v1.0', smol, 'v1.0'],
  [smol, ' ', smol, 'main'],
  [`${smol}@refs/pr/7`, undefined, smol, 'refs/pr/7'],
  [`${smol}@dev`, 'v1.0', smol, 'v1.0'],
  [`https://huggingface.co/${smol}`, undefined, smol, 'main'],
  [`http://huggingface.co/${smol}/`, undefined, smol, 'main'],
  [`huggingface.co/${smol}?library=transformers#x`, undefined, smol, 'main'],
  [`https://hf.co/${smol}`, undefined, smol, 'main'],
  [`https://huggingface.co/models/${smol}`, undefined, smol, 'main'],
  [`https://huggingface.co/${smol}/tree/main`, undefined, smol, 'main'],
  [`https://huggingface.co/${smol}/tree/refs%2Fpr%2F7/onnx`, undefined, smol, 'refs/pr/7'],
  [`https://huggingface.co/${smol}/tree/refs/pr/7`, undefined, smol, 'refs/pr/7'],
  [`https://huggingface.co/${smol}/blob/v2/config.json`, undefined, smol, 'v2'],
  [
    `https://huggingface.co/${smol}/resolve/${'a'.repeat(40)}/model.safetensors`,
    undefined,
    smol,
    'a'.repeat(40),
  ],
  [`https://huggingface.co/${smol}/discussions`, undefined, smol, 'main'],
])('reads %s (%s)', (text, revision, id, expected) => {
  expect(parseHubModel(text, revision)).toEqual({ id, revision: expected });
});

it.each<[string, RegExp]>([
  ['', /"" names no model; expected owner\/name/],
  ['smolvlm', /"smolvlm" names no model/],
  ['a/b/c', /names no model/],
  ['a/b@c@d', /names no model/],
  ['../b', /names no model/],
  ['a/..', /names no model/],
  ['a b/c', /names no model/],
  [`a/${'b'.repeat(100)}`, /names no model/],
  ['https://example.com/a/b', /is not on huggingface.co/],
  ['https://huggingface.co.example.com/a/b', /is not on huggingface.co/],
  ['https://huggingface.co/', /names no model/],
  ['https://huggingface.co/datasets/a/b', /no model, but one of the Hub's datasets/],
  ['https://huggingface.co/a/%ff', /is no address/],
  ['https://[', /is no address/],
])('refuses %s', (text, message) => {
  expect(() => parseHubModel(text)).toThrow(UserError);
  expect(() => parseHubModel(text)).toThrow(message);
});

it.each(['../x', 'a..b', '/x', 'x/', 'a b', 'x?y', 'a//b', 'v'.repeat(201)])(
  'refuses the revision %s',
  (revision) => {
    expect(() => parseHubModel(smol, revision)).toThrow(/cannot be a revision/);
  },
);
