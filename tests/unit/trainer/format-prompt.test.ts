/** The setting format_prompt in the trainer: who sees the instruction, and which model is not asked to. */
import { describe, expect, it } from 'vitest';
import { rowsDataset } from '../../../src/data/dataset.ts';
import { formatPrompt, papoInstruction } from '../../../src/data/format-prompt.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { PAPOTrainer, type RewardArgs } from '../../../src/index.node.ts';
import { PRESETS } from '../../../src/papo/presets.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import { checkFormatPrompt } from '../../../src/trainer/check-format-prompt.ts';
import { tinyNano } from '../../tiny-nano.ts';

const model = await tinyNano();
const device = new CpuDevice({ threads: 1 });
const image = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3) };
const rows = ['add @3 @7', 'add @1 @2'].map((prompt) => ({
  id: prompt,
  prompt,
  image,
  answer: '3',
  columns: {},
}));
const seen: string[] = [];
const watch = ({ prompts }: RewardArgs) => {
  seen.push(...prompts);
  return prompts.map(() => 0);
};
const trainer = (format_prompt: 'none' | 'papo') =>
  new PAPOTrainer({
    model,
    device,
    reward_funcs: watch,
    args: {
      format_prompt,
      max_steps: 1,
      num_generations: 2,
      per_device_train_batch_size: 4,
      max_completion_length: 2,
      num_eval_samples: 2,
    },
    train_dataset: rowsDataset(rows),
    eval_dataset: rows,
  });

describe('format_prompt', () => {
  it.each(['none', 'papo'] as const)('%s: model and rewards see the same prompts', async (format) => {
    seen.length = 0;
    const one = trainer(format);
    await one.evaluate();
    await one.dispose();
    expect(seen).toEqual(rows.map(({ prompt }) => formatPrompt(prompt, format)));
    expect(seen[0].includes(papoInstruction)).toBe(format === 'papo');
  });

  it('papo is refused before a run where the vocabulary has no words for it', async () => {
    const one = trainer('papo');
    await expect(one.train()).rejects.toThrow(
      /^format_prompt: this model's vocabulary has no tokens for "You first/,
    );
    await one.dispose();
  });

  it('is taken by a vocabulary that writes any text', () => {
    const tokenizer = (unk_token: string | null) =>
      new TextEncoder().encode(JSON.stringify({ model: { unk_token } }));
    const policy = (unk_token: string | null, ids: number[]) =>
      ({
        folder: { files: new Map([['tokenizer.json', tokenizer(unk_token)]]) },
        text: { tokenId: () => 7, encode: () => ids },
      }) as unknown as Policy;
    for (const one of [policy(null, [7]), policy('<unk>', [1, 2]), policy('', [7])])
      expect(() => checkFormatPrompt(one, { format_prompt: 'papo' })).not.toThrow();
    expect(() => checkFormatPrompt(policy('<unk>', [1, 7]), { format_prompt: 'papo' })).toThrow(
      /format_prompt/,
    );
    expect(() => checkFormatPrompt(policy('<unk>', [1, 7]), { format_prompt: 'none' })).not.toThrow();
  });

  it('is set by the preset for SmolVLM alone', () => {
    const told = Object.entries(PRESETS).filter(([, { settings }]) => 'format_prompt' in settings);
    expect(told.map(([name]) => name)).toEqual(['smolvlm-lora']);
  });
});
