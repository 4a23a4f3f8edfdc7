import { afterEach, beforeEach, expect, it } from 'vitest';
import { PAPOTrainer } from '../../../src/index.node.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { type FakeHub, startFakeHub } from '../../fake-hub.ts';
import { tinyNano } from '../../tiny-nano.ts';

let hub: FakeHub;
beforeEach(async () => {
  hub = await startFakeHub();
});
afterEach(() => hub.close());

it('push_to_hub brings a folder that opens again with the very weights, and no token in it', async () => {
  const model = await tinyNano();
  const trainer = new PAPOTrainer({
    model,
    device: 'cpu',
    reward_funcs: 'format',
    args: { max_steps: 1 },
    train_dataset: 'counting',
  });
  try {
    await trainer.push_to_hub({ repo_id: 'somebody/tiny', token: hub.token, hub_url: hub.url });
  } finally {
    await trainer.dispose();
  }
  const files = hub.files('somebody/tiny');
  expect([...files.keys()]).toEqual(
    expect.arrayContaining([
      'README.md',
      'config.json',
      'model.safetensors',
      'training_args.json',
      'tokenizer.json',
    ]),
  );
  for (const [name, bytes] of files) expect(bytes.includes(hub.token), name).toBe(false);
  const read = async (name: string) => files.get(name) ?? null;
  const opened = await loadModelFolder({ where: 'the repository', read });
  expect([...opened.weights.keys()].sort()).toEqual([...model.weights.keys()].sort());
  for (const [name, { data }] of model.weights) expect(opened.weights.get(name)!.data, name).toEqual(data);
});
