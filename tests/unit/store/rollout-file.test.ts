// A rollout as a file: everything comes back, and what is no such file is told.
import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { type KeptRollout, readRollout, writeRollout } from '../../../src/store/rollout-file.ts';
import { readSafetensorsFile, writeSafetensors } from '../../../src/store/safetensors.ts';

const f = Math.fround;
const rollout: KeptRollout = {
  step: 12,
  mask: { type: 'semantic', ratio: 0.6, patchSize: 16, size: 64, mean: [0.5, 0.25, 0.1], seed: 3 },
  groups: [
    {
      prompt: 40,
      place: { generation: 5, index: 0 },
      saliency: Float32Array.of(0.5, f(0.1), 0),
      tokens: [[1, 2, 70_000], [4], []],
      rewards: [
        { exact: 1 / 3, own: null },
        { exact: -0, own: 2 },
        { exact: 0, own: 0 },
      ],
      advantages: [0.1 + 0.2, -1.5, 0],
      logps: [[f(-0.1), -2, Number.NaN], [-0.5], []],
      masked_logps: [[], [], []],
      perception_kl: [[f(1e-7), 0, 3], [], []],
      entropy: [[1, 2, 3], [4], []],
      ratio: [[], [], []],
    },
    {
      prompt: 41,
      place: { generation: 5, index: 1 },
      saliency: Float32Array.of(1, 2, 3),
      tokens: [[9]],
      rewards: [{ exact: 1, own: 1 }],
      advantages: [2],
      logps: [[-3]],
      masked_logps: [[-4]],
      perception_kl: [[0.5]],
      entropy: [[0.25]],
      ratio: [[1.5]],
    },
  ],
};

describe('a rollout as a file', () => {
  it('comes back as it was', () => {
    const bytes = writeRollout(rollout);
    const read = readRollout(bytes, 'here');
    expect(read).toEqual(rollout);
    expect(Object.is(read.groups[0].rewards[1].exact, -0)).toBe(true);
  });

  it('is a safetensors file', () => {
    const { tensors } = readSafetensorsFile(writeRollout(rollout));
    expect(tensors.get('tokens')).toMatchObject({ dtype: 'I32', shape: [5] });
    expect(tensors.get('logps')).toMatchObject({ dtype: 'F32', shape: [5] });
    expect(tensors.has('saliency.1')).toBe(true);
  });

  it('that is damaged, or another file, is told with its place', () => {
    const bytes = writeRollout(rollout);
    const other = writeSafetensors([]);
    const newer = writeSafetensors([], { metadata: { rollout: '{"version":99,"groups":[]}' } });
    const broken = writeSafetensors([], { metadata: { rollout: '{"version"' } });
    for (const wrong of [bytes.slice(0, -1), other, newer, broken, new Uint8Array(3)]) {
      expect(() => readRollout(wrong, 'step 12')).toThrow(UserError);
      expect(() => readRollout(wrong, 'step 12')).toThrow(/^step 12/);
    }
    const { tensors, metadata } = readSafetensorsFile(bytes);
    tensors.delete('entropy');
    expect(() => readRollout(writeSafetensors(tensors.values(), { metadata }), 'step 12')).toThrow(
      /step 12 has no "entropy"/,
    );
  });
});
