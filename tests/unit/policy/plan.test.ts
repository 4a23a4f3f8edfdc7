import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { smolvlmConfig } from '../../../src/data/smolvlm-files.ts';
import type { DeviceLimits } from '../../../src/device/device.ts';
import { uniformChoice } from '../../../src/device/webgpu/gemm.ts';
import { parseConfig, type ResolvedConfig } from '../../../src/papo/config.ts';
import { parseVlmConfig, type VlmConfig } from '../../../src/policy/config.ts';
import { type PlanView, planRun, planRunOnDevice } from '../../../src/policy/plan.ts';
import { planTable } from '../../../src/policy/plan-text.ts';
import { midSizeConfig } from '../../mid-size.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const roomy: DeviceLimits = { largestTensor: 2 ** 30 };
const run = { prefixLengths: [48] };

const nano = parseVlmConfig(JSON.parse(await readFile('public/models/papo-nano/config.json', 'utf8')));
const midSize = parseVlmConfig(midSizeConfig());
const settingsOf = (given: Record<string, unknown> = {}) =>
  parseConfig({ per_device_train_batch_size: 16, num_generations: 8, ...given }, 'papo-nano');
const planOf = (settings: ResolvedConfig, limits = roomy, config: VlmConfig = nano): PlanView =>
  planRun(config, settings, run, { kind: 'webgpu', limits });
const part = ({ parts }: PlanView, wanted: string) => parts.find(({ kind }) => kind === wanted)?.bytes ?? 0;
/** What choices cannot change. */
const standing = (plan: PlanView) =>
  ['frozenHalf', 'frozen', 'trained', 'adapter', 'gradients', 'moments', 'reference']
    .map((kind) => part(plan, kind))
    .reduce((a, b) => a + b);

describe('choices', () => {
  it('are the fastest where there is room: all kept, in one pass, all prompts at a time', () => {
    const settings = settingsOf({ per_device_train_batch_size: 64 });
    const plan = planOf(settings);
    expect(plan).toMatchObject({ fits: true, alternatives: [] });
    expect(plan.refusal).toBeUndefined();
    const { choices } = plan;
    expect(choices).toMatchObject({
      recompute: false,
      headChunkBytes: 64 * MIB,
      pieces: 1,
      promptsPerRun: 8,
    });
    // A plan is data: it goes through a message as it is.
    expect(structuredClone(plan)).toEqual(plan);
  });

  it('become thriftier in their order as memory shrinks, each only when the one before does not fit', () => {
    const settings = settingsOf({ per_device_train_batch_size: 32, beta: 0.01, max_completion_length: 32 });
    const whole = planOf(settings, roomy, midSize);
    const seen: PlanView[] = [whole];
    let memory = whole.total - 1;
    for (let plan = planOf(settings, { ...roomy, memory }, midSize); plan.fits; ) {
      expect(plan.total).toBeLessThanOrEqual(memory);
      seen.push(plan);
      memory = plan.total - 1;
      plan = planOf(settings, { ...roomy, memory }, midSize);
    }
    const all = seen.map(({ choices: { recompute, headChunkBytes, pieces } }) =>
      [recompute ? 1 : 0, headChunkBytes < 64 * MIB ? 1 : 0, pieces].join(),
    );
    // Fewer prompts at a time come between.
    const order = all.filter((choice, i) => choice !== all[i - 1]);
    expect(new Set(order).size).toBe(order.length);
    expect(order.length).toBeGreaterThan(4);
    expect(order.slice(0, 2)).toEqual(['0,0,1', '1,0,1']);
    const pieces = seen.map(({ choices }) => choices.pieces);
    expect(pieces.toSorted((a, b) => a - b)).toEqual(pieces);
    expect(order.at(-1)).toBe('1,1,32');
    expect(seen.at(-1)!.choices.promptsPerRun).toBe(1);
  });

  it('keep to what gradient_checkpointing says', () => {
    const kept = planOf(settingsOf({ gradient_checkpointing: false }));
    expect(kept.choices.recompute).toBe(false);
    const again = planOf(settingsOf({ gradient_checkpointing: true }));
    expect(again.choices.recompute).toBe(true);
    expect(part(again, 'activations')).toBeLessThan(part(kept, 'activations'));
    const limits = { ...roomy, memory: kept.total - 1 };
    const short = planOf(settingsOf({ gradient_checkpointing: false }), limits);
    expect(short.choices.recompute).toBe(false);
  });

  it('do not cut micro-batches whose loss is no sum of their completions', () => {
    for (const given of [{ objective: 'trl' }, { objective: 'authors' }, { top_entropy_quantile: 0.5 }]) {
      const settings = settingsOf(given);
      const least = planOf(settings, { ...roomy, memory: standing(planOf(settings)) + MIB });
      expect(least.fits).toBe(false);
      expect(least.choices.pieces).toBe(1);
      const [first] = least.alternatives;
      if (first) expect(first.settings.per_device_train_batch_size ?? 1).toBeLessThan(16);
    }
  });
});

describe('a run that does not fit', () => {
  const tight = (settings: ResolvedConfig, config = nano) => {
    // Between what the thriftiest choices take and what stays.
    const least = planOf(settings, { ...roomy, memory: 1 }, config);
    return { least, limits: { ...roomy, memory: least.total - 1 } };
  };

  it('is refused one byte below what it takes at least, with the numbers', () => {
    const settings = settingsOf();
    const { least, limits } = tight(settings);
    const just = planOf(settings, { ...roomy, memory: least.total });
    expect(just.fits).toBe(true);
    expect(just.total).toBe(least.total);
    const plan = planOf(settings, limits);
    expect(plan.fits).toBe(false);
    expect(plan.refusal).toContain(`needs ${(plan.total / MIB).toFixed(1)} MiB`);
    expect(plan.refusal).toContain(`the device has ${(limits.memory / MIB).toFixed(1)} MiB`);
    expect(plan.refusal).toContain(`trained weights ${(part(plan, 'trained') / MIB).toFixed(1)} MiB`);
    expect(plan.refusal).toContain(plan.largestTensor.name);
  });

  it.each([
    [{ freeze_vision_tower: false, beta: 0.01 }, ['freeze_vision_tower', 'beta']],
    [{ objective: 'trl', per_device_train_batch_size: 64 }, ['per_device_train_batch_size']],
    [{ gradient_checkpointing: false, per_device_train_batch_size: 64 }, ['gradient_checkpointing']],
    [{ max_completion_length: 128 }, ['max_completion_length']],
  ])('is told the nearest settings that fit: %o', (given, expected) => {
    const settings = settingsOf(given);
    const { limits } = tight(settings);
    const plan = planOf(settings, limits);
    const names = plan.alternatives.flatMap((way) => Object.keys(way.settings));
    expect(names).toEqual(expect.arrayContaining(expected));
    for (const { settings: changed } of plan.alternatives) {
      // Through the parser: what is offered is what a user can type.
      expect(planOf(settingsOf({ ...given, ...changed }), limits).fits).toBe(true);
      for (const [name, value] of Object.entries(changed))
        expect(plan.refusal).toContain(`${name} ${JSON.stringify(value)}`);
    }
  });

  it('is offered the longest answers that fit', () => {
    const settings = settingsOf({ max_completion_length: 256, use_peft: true });
    const limits = { ...roomy, memory: 0.6 * tight(settings).least.total };
    const plan = planOf(settings, limits);
    const offered = plan.alternatives.flatMap((way) => way.settings.max_completion_length ?? []);
    expect(offered.length).toBe(1);
    const twice = settingsOf({ max_completion_length: 2 * offered[0], use_peft: true });
    expect(planOf(twice, limits).fits).toBe(false);
  });

  it('for one tensor beyond the binding limit is told which', () => {
    const settings = settingsOf();
    const { largestTensor } = planOf(settings, { ...roomy, memory: 1 });
    const plan = planOf(settings, { largestTensor: largestTensor.bytes - 1 });
    expect(plan.fits).toBe(false);
    expect(plan.refusal).toContain(
      `(${largestTensor.name}) takes ${(largestTensor.bytes / MIB).toFixed(1)} MiB`,
    );
  });

  it('on a device that does not tell is found by trying, and then cut to what there is', async () => {
    const settings = settingsOf({ per_device_train_batch_size: 64 });
    const whole = planOf(settings);
    const held = part(whole, 'frozen') + part(whole, 'trained');
    const on = (room: number) =>
      planRunOnDevice(nano, settings, run, {
        kind: 'webgpu',
        limits: roomy,
        room: async (bytes) => {
          expect(bytes).toBe(whole.total - held);
          return Math.min(bytes, room);
        },
      });
    expect((await on(whole.total)).choices).toEqual(whole.choices);
    const less = await on(0.5 * whole.total);
    expect(less).toMatchObject({ fits: true, limit: held + 0.5 * whole.total });
    expect(less.choices.recompute).toBe(true);
    expect((await on(MIB)).refusal).toContain('the device has');
  });

  it('is told so when nothing would help', () => {
    const plan = planOf(settingsOf({ use_peft: true }), { ...roomy, memory: MIB });
    expect(plan.alternatives).toEqual([]);
    expect(plan.refusal).toContain('No smaller settings fit');
  });

  it('is refused at once, however absurd the numbers', () => {
    const settings = {
      ...settingsOf(),
      per_device_train_batch_size: 1 << 24,
      max_completion_length: 1 << 16,
    };
    const begin = performance.now();
    const plan = planOf(settings, { ...roomy, memory: MIB });
    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(plan.refusal).toContain('MiB');
  });
});

describe('SmolVLM', () => {
  const lowering = { maxWorkgroupsPerDimension: 65_535, maxBindingBytes: 2 ** 27, workgroupMemory: 16_384 };
  const gemm = uniformChoice({ variant: 'register', splitTo: 0 });
  const core = { largestTensor: 2 ** 27, webgpu: { lowering, gemm } };
  const planFor = (
    size: 'smolvlm-256m' | 'smolvlm-500m',
    memory: number,
    given: Record<string, unknown> = {},
  ) => planOf(parseConfig(given, 'smolvlm-lora'), { ...core, memory }, parseVlmConfig(smolvlmConfig(size)));

  it('with LoRA fits 8 GiB and a default adapter, 256M and 500M', () => {
    for (const size of ['smolvlm-256m', 'smolvlm-500m'] as const) {
      const plan = planFor(size, 8 * GIB);
      expect(plan.refusal).toBeUndefined();
      expect(plan.largestTensor.bytes).toBeLessThanOrEqual(2 ** 27);
      expect(part(plan, 'reference')).toBe(0);
      // 256 or 508 million parameters at two bytes.
      expect(part(plan, 'frozenHalf') / (size === 'smolvlm-256m' ? 513e6 : 1015e6)).toBeCloseTo(1, 1);
    }
  });

  it('with LoRA fits 1 GiB when layers are computed again', () => {
    const plan = planFor('smolvlm-256m', GIB);
    expect(plan.refusal).toBeUndefined();
    expect(plan.choices.recompute).toBe(true);
  });

  it("500M in full is refused on a default adapter, for its embedding's size, and LoRA is offered", () => {
    const plan = planFor('smolvlm-500m', 16 * GIB, { use_peft: false });
    expect(plan.refusal).toMatch(/embed_tokens|lm_head/);
    expect(plan.alternatives.map((way) => way.settings)).toContainEqual({ use_peft: true });
  });
});

it('a table has a bar for each part, the choices, and the verdict', () => {
  const plan = planOf(settingsOf(), { ...roomy, memory: 64 * MIB });
  const table = planTable(plan);
  for (const word of ['gradients', "AdamW's moments", 'activations', 'total', 'limit', 'kept', 'It fits.'])
    expect(table).toContain(word);
  expect(table.split('\n').find((line) => line.startsWith('limit'))).toMatch(/64\.0 MiB {2}█{32}$/);
  expect(planTable(planOf(settingsOf(), { ...roomy, memory: MIB }))).toContain('This run needs');
});
