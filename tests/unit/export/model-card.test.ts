import { describe, expect, it } from 'vitest';
import { code, plain, repositoryId, yaml } from '../../../src/export/markdown.ts';
import { type CardFacts, modelCard } from '../../../src/export/model-card.ts';

const facts = (more: Partial<CardFacts> = {}): CardFacts => ({
  model_name: 'papo-nano-shapes',
  base_model: 'papo-nano',
  datasets: ['shapes'],
  data: 'Questions about shapes in a grid.',
  rewards: ['boxed_answer'],
  steps: 80,
  device: 'onnxruntime-web WASM, 2 threads',
  seconds: 69.4,
  curve: 'curve.png',
  heldOut: [
    {
      metric: 'accuracy',
      isShare: true,
      before: { value: 0.369, error: 0.0213 },
      after: { value: 0.865, error: 0.0151 },
      questions: 512,
    },
    { metric: 'reward', isShare: false, before: null, after: { value: 1.23456, error: null }, questions: 9 },
  ],
  settings: { learning_rate: 3e-4, mask_ratio: 0.6, seed: 42 },
  defaults: { learning_rate: 1e-6, mask_ratio: 0.6, seed: 42 },
  versions: { 'papo-web': '0.1.0' },
  ...more,
});

const frontMatter = (card: string) => card.split('\n---\n')[0].replace('---\n', '');

describe('modelCard', () => {
  it('has the front matter that the Hub reads', () => {
    expect(frontMatter(modelCard(facts()))).toBe(
      [
        'library_name: transformers',
        'pipeline_tag: image-text-to-text',
        'model_name: "papo-nano-shapes"',
        'base_model: "papo-nano"',
        'datasets:',
        '- "shapes"',
        'tags:',
        '- "generated_from_trainer"',
        '- "papo"',
        '- "trl"',
        '- "papo-web"',
      ].join('\n'),
    );
    const card = modelCard(facts({ base_model: '/home/me/model', datasets: ['my data.jsonl', 'me/data'] }));
    expect(frontMatter(card)).not.toContain('base_model');
    expect(frontMatter(card)).toContain('datasets:\n- "me/data"\ntags');
    expect(card).toContain('/home/me/model');
  });

  it('of an adapter says so to the Hub, and how it is put on its base', () => {
    const card = modelCard(facts({ base_model: 'owner/base', adapter: { revision: 'v1' } }));
    expect(frontMatter(card)).toContain('library_name: peft\n');
    expect(frontMatter(card)).toContain('- "base_model:adapter:owner/base"\n- "lora"');
    expect(card).toContain('This is a LoRA adapter for owner/base, trained on');
    expect(card).toContain(
      'from_pretrained("owner/base", revision="v1")\nmodel = PeftModel.from_pretrained(base, folder)',
    );
    const unknown = modelCard(facts({ base_model: null, adapter: { revision: null } }));
    expect(frontMatter(unknown)).not.toContain('base_model');
    expect(unknown).toContain('from_pretrained("PATH OF THE BASE MODEL")');
  });

  it('of ONNX files shows JavaScript', () => {
    const card = modelCard(facts({ isForTransformersJs: true }));
    expect(frontMatter(card)).toContain('library_name: transformers.js\n');
    expect(card).toContain("from '@huggingface/transformers'");
    expect(card).not.toContain('python');
  });

  it('shows results with their errors, changed settings, all settings, curve and citations', () => {
    const card = modelCard(facts());
    expect(card).toContain('| accuracy | 36.9 ± 2.1 % | 86.5 ± 1.5 % | 512 |');
    expect(card).toContain('| reward | – | 1.23 | 9 |');
    expect(card).toContain('| `learning_rate` | `0.0003` | `0.000001` |');
    expect(card.match(/\| `seed` \|/g)).toHaveLength(1);
    expect(card).toContain('All 3 settings');
    expect(card).toContain('![Training curve](curve.png)');
    expect(card).toContain('@article{wang2025perception');
    expect(card).toContain('@software{vonwerra2020trl');
    expect(card).toContain('AutoModelForImageTextToText.from_pretrained');
    expect(modelCard(facts({ curve: null, heldOut: [] }))).toContain('Nothing was measured');
  });

  it('lets no name, note or setting out of its place', () => {
    const hostile =
      '"x\n---\ntags:\n- evil\n# Title\u2028<script>alert(1)</script> | `a` [b](javascript:c)\u0085\u0000\ud800';
    const card = modelCard(
      facts({
        model_name: hostile,
        base_model: hostile,
        datasets: [hostile],
        data: hostile,
        notes: hostile,
        device: hostile,
        rewards: [hostile],
        tags: [hostile],
        heldOut: [{ metric: hostile, isShare: true, before: null, after: null, questions: 1 }],
        settings: { run_name: hostile },
        defaults: {},
        versions: { [hostile]: hostile },
      }),
    );
    const lines = card.split(/\r\n|[\n\r\u2028\u2029\u0085]/);
    // The fences of the front matter, and the headings, are ours alone.
    expect(lines.filter((line) => line === '---')).toHaveLength(2);
    expect(lines.filter((line) => /^#{1,6} /.test(line))).toHaveLength(7);
    expect(lines.filter((line) => /^- evil/.test(line))).toEqual([]);
    // Outside of code no tag, link, or cell begins.
    const prose = card
      .slice(card.indexOf('\n---\n'))
      .replaceAll('\\`', '')
      .replace(/(`+)[\s\S]*?[^`]\1(?!`)/g, '');
    expect(prose).not.toMatch(/(^|[^\\])<script/);
    expect(prose).not.toMatch(/(^|[^\\])\]\(javascript/);
    const rows = lines.filter((line) => line.startsWith('| ') && line.includes('javascript'));
    const cells = (line: string) => line.match(/(?<!\\)\|/g)!.length - 1;
    expect(rows.map(cells)).toEqual([4, 3, 2]);
    for (const line of frontMatter(card).split('\n')) {
      const quoted = /"(.*)$/.exec(line)?.[0];
      if (quoted) expect(JSON.parse(quoted)).toBeTypeOf('string');
    }
  });
});

describe('markdown', () => {
  it('escapes what begins something, and nothing else', () => {
    expect(plain('  a_b*c \n# <d> ')).toBe('a\\_b\\*c # \\<d\\>');
    expect(plain('# a')).toBe('\\# a');
    expect(plain('1. a')).toBe('1\\. a');
    expect(plain('papo-nano, 86.5 % (ü)')).toBe('papo-nano, 86.5 % (ü)');
    expect(code('a`b|')).toBe('``a`b\\|``');
    expect(code('`')).toBe('`` ` ``');
  });

  it('quotes for YAML, and knows ids', () => {
    expect(yaml('a"b\\\n\u0085\u2028\ufeff\u007fé😀')).toBe('"a\\"b\\\\\\n\\u0085\\u2028\\ufeff\\u007fé😀"');
    expect(['gpt2', 'a/b.c-d'].map(repositoryId)).toEqual([true, true]);
    expect(['', 'a/b/c', '../a', '/a', 'a b', 'a--b', 'a.git', '-a'].map(repositoryId)).toEqual(
      Array(8).fill(false),
    );
  });
});
