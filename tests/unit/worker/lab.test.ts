/** The lab against independent computations: float64 softmax token by token, the trainer's own masks, counting. */
import { beforeAll, describe, expect, it } from 'vitest';
import { worldDataset } from '../../../src/data/dataset.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { Purpose, uniform } from '../../../src/papo/random.ts';
import { layout } from '../../../src/policy/layout.ts';
import { headName } from '../../../src/policy/parameters.ts';
import { Policy } from '../../../src/policy/policy.ts';
import { policyGraph } from '../../../src/policy/policy-graph.ts';
import { loadModelFolder, type ModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { Lab } from '../../../src/worker/lab.ts';
import type { AskRequest, MaskRequest } from '../../../src/worker/lab-protocol.ts';
import { Subjects } from '../../../src/worker/subjects.ts';
import { imageView } from '../../../src/worker/views.ts';
import { baseModel, noRuns } from '../../base-model.ts';
import { tinyNano } from '../../tiny-nano.ts';
import { Bench, smallSettings } from '../../trainer-harness.ts';

const device = new CpuDevice({ threads: 1 });
function labOf(folder: ModelFolder): Lab {
  const model = baseModel(folder);
  return new Lab(new Subjects(() => ({ device, model, ...noRuns })), () => folder);
}
const base = { kind: 'base' } as const;
const row = async (index = 0) => worldDataset('shapes', 'train', 0).row(index);
const mask: MaskRequest = {
  mask_type: 'patch_black',
  mask_ratio: 0.6,
  mask_patch_size: 16,
  seed: 7,
  draw: 2,
};

async function request(change: Partial<AskRequest> = {}): Promise<AskRequest> {
  const { image, prompt, answer } = await row();
  return {
    subject: base,
    image: imageView(image),
    prompt,
    answer,
    temperature: 1,
    maxTokens: 14,
    samples: 64,
    ...change,
  };
}

/** The next token's probabilities behind a prompt, by one pass in float64 and plain loops. */
async function nextToken(
  policy: Policy,
  ids: readonly number[],
  pixelValues: Float32Array,
  temperature: number,
) {
  const counts = { prefixes: 1, prefixLength: ids.length, group: 0, completionLength: 0 };
  const { g, hidden } = policyGraph(policy.config, counts);
  g.output('hidden', hidden);
  const program = await policy.device.compile(g, [policy.weights]);
  const out = await program.run(
    layout(policy.config, counts, [{ ids, pixelValues }], policy.text.padTokenId),
  );
  const weight = (await policy.readWeights()).get(headName(policy.config))!.data;
  const d = policy.config.text.hiddenSize;
  const last = out.hidden.subarray((ids.length - 1) * d);
  const odds = Array.from({ length: policy.config.text.vocabSize }, (_, v) => {
    let z = 0;
    for (let c = 0; c < d; c++) z += weight[v * d + c] * last[c];
    return Math.exp(z / temperature);
  });
  const total = odds.reduce((a, b) => a + b, 0);
  return odds.map((odd) => odd / total);
}

describe('on a tiny random model', () => {
  let folder: ModelFolder;
  beforeAll(async () => {
    folder = await tinyNano({ endScore: -8 });
  });

  it.each([1, 0.5])(
    'gives each token the probabilities of float64, at temperature %d',
    async (temperature) => {
      const asked = await request({ temperature, mask, samples: 2, maxTokens: 5 });
      const { tokens } = await labOf(folder).ask(asked);
      const { image, prompt } = await row();
      const reference = Policy.create(new ReferenceDevice(), folder);
      const masked = await labOf(folder).maskPicture(base, imageView(image), mask);
      const rgb = (data: ArrayLike<number>) => Uint8Array.from(data).filter((_, i) => i % 4 !== 3);
      const views = [
        reference.pixels(image),
        reference.pixels({ width: 64, height: 64, data: rgb(masked.masked.data) }),
      ];
      let ids = reference.text.buildPrompt(prompt);
      for (const { text, kl, choices } of tokens) {
        const [p, q] = await Promise.all(views.map((view) => nextToken(reference, ids, view, temperature)));
        const exact = p.reduce((sum, pv, v) => sum + pv * Math.log(pv / q[v]), 0);
        expect(kl).toBeCloseTo(exact, 4);
        const order = p.map((_, v) => v).sort((a, b) => p[b] - p[a]);
        // Greedy: the likeliest is what stands there.
        expect(text).toBe(reference.text.tokenText(order[0]));
        expect(choices[0].text).toBe(text);
        for (const choice of choices) {
          const id = reference.text.tokenId(choice.text);
          expect(choice.image).toBeCloseTo(p[id], 4);
          expect(choice.masked).toBeCloseTo(q[id], 4);
        }
        // The five likeliest of either view, and no more.
        const top = (of: readonly number[]) => [...of].sort((a, b) => b - a)[4];
        for (const { image: a, masked: b } of choices)
          expect(a >= top(p) - 1e-6 || b! >= top(q) - 1e-6).toBe(true);
        expect(choices.length).toBeGreaterThanOrEqual(5);
        ids = [...ids, order[0]];
      }
      expect(tokens.length).toBeGreaterThan(1);
    },
  );

  it.each(['patch_black', 'random', 'patch', 'grid', 'semantic'])(
    'masks as the trainer does: %s',
    async (mask_type) => {
      const bench = await Bench.create();
      const seed = 2;
      const { reports } = await bench.run({ mask_type, mask_ratio: 0.1, seed }, { updates: 1 });
      const group = reports[0].groups[0];
      const lab = labOf(await tinyNano());
      const settings = { mask_type, mask_ratio: 0.1, mask_patch_size: smallSettings.mask_patch_size, seed };
      const { masked, share, saliency } = await lab.maskPicture(base, imageView(group.row.image), {
        ...settings,
        draw: 0,
      });
      expect(masked).toEqual(imageView(group.masked));
      expect(saliency === null).toBe(mask_type !== 'semantic');
      expect(share).toBeGreaterThan(0);
      const other = await lab.maskPicture(base, imageView(group.row.image), { ...settings, draw: 1 });
      expect(Buffer.from(other.masked.data).equals(Buffer.from(masked.data))).toBe(mask_type === 'semantic');
    },
  );

  it('masks the most salient patches of a picture of any size', async () => {
    const data = new Uint8ClampedArray(40 * 30 * 4).map((_, i) => (i * 37) % 256);
    const settings = { ...mask, mask_type: 'semantic', mask_ratio: 0.5 };
    const view = await labOf(folder).maskPicture(base, { width: 40, height: 30, data }, settings);
    expect([view.masked.width, view.masked.height, view.share]).toEqual([64, 64, 0.5]);
    const black = (patch: number) => {
      const [x, y] = [(patch % 4) * 16 + 8, Math.floor(patch / 4) * 16 + 8];
      return view.masked.data.subarray((y * 64 + x) * 4, (y * 64 + x) * 4 + 3).every((value) => value === 0);
    };
    const bySaliency = view.saliency!.map((_, i) => i).sort((a, b) => view.saliency![b] - view.saliency![a]);
    expect(bySaliency.filter(black)).toEqual(bySaliency.slice(0, 8));
  });

  it('refuses a mask that there is not', async () => {
    const { image } = await row();
    await expect(
      labOf(folder).maskPicture(base, imageView(image), { ...mask, mask_type: 'fog' }),
    ).rejects.toThrow('there is no mask "fog"');
  });
});

describe('on papo-nano', () => {
  let folder: ModelFolder;
  let lab: Lab;
  beforeAll(async () => {
    folder = await loadModelFolder(nodeFiles('public/models/papo-nano'));
    lab = labOf(folder);
  });

  it('counts the answers that the policy samples, both views with the same numbers', async () => {
    const asked = await request({ mask });
    const view = await lab.ask(asked);
    const policy = Policy.create(device, folder);
    const { image, prompt } = await row();
    const drawn = await policy.generate([policy.prompt(prompt, image)], {
      group: 64,
      maxTokens: 14,
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0,
      uniform: (t, n) => uniform(0, Purpose.evaluation, t, n),
    });
    const boxed = drawn.texts.map((text) => /\\boxed\{(.*?)\}/.exec(text)?.[1]);
    for (const { kind, answer, image: share } of view.answers) {
      if (kind === 'answer') expect(share.count, answer).toBe(boxed.filter((one) => one === answer).length);
    }
    const total = (of: 'image' | 'masked') => view.answers.reduce((sum, row) => sum + row[of]!.count, 0);
    expect([total('image'), total('masked')]).toEqual([64, 64]);
    expect(view.sampled.reduce((sum, { count }) => sum + count, 0)).toBe(64);
    expect(view.sampled.map(({ text }) => text).sort()).toEqual([...new Set(drawn.texts)].sort());
    // Right or not, sampled or not: the right answer has its row.
    expect(view.answers.some(({ kind, answer }) => kind === 'answer' && answer === asked.answer)).toBe(true);
    expect(view.tokens[view.answerAt!].text).toBe(view.greedy.answer);
    expect(view.greedy.text).toBe(`<think> ${view.greedy.thought} </think> \\boxed{${view.greedy.answer}}`);
  });

  it('without a mask there is one view, equal to the first of two', async () => {
    const [alone, both] = [await lab.ask(await request()), await lab.ask(await request({ mask }))];
    expect(alone.masked).toBeNull();
    expect(alone.greedy).toEqual(both.greedy);
    expect(alone.sampled).toEqual(both.sampled);
    expect(alone.tokens.every(({ kl, choices }) => kl === null && choices[0].masked === null)).toBe(true);
  });

  it('a mask of nothing changes nothing', async () => {
    const view = await lab.ask(await request({ mask: { ...mask, mask_ratio: 0 } }));
    expect(view.masked).toEqual(view.greedy);
    for (const { kl } of view.tokens) expect(Math.abs(kl!)).toBeLessThan(1e-6);
    for (const { image, masked } of view.answers) expect(masked).toEqual(image);
  });

  it('knows the model, and the words that it does not know', async () => {
    const facts = await lab.modelFacts();
    expect(facts).toMatchObject({ imageSize: 64, patchSize: 8, cellSize: 16, vocabulary: 102 });
    expect(facts.words).toContain('square');
    expect(facts.words).not.toContain('<image>');
    expect(await lab.unknownWords('which  dog @3 dog zebra?')).toEqual(['dog', 'zebra?']);
    expect(await lab.unknownWords('which shape @3 maybe square')).toEqual([]);
  });
});
