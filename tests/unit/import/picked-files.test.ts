import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { openModelSource } from '../../../src/import/picked-files.ts';
import { sameOriginUrl } from '../../../src/import/same-origin.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { floatTensor, writeSafetensors } from '../../../src/store/safetensors.ts';
import { file } from './data.ts';
import { makeZip } from './make-zip.ts';

const weights = new Uint8Array(writeSafetensors([floatTensor('w', [2], Float32Array.of(1, -2))]));
const folder = { 'config.json': '{"a": 1}', 'model.safetensors': weights, 'tokenizer.json': '{}' };

const loose = (prefix: string) =>
  Object.entries(folder).map(([name, content]) => ({ path: `${prefix}${name}`, file: new Blob([content]) }));
const zipOf = (prefix: string, extra: Record<string, string> = {}) =>
  file(
    'model.zip',
    makeZip(
      Object.entries({ ...folder, ...extra }).map(([name, data]) => ({ name: `${prefix}${name}`, data })),
    ),
  );

async function refusal(files: Parameters<typeof openModelSource>[0]): Promise<string> {
  const error = await openModelSource(files).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(UserError);
  return (error as Error).message;
}

describe('openModelSource', () => {
  it.each([
    ['loose files', loose('')],
    ['a picked folder', loose('papo-nano/')],
    ['a zip', [zipOf('')]],
    ['a zip of one folder', [zipOf('papo-nano/')]],
    ['a zip of one folder, with clutter', [zipOf('papo-nano/', { '.DS_Store': 'x' })]],
  ])('opens %s', async (_, files) => {
    const model = await loadModelFolder(await openModelSource(files));
    expect(model.config).toEqual({ a: 1 });
    expect([...(model.weights.get('w')?.data ?? [])]).toEqual([1, -2]);
  });

  it('knows a zip by its first bytes, whatever its name', async () => {
    const bytes = new Uint8Array(await zipOf('').arrayBuffer());
    expect(await (await openModelSource([file('download', bytes)])).read('tokenizer.json')).not.toBeNull();
  });

  it('reads files in the folder below, and nothing outside', async () => {
    const source = await openModelSource([zipOf('m/', { 'onnx/decoder.onnx': 'graph' })]);
    expect(await source.read('onnx/decoder.onnx')).toEqual(new TextEncoder().encode('graph'));
    expect(await source.read('vocab.json')).toBeNull();
    await expect(source.read('../m/config.json')).rejects.toThrow(UserError);
  });

  it.each(['model.bin', 'model.pt', 'model.pth', 'model.ckpt', 'model.pkl'])('refuses %s', async (name) => {
    expect(await refusal([file(name, 'x')])).toMatch(/pickle.*runs whatever code.*safetensors/s);
    expect(await refusal([file('config.json', '{}'), file(name, 'x')])).toMatch(/pickle/);
  });

  it('refuses a PyTorch archive, which is a zip of pickles', async () => {
    const torch = makeZip([
      { name: 'archive/data.pkl', data: 'x' },
      { name: 'archive/data/0', data: 'y' },
    ]);
    expect(await refusal([file('weights', torch)])).toMatch(/data\.pkl" is a Python pickle/);
  });

  it('passes over pickles beside safetensors, and never reads one', async () => {
    const files = [
      ...loose(''),
      { path: 'training_args.bin', file: new Blob(['x']) },
      { path: 'pytorch_model.bin', file: new Blob(['x']) },
    ];
    const source = await openModelSource(files);
    expect((await loadModelFolder(source)).weights.size).toBe(1);
    await expect(source.read('pytorch_model.bin')).rejects.toThrow(/pickle/);
  });

  it('says what was expected', async () => {
    expect(await refusal([])).toMatch(/No file/);
    expect(await refusal([file('a.txt', 'x')])).toMatch(
      /no config\.json: expected a Hugging Face model folder/,
    );
    expect(await refusal([file('x.zip', 'no zip')])).toMatch(/x\.zip cannot be read as a zip/);
    expect(await refusal([zipOf('a/b/')])).toMatch(/lies deeper \(a\/b\/config\.json\)/);
  });
});

describe('sameOriginUrl', () => {
  const base = 'https://papo.example/app/index.html';
  it('takes paths of the own origin', () => {
    expect(sameOriginUrl('models/x/', base).href).toBe('https://papo.example/app/models/x/');
    expect(sameOriginUrl('https://papo.example/y', base).href).toBe('https://papo.example/y');
  });
  it.each([
    'https://other.example/x',
    '//other.example/x',
    'http://papo.example/x',
    'https://papo.example:8443/x',
    'data:,x',
    'blob:https://papo.example/1',
    'javascript:alert(1)',
    'file:///etc/passwd',
  ])('refuses %s', (text) => {
    expect(() => sameOriginUrl(text, base)).toThrow(/outside https:\/\/papo\.example/);
  });
  it('refuses credentials and what is no address', () => {
    expect(() => sameOriginUrl('https://a:b@papo.example/x', base)).toThrow(UserError);
    expect(() => sameOriginUrl('https://', base)).toThrow(/no address/);
  });
});
