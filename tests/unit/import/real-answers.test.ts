/** From a file to a reward: questions about geometry and charts, as GeoQA, ChartQA and ViRL39K ask them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { papoInstruction, withFormatPrompt } from '../../../src/data/format-prompt.ts';
import { TextProcessor } from '../../../src/data/tokenizer.ts';
import { readDataset } from '../../../src/import/dataset.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import { rewardArgs } from '../../../src/papo/generation.ts';
import { RewardGuard } from '../../../src/rewards/guard.ts';
import { rewardFunctions } from '../../../src/rewards/rewards.ts';
import { blobs, lines, png } from './data.ts';

const data = {
  'train.jsonl': lines(
    {
      problem:
        '<image>In triangle ABC, AB = AC and ∠BAC = 40°. Find ∠ABC.\nChoices:\n(A) 40°\n(B) 70°\n(C) 100°\n(D) 140°',
      images: ['geometry.png'],
      answer: 'B',
    },
    {
      problem: '<image>A right triangle has legs of 2 cm and 4 cm. How long is its hypotenuse?',
      images: ['geometry.png'],
      answer: '$2\\sqrt{5}$',
    },
    { question: 'What share of people chose tea?', image: 'chart.png', answer: '42%', kind: 'chart' },
    {
      question: 'Which country has the highest bar?',
      image: 'chart.png',
      answer: 'United States',
      kind: 'chart',
    },
    { question: 'Is the line rising?', image: 'chart.png', answer: 'B', choices: ['yes', 'no'] },
  ),
  'geometry.png': png(40, 30, [255, 255, 255]),
  'chart.png': png(30, 40, [0, 0, 255]),
};

/** Right and wrong completions of each question, and what each reward says of them. */
const right = ['B', '2\\sqrt{5}\\text{ cm}', '0.42', 'the United States', 'B'];
const otherwise = ['70^\\circ', '\\sqrt{20}', '43\\%', 'united states.', 'No'];
const wrong = ['C', '\\sqrt{12}', '50\\%', 'China', 'yes'];
const told = (answer: string) => `<think> I look at the picture. </think> \\boxed{${answer}}`;

it('imports, asks with the instruction, and rewards right answers in whatever form', async () => {
  const report = await readDataset(blobs(data), { decodeImage });
  expect([report.good, report.problemCount]).toEqual([5, 0]);
  const prompted = withFormatPrompt(report.dataset(), 'papo');
  const rows = await Promise.all([0, 1, 2, 3, 4].map((i) => prompted.row(i)));

  const text = await byteTokenizer();
  for (const { prompt } of rows) {
    expect(prompt.endsWith(`\n\n${papoInstruction}`)).toBe(true);
    expect(prompt.startsWith('<image>')).toBe(false);
    const rendered = text.renderPrompt(prompt);
    expect(text.decode(text.buildPrompt(prompt))).toBe(rendered);
    expect(rendered).toContain(`${papoInstruction}<end_of_utterance>`);
  }

  const texts = rows.flatMap((_, i) => [right, otherwise, wrong].map((answers) => told(answers[i])));
  const { rewards, failures } = await new RewardGuard(rewardFunctions).compute(
    rewardArgs(rows, { texts }, 3),
  );
  expect(failures).toEqual([]);
  const perQuestion = (name: string) => rows.map((_, i) => rewards[name].slice(i * 3, i * 3 + 3));
  expect(perQuestion('answer_match')).toEqual([
    [1, 1, 0],
    [1, 1, 0],
    [1, 0, 0],
    [1, 1, 0],
    [1, 1, 0],
  ]);
  expect(perQuestion('choice_letter')[0]).toEqual([1, 1, 0]);
  expect(perQuestion('choice_letter')[4]).toEqual([1, 1, 0]);
  expect(perQuestion('number_answer').map(([first]) => first)).toEqual([null, 1, 1, null, null]);
  expect(perQuestion('relaxed_accuracy')[2]).toEqual([1, 1, 0]);
  expect(perQuestion('short_text')[3]).toEqual([1, 1, 0]);
  expect(rewards.think_format).toEqual(Array(15).fill(1));
  // mathruler drops percent signs and knows no choices: 0.42 is not 42, 70° is not B.
  expect(perQuestion('papo_math')).toEqual([
    [1, 0.1, 0.1],
    [1, 1, 0.1],
    [0.1, 0.1, 0.1],
    [0.1, 0.1, 0.1],
    [1, 0.1, 0.1],
  ]);
});

/** A byte-level BPE without merges, so that any text can be written, with papo-nano's chat template. */
async function byteTokenizer(): Promise<TextProcessor> {
  const folder = join(import.meta.dirname, '../../../public/models/papo-nano');
  const chatTemplate = await readFile(join(folder, 'chat_template.jinja'), 'utf8');
  // GPT-2's printable stand-ins of the 256 bytes.
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let moved = 0;
  const vocab = Object.fromEntries(
    Array.from({ length: 256 }, (_, b) => [String.fromCodePoint(printable(b) ? b : 256 + moved++), b]),
  );
  const special = [
    '<image>',
    '<fake_token_around_image>',
    '<global-img>',
    '<|im_start|>',
    '<end_of_utterance>',
    '<pad>',
  ];
  const added = special.map((content, i) => ({ id: 256 + i, content, special: true }));
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return TextProcessor.fromFiles({
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added.map((token) => ({ ...token, ...plain })),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: { type: 'BPE', dropout: null, vocab, merges: [], unk_token: null },
    },
    tokenizerConfig: { eos_token: '<end_of_utterance>', pad_token: '<pad>', chat_template: chatTemplate },
    config: {
      image_token_id: 256,
      scale_factor: 4,
      text_config: { vocab_size: 262 },
      vision_config: { image_size: 512, patch_size: 16 },
    },
  });
}
