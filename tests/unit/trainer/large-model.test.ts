import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { toNodeFolder } from '../../../src/export/to-node-folder.ts';
import { PAPOTrainer } from '../../../src/index.node.ts';
import { visionPrefix } from '../../../src/policy/parameters.ts';
import { tinySmolvlm } from '../../tiny-smolvlm.ts';
import { lengthReward } from '../../trainer-harness.ts';

// Large by its vocabulary: layers are blocks, and what is frozen is held in half floats.
const folder = await mkdtemp(join(tmpdir(), 'papo-large-'));
beforeAll(() => toNodeFolder(tinySmolvlm(), folder), 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

it('trains all but a frozen tower, which stays in half floats, against a reference held alike', async () => {
  const trainer = new PAPOTrainer({
    model: folder,
    reward_funcs: lengthReward.length,
    args: {
      num_generations: 2,
      per_device_train_batch_size: 2,
      max_completion_length: 3,
      max_steps: 2,
      learning_rate: 1e-3,
      beta: 0.1,
      freeze_vision_tower: true,
    },
    train_dataset: 'shapes',
    eval_dataset: null,
    device: new CpuDevice({ threads: 2 }),
  });
  const { weights } = await trainer.policy();
  const moves = ['lm_head.weight', 'model.text_model.layers.0.self_attn.q_proj.weight'];
  const stays = weights.names.filter((name) => name.startsWith(visionPrefix));
  const before = await weights.readMany([...moves, ...stays]);
  await trainer.train();
  const after = await weights.readMany([...moves, ...stays]);
  for (const name of moves) {
    expect(weights.dtype(name)).toBe('f32');
    expect(after.get(name), name).not.toEqual(before.get(name));
  }
  for (const name of stays) expect(after.get(name), name).toEqual(before.get(name));
  expect(weights.dtype(`${visionPrefix}encoder.layers.0.mlp.fc1.weight`)).toBe('f16');
  const kl = trainer.history.filter(({ kind }) => kind === 'step').map(({ metrics }) => metrics.kl);
  // The first step is the reference itself, held in the same precision.
  expect(Math.abs(kl[0])).toBeLessThan(1e-6);
  expect(kl[1]).toBeGreaterThan(1e-6);
  await trainer.dispose();
}, 120_000);
