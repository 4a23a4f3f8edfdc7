// The download for a cluster: its files, its data read back, and its rewards against ours.
import { readFile } from 'node:fs/promises';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { rowsDataset, worldDataset } from '../../../src/data/dataset.ts';
import { formatPrompt, withFormatPrompt } from '../../../src/data/format-prompt.ts';
import { UserError } from '../../../src/errors.ts';
import { type ClusterParts, clusterFiles } from '../../../src/export/cluster/cluster-files.ts';
import { clusterRewards, translateRewards } from '../../../src/export/cluster/rewards.ts';
import { rowFiles } from '../../../src/export/cluster/rows-out.ts';
import { memorySource } from '../../../src/export/model-folder.ts';
import type { OutFile } from '../../../src/export/out-file.ts';
import { pngBytes } from '../../../src/export/png.ts';
import { readDataset } from '../../../src/import/dataset.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import { parseConfig } from '../../../src/papo/config.ts';
import { rewardFunctions } from '../../../src/rewards/rewards.ts';
import { readSafetensors, toFloat32 } from '../../../src/store/safetensors.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { bytesOf, textOf } from './files.ts';
import { loraCase } from './lora.ts';

const train = worldDataset('all', 'train', 3);
const heldOut = worldDataset('all', 'test', 3);
const nano = await tinyNano();
const { folder, base, adapter, expected } = await loraCase('text');
const parts = (more: Partial<ClusterParts> = {}): ClusterParts => ({
  name: 'my run',
  settings: parseConfig({ num_eval_samples: 6, use_peft: true, lora_r: 4, lora_alpha: 8 }, 'papo-d'),
  config: folder.config,
  sideFiles: nano.files,
  tensors: base,
  adapter,
  train,
  heldOut,
  endlessRows: 40,
  rewards: ['boxed_answer'],
  ...more,
});
const named = (files: readonly OutFile[], name: string) => {
  const file = files.find((f) => f.name === name);
  if (!file) throw new Error(`${name} is missing; there are ${files.map((f) => f.name)}`);
  return file;
};

describe('clusterFiles', async () => {
  const files = await clusterFiles(parts());

  it('has model, data, settings, rewards, start and what they mean, of the sizes that it says', async () => {
    expect(files.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'README.md',
        'papo.yaml',
        'start.sh',
        'reward.py',
        'model/config.json',
        'model/tokenizer.json',
        'model/model.safetensors',
        'data/train/part-00000.parquet',
        'data/val/part-00000.parquet',
      ]),
    );
    for (const file of files) expect((await bytesOf(file)).byteLength, file.name).toBe(file.size);
  });

  it('has the merged model', async () => {
    const weights = readSafetensors(await bytesOf(named(files, 'model/model.safetensors')));
    const name = 'model.text_model.layers.0.mlp.up_proj.weight';
    const merged = toFloat32(expected.get(`merged.${name}`)!);
    const found = toFloat32(weights.get(name)!);
    for (let i = 0; i < merged.length; i++) expect(Math.abs(found[i] - merged[i])).toBeLessThan(1e-6);
    const without = await clusterFiles(parts({ adapter: undefined }));
    const plain = readSafetensors(await bytesOf(named(without, 'model/model.safetensors')));
    expect(toFloat32(plain.get(name)!)).toEqual(folder.weights.get(name)!.data);
  });

  it('has rows that our own import opens, with the very pixels', async () => {
    for (const [path, data, count] of [
      ['data/train', train, 40],
      ['data/val', heldOut, 6],
    ] as const) {
      const blob = new Blob([await bytesOf(named(files, `${path}/part-00000.parquet`))]);
      const blobs = {
        where: 'memory',
        names: ['part.parquet'],
        open: async (name: string) => (name === 'part.parquet' ? blob : null),
      };
      const report = await readDataset(blobs, { decodeImage });
      expect(report.problems).toEqual([]);
      expect(report.good).toBe(count);
      const back = report.dataset();
      for (const i of [0, count - 1]) {
        const [found, row] = [await back.row(i), await data.row(i)];
        expect(found.prompt).toBe(row.prompt);
        expect(found.answer).toBe(row.answer);
        expect(found.image.width).toBe(row.image.width);
        expect(Buffer.compare(found.image.data, row.image.data)).toBe(0);
      }
    }
  });

  it('says in README.md what became of every setting, and of the rewards', async () => {
    const readme = await textOf(named(files, 'README.md'));
    expect(readme).toContain('| `perception_loss_weight` | `algorithm.kl_prcp_coef` | `0.01` | γ |');
    expect(readme).toContain('its adapter merged in');
    expect(readme).toContain('| `use_peft`, `lora_r`, `lora_alpha`,');
    expect(readme).toContain('40 rows as Parquet');
    expect(readme).not.toContain('code of your own');
    const own = await clusterFiles(parts({ rewards: ['short', 'format', 'answer_match'] }));
    const said = await textOf(named(own, 'README.md'));
    expect(said).toContain('**`short`: not in `reward.py`.**');
    expect(said).toContain('`answer_match` is not in `reward.py`: `papo_accuracy`');
    expect(await textOf(named(own, 'papo.yaml'))).toContain(
      '    reward_function_kwargs:\n      format: 1\n      papo_accuracy: 1\n',
    );
  });

  it('puts the instruction behind each question as here, once', async () => {
    const settings = parseConfig({ format_prompt: 'papo', num_eval_samples: 6 }, 'papo-d');
    const some = await clusterFiles(parts({ settings }));
    expect(await textOf(named(some, 'papo.yaml'))).toContain('  format_prompt: format_prompt.jinja\n');
    const template = await textOf(named(some, 'format_prompt.jinja'));
    const { prompt } = await train.row(0);
    expect(template.replace('{{ content | trim }}', prompt)).toBe(formatPrompt(prompt, 'papo'));
    const twice = parts({ settings, train: withFormatPrompt(train, 'papo') });
    await expect(clusterFiles(twice)).rejects.toThrow('has the instruction already');
    expect(files.map(({ name }) => name)).not.toContain('format_prompt.jinja');
  });

  it('names one commit of their code everywhere, which the list of keys is of', async () => {
    const { commit } = JSON.parse(await readFile('tests/fixtures/papo-config-fields.json', 'utf8'));
    for (const name of ['README.md', 'start.sh'])
      expect(await textOf(named(files, name)), name).toContain(commit);
  });

  it('weighs rewards as the run does', async () => {
    const settings = parseConfig({ reward_weights: [0.9, 3, 0.1], num_eval_samples: 6 }, 'papo-d');
    const some = await clusterFiles(parts({ settings, rewards: ['boxed_answer', 'short', 'format'] }));
    expect(await textOf(named(some, 'papo.yaml'))).toContain(
      '    reward_function_kwargs:\n      boxed_answer: 0.9\n      format: 0.1\n',
    );
  });

  it('turns image splitting off, which their code cannot have, and leaves all else of the processor', async () => {
    const encode = (json: object) => new TextEncoder().encode(JSON.stringify(json));
    const sideFiles = new Map([
      ['preprocessor_config.json', encode({ do_image_splitting: true, size: { longest_edge: 512 } })],
      ['processor_config.json', encode({ image_processor: { do_image_splitting: true }, image_seq_len: 64 })],
    ]);
    const some = await clusterFiles(parts({ sideFiles }));
    const json = async (name: string) => JSON.parse(await textOf(named(some, `model/${name}`)));
    expect(await json('preprocessor_config.json')).toEqual({
      do_image_splitting: false,
      size: { longest_edge: 512 },
    });
    expect(await json('processor_config.json')).toEqual({
      image_processor: { do_image_splitting: false },
      image_seq_len: 64,
    });
  });

  it('refuses what cannot go along', async () => {
    const none = rowsDataset([], 'nothing');
    await expect(clusterFiles(parts({ train: none }))).rejects.toThrow(UserError);
    const row = await train.row(0);
    const marked = rowsDataset([row, { ...row, prompt: 'what is <image>?' }], 'marked');
    await expect(clusterFiles(parts({ train: marked }))).rejects.toThrow(
      'marked: row 1 has the mark <image>',
    );
  });
});

describe('rows', () => {
  it('go into several files where they are many, each read when it is asked for', async () => {
    const row = await train.row(0);
    let reads = 0;
    const many = {
      name: 'many',
      size: 5000,
      row: (index: number) => {
        reads++;
        return { ...row, prompt: `question ${index}`, answer: index % 2 ? String(index) : null };
      },
    };
    const files = await rowFiles(many, many.size, 'data/train');
    expect(files.map(({ name }) => name)).toEqual([
      'data/train/part-00000.parquet',
      'data/train/part-00001.parquet',
    ]);
    expect(reads).toBe(5000);
    const read = async (file: OutFile) => {
      const bytes = await bytesOf(file);
      expect(bytes.byteLength).toBe(file.size);
      return (await parquetReadObjects({ file: bytes.buffer })) as {
        problem: string;
        answer: string | null;
        images: { bytes: Uint8Array; path: string }[];
      }[];
    };
    const last = await read(files[1]);
    expect(reads).toBe(5000 + 904);
    expect(last).toHaveLength(904);
    expect(last[0]).toMatchObject({ problem: '<image>question 4096', answer: null });
    expect(last[903]).toMatchObject({ problem: '<image>question 4999', answer: '4999' });
    expect(last[903].images).toHaveLength(1);
    expect(last[903].images[0].path).toBe('004999.png');
  });
});

describe('pngBytes', () => {
  it('is what a decoder makes the same pixels of, at odd sizes too', async () => {
    for (const [width, height] of [
      [1, 1],
      [3, 7],
      [64, 64],
      [511, 2],
    ]) {
      const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * i * 31 + i * 7) & 255);
      const back = await decodeImage(new Blob([await pngBytes({ width, height, data })]));
      expect([back.width, back.height]).toEqual([width, height]);
      expect(Buffer.compare(back.data, data)).toBe(0);
    }
  });
});

describe('reward.py', async () => {
  const cases = JSON.parse(await readFile('tests/fixtures/reward-cases.json', 'utf8')) as {
    completions: string[];
    answers: (string | null)[];
    scores: Record<string, (number | null)[]>;
    totals: {
      weights: Record<string, number>;
      scores: { overall: number; format: number; accuracy: number }[];
    }[];
  };
  const completions = cases.completions.flatMap((text) => cases.answers.map(() => text));
  const answer = cases.completions.flatMap(() => cases.answers);
  const prompts = completions.map(() => '');
  const ours = async (name: string) => rewardFunctions[name]({ prompts, completions, answer });

  it.each(clusterRewards)('gives what our %s gives', async (name) => {
    expect(Object.keys(cases.scores).sort()).toEqual([...clusterRewards].sort());
    const found = await ours(name);
    const theirs = cases.scores[name];
    found.forEach((value, i) => {
      const what = `${completions[i]} for ${answer[i]}`;
      if (value === null || theirs[i] === null) expect(value, what).toBe(theirs[i]);
      else expect(value, what).toBeCloseTo(theirs[i], 12);
    });
  });

  it('weighs and sums, and tells accuracy and form', async () => {
    const parts = ['papo_accuracy', 'papo_format', 'boxed_answer', 'format', 'numeric', 'papo_math'];
    const all = Object.fromEntries(await Promise.all(parts.map(async (name) => [name, await ours(name)])));
    const told = [
      ['boxed_answer', 'format'],
      ['papo_accuracy', 'papo_format'],
      ['numeric', 'format'],
    ];
    cases.totals.forEach(({ weights, scores }, k) => {
      const [accuracy, form] = told[k];
      scores.forEach((score, i) => {
        const sum = Object.entries(weights).reduce((total, [name, w]) => total + w * (all[name][i] ?? 0), 0);
        expect(score.overall).toBeCloseTo(sum, 12);
        expect(score.accuracy).toBe(all[accuracy][i] ?? 0);
        expect(score.format).toBe(all[form][i] ?? 0);
      });
    });
  });

  it('has every built-in reward, or the authors’ that is nearest to it', () => {
    const { weights, replaced, left } = translateRewards(Object.keys(rewardFunctions), null);
    expect(left).toEqual([]);
    expect(Object.keys(weights).sort()).toEqual([...clusterRewards].sort());
    expect(replaced).toContainEqual({ name: 'think_format', by: 'papo_format' });
    expect(translateRewards(['mine'], null)).toEqual({
      weights: { papo_math: 1 },
      replaced: [],
      left: ['mine'],
    });
    expect(translateRewards(['short_text', 'number_answer', 'format'], [0.5, 0.25, 0.1]).weights).toEqual({
      papo_accuracy: 0.75,
      format: 0.1,
    });
  });
});

it('an adapter that does not fit is refused before anything is written', async () => {
  const lost = { ...adapter, tensors: memorySource(new Map()) };
  await expect(clusterFiles(parts({ adapter: lost }))).rejects.toThrow('is missing; its settings ask for');
});
