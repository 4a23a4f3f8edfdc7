import { expect, it } from 'vitest';
import { rowsDataset } from '../../../src/data/dataset.ts';
import { formatPrompt, papoInstruction, withFormatPrompt } from '../../../src/data/format-prompt.ts';

// What jinja2 3.1 makes of the authors' file (bytes of examples/format_prompt/math_perception.jinja at fb63bf4).
const authors = `How long is AB?

You first think through the reasoning process as an internal monologue, enclosed within <think> </think> tags. Then, provide your final answer enclosed within \\boxed{}.`;

it('puts the authors’ instruction behind the question, to the letter', () => {
  expect(formatPrompt('How long is AB?', 'papo')).toBe(authors);
  expect(formatPrompt(' \n How long is AB?\n\n', 'papo')).toBe(authors);
  expect(formatPrompt(' How long?\n', 'none')).toBe(' How long?\n');
});

it('changes the prompts of a dataset and nothing else', async () => {
  const image = { width: 1, height: 1, data: new Uint8Array(3) };
  const rows = ['a', 'b'].map((prompt) => ({
    id: prompt,
    prompt,
    image,
    answer: '1',
    columns: { kind: 'x' },
  }));
  const data = rowsDataset(rows, 'mine');
  expect(withFormatPrompt(data, 'none')).toBe(data);
  const told = withFormatPrompt({ ...data, epochSize: 2 }, 'papo');
  expect([told.name, told.size, told.epochSize]).toEqual(['mine', 2, 2]);
  expect(await told.row(1)).toEqual({ ...rows[1], prompt: `b\n\n${papoInstruction}` });
  expect(rows[1].prompt).toBe('b');
});
