/** What the Hub says of a model before it is downloaded. */
import { beforeEach, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { lookUpModel } from '../../../src/models/look-up.ts';
import { modelOf, shardedModelOf } from '../../model-files.ts';
import { FakeModelHub, fetchFrom } from '../../model-hub.ts';

const id = 'tiny/SmolVLM';
let hub: FakeModelHub;
/** What its card says. */
let license: unknown;
beforeEach(() => {
  hub = new FakeModelHub();
  license = 'apache-2.0';
});

const options = () => ({
  hubUrl: hub.hubUrl,
  retries: { attempts: 1 },
  fetch: (async (input, init) => {
    const response = await fetchFrom(hub)(input, init);
    const url = input instanceof Request ? input.url : String(input);
    if (!url.includes('cardData') || !response.ok) return response;
    return Response.json({ ...(await response.json()), cardData: { license } });
  }) as typeof fetch,
});

const sizeOf = (files: Record<string, Uint8Array | string>, isWanted: (name: string) => boolean) =>
  Object.entries(files).reduce((sum, [name, data]) => sum + (isWanted(name) ? data.length : 0), 0);

it('is licence, commit, configuration, and the bytes that loading would fetch', async () => {
  const files = modelOf();
  const commit = hub.commit(id, files);
  expect(await lookUpModel(id, undefined, options())).toEqual({
    id,
    revision: 'main',
    commit,
    license: 'apache-2.0',
    isGated: false,
    downloadBytes: sizeOf(files, (name) => name !== 'README.md' && name !== 'onnx_weights.bin'),
    config: { model_type: 'smolvlm' },
  });
  // The weights stay where they are.
  expect(hub.downloads).toEqual(['config.json all']);
});

it('counts all shards, and knows a card without a licence', async () => {
  const files = shardedModelOf();
  hub.commit(id, files, 'v2');
  license = undefined;
  const { downloadBytes, license: said, revision } = await lookUpModel(`${id}@v2`, undefined, options());
  expect(revision).toBe('v2');
  expect(said).toBeNull();
  expect(downloadBytes).toBe(sizeOf(files, (name) => !name.endsWith('index.json')));
});

it('says what to do where there is none, no SmolVLM, no weights, and no Hub', async () => {
  await expect(lookUpModel('tiny/nothing', undefined, options())).rejects.toThrow(/tiny\/nothing/);
  hub.commit(id, { ...modelOf(), 'config.json': '{"model_type":"llama"}' });
  await expect(lookUpModel(id, undefined, options())).rejects.toThrow(/llama.*no SmolVLM/);
  const { 'model.safetensors': _, ...weightless } = modelOf();
  hub.commit(id, weightless);
  await expect(lookUpModel(id, undefined, options())).rejects.toThrow(UserError);
  hub.trouble = () => ({ status: 503 });
  await expect(lookUpModel(id, undefined, options())).rejects.toThrow(UserError);
});

it('opens a gated model with a token, which no message repeats', async () => {
  hub.commit(id, modelOf());
  hub.repos.get(id)!.gated = 'manual';
  await expect(lookUpModel(id, undefined, options())).rejects.toThrow(/token|access/i);
  const found = await lookUpModel(id, undefined, { ...options(), token: hub.token });
  expect(found.isGated).toBe(true);
  const wrong = lookUpModel(id, undefined, { ...options(), token: 'hf_wrong0000' });
  await expect(wrong).rejects.toThrow(UserError);
  await expect(wrong).rejects.not.toThrow(/hf_wrong0000/);
});
