import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { partialGradients } from '../../../src/ops/backward.ts';
import { Graph, type Tensor } from '../../../src/ops/graph.ts';
import { checkFile, passes } from '../../../src/papo/objective/check.ts';
import { caseErrors, evaluateCase, TOLERANCE, worstError } from '../../../src/papo/objective/evaluate.ts';
import { type LossCase, readLossFile } from '../../../src/papo/objective/golden.ts';
import { buildObjective, type ObjectiveInputs, type ObjectiveSettings } from '../../../src/papo/objective.ts';
import { messageOf, readFixture } from './fixtures.ts';

const reference = new ReferenceDevice();
const cpu = new CpuDevice({ threads: 1 });
const files = ['paper', 'trl', 'authors'] as const;
type File = (typeof files)[number];
const golden = Object.fromEntries(
  files.map((file) => [file, readLossFile(readFixture(`papo/${file}_papo_loss.json`), file)]),
) as Record<File, LossCase[]>;
const find = (file: File, name: string): LossCase => golden[file].find((c) => c.name === name)!;
/** What the file says beside loss and gradients. */
const numbersOf = (c: LossCase, section: string) => c.raw[section] as Record<string, number>;

it('has all golden cases, and reads all their settings', () => {
  expect(files.map((file) => golden[file].length)).toEqual([33, 24, 15]);
  for (const file of files) for (const c of golden[file]) expect(c.unknownSettings).toEqual([]);
});

for (const device of [reference, cpu])
  describe(`golden losses and gradients on ${device.kind}`, () => {
    for (const file of files)
      it.each(golden[file])(`${file}: $name`, async (c) => {
        const got = await evaluateCase(device, c);
        expect(worstError(caseErrors(got, c.expected))).toBeLessThanOrEqual(TOLERANCE[device.kind]);
      });
  });

describe('metrics', () => {
  const close = (got: number, want: number, tolerance: number, name: string): void =>
    expect(Math.abs(got - want) <= tolerance, `${name}: ${got}, expected ${want}`).toBe(true);

  it.each(golden.trl)("are TRL's: $name", async (c) => {
    const { metrics } = await evaluateCase(reference, c);
    // TRL's clip metrics are float32.
    for (const [name, want] of Object.entries(numbersOf(c, 'metrics')))
      close(metrics[name], want, name.startsWith('clip_ratio') ? 2e-8 : 1e-9, name);
    expect('kl' in metrics).toBe(c.coefficients.beta > 0);
    const terms = numbersOf(c, 'terms');
    const { perception_loss_weight: gamma, der_loss_weight1: eta1, der_loss_weight2: eta2 } = c.coefficients;
    close(metrics.policy_loss + (metrics.ref_kl_loss ?? 0), terms.policy_and_ref_kl, 1e-12, 'policy');
    close(
      metrics.perception_loss ?? 0,
      -gamma * terms.perception_kl_mean_unmasked_clamped,
      1e-12,
      'perception',
    );
    const entropies = eta1 * terms.entropy_mean_unmasked + eta2 * terms.entropy_masked_mean_unmasked;
    close(metrics.double_entropy_loss ?? 0, entropies, 1e-12, 'entropies');
  });

  it.each(golden.paper)("have the paper's terms: $name", async (c) => {
    const { metrics } = await evaluateCase(reference, c);
    const [terms, want] = [numbersOf(c, 'terms'), numbersOf(c, 'metrics')];
    const { perception_loss_weight: gamma, der_loss_weight1: eta1, der_loss_weight2: eta2 } = c.coefficients;
    close(metrics.policy_loss, terms.policy, 1e-12, 'policy');
    close(metrics.ref_kl_loss ?? 0, c.coefficients.beta * terms.ref_kl, 1e-12, 'ref_kl');
    close(metrics.perception_loss ?? 0, -gamma * terms.perception_kl, 1e-12, 'perception');
    const entropies = eta1 * terms.entropy + eta2 * terms.entropy_masked;
    close(metrics.double_entropy_loss ?? 0, entropies, 1e-12, 'entropies');
    // Reported whatever their weight.
    close(metrics.perception_kl, want.perception_kl_token_mean, 1e-9, 'perception_kl');
    close(metrics.entropy, want.entropy_token_mean, 1e-9, 'entropy');
    close(metrics.entropy_masked, want.entropy_masked_token_mean, 1e-9, 'entropy_masked');
    close(metrics.kl ?? 0, want.kl_ref_token_mean, 1e-9, 'kl');
    for (const name of ['clip_ratio/low_mean', 'clip_ratio/high_mean'])
      close(metrics[name], want[name], 1e-9, name);
  });

  it.each(golden.authors.filter((c) => c.microBatch === c.inputs.B))("are the authors': $name", async (c) => {
    const { metrics } = await evaluateCase(reference, c);
    const want = numbersOf(c, 'metrics') as Record<string, number | number[]>;
    const first = (name: string): number => [want[`actor/${name}`]].flat()[0];
    const { perception_loss_weight: gamma, annealing_discount: discount, beta } = c.coefficients;
    if (gamma > 0) {
      close(first('kl_prcp_coef_annealing_discount'), discount, 1e-9, 'discount');
      close(metrics.perception_loss, gamma * discount * first('kl_prcp_loss'), 1e-9, 'perception_loss');
      close(metrics.entropy_masked_sampled, first('aug_entropy_loss'), 1e-8, 'aug_entropy_loss');
    }
    if (beta > 0) close(metrics.ref_kl_loss, beta * first('kl_loss'), 1e-9, 'kl_loss');
    if (metrics.sft_loss !== undefined)
      close(metrics.sft_loss, first('sft_coef') * first('sft_loss'), 1e-9, 'sft_loss');
    close(metrics.pg_clipfrac_higher, first('pg_clipfrac_higher'), 1e-8, 'pg_clipfrac_higher');
    close(metrics.pg_clipfrac_lower, first('pg_clipfrac_lower'), 1e-8, 'pg_clipfrac_lower');
    close(metrics.ppo_kl, first('ppo_kl'), 1e-8, 'ppo_kl');
  });

  it('sum to the loss where they are called losses', async () => {
    for (const file of files)
      for (const c of golden[file]) {
        const { loss, metrics } = await evaluateCase(reference, c);
        const shares = Object.entries(metrics).filter(([name]) => name.endsWith('_loss'));
        close(
          shares.reduce((sum, [, value]) => sum + value, 0),
          loss,
          1e-12,
          c.name,
        );
      }
  });

  it('count the tokens at the perception clip', async () => {
    const clipped = find('paper', 'grpo_clip0.2');
    const { metrics } = await evaluateCase(reference, clipped);
    const { derived } = (readFixture('papo/paper_papo_loss.json') as { inputs: { A: Derived } }).inputs.A;
    const mask = clipped.inputs.completion_mask;
    const kl = derived.perception_k3_unclamped.flat();
    const share = kl.filter((v, i) => mask[i] === 1 && v > 0.2).length / mask.reduce((a, b) => a + b);
    expect(share).toBeGreaterThan(0);
    expect(metrics.perception_clip_ratio).toBeCloseTo(share, 12);
  });
  interface Derived {
    derived: { perception_k3_unclamped: number[][] };
  }
});

/** The case with other settings, weights or inputs. */
function altered(c: LossCase, change: Alteration): LossCase {
  return {
    ...c,
    ...('temperature' in change && { temperature: change.temperature as number }),
    settings: { ...c.settings, ...change.settings },
    coefficients: { ...c.coefficients, ...change.coefficients },
    inputs: { ...c.inputs, ...change.inputs },
  };
}
interface Alteration {
  settings?: Partial<ObjectiveSettings>;
  coefficients?: Partial<LossCase['coefficients']>;
  inputs?: Partial<LossCase['inputs']>;
  temperature?: number;
}

describe('gradients are those of the loss (central differences)', () => {
  // Settings that no golden case has; a temperature, too.
  const settings: [string, LossCase][] = [
    ['paper, exact KL', altered(find('paper', 'dapo_all'), { settings: { perception_kl: 'exact' } })],
    [
      'paper, exact KL, masked branch detached, temperature',
      altered(find('paper', 'papo_G_7B'), {
        settings: { perception_kl: 'exact', detach_masked_branch: true },
        temperature: 1.3,
      }),
    ],
    [
      'paper, top tokens, dual clip, sampled entropies',
      altered(find('paper', 'grpo_beta0.04'), {
        settings: { perception_top_p: 0.4, dual_clip: 1.1, entropy_estimator: 'sampled' },
        coefficients: { annealing_discount: 0.7 },
      }),
    ],
    [
      'trl, everything',
      altered(find('trl', 'dapo_all'), { settings: { entropy_coef: 0.1 }, temperature: 0.8 }),
    ],
    ['authors, recomputed', altered(find('authors', 'papo_G_7B_recompute'), { temperature: 1.2 })],
  ];
  it.each(settings)('%s', async (_, c) => {
    const step = 1e-5;
    const { gradLogits, gradLogitsMasked } = await evaluateCase(reference, c);
    for (const [name, gradient] of [
      ['logits', gradLogits],
      ['logits_masked', gradLogitsMasked],
    ] as const) {
      const detached = name === 'logits_masked' && c.settings.detach_masked_branch;
      // Every 13th entry: all rows and all tokens get their turn.
      for (let i = 0; i < gradient.length; i += 13) {
        const at = async (shift: number): Promise<number> => {
          const moved = c.inputs[name].slice();
          moved[i] += shift;
          return (await evaluateCase(reference, altered(c, { inputs: { [name]: moved } }))).loss;
        };
        const slope = detached ? 0 : ((await at(step)) - (await at(-step))) / (2 * step);
        expect(Math.abs(gradient[i] - slope), `${name}[${i}]: ${gradient[i]}, ${slope}`).toBeLessThan(1e-8);
      }
    }
  });
});

describe('golden numbers catch faults', () => {
  // Each a mistake that somebody made, or could; the float32 tolerance must be enough to see it.
  const faults: [string, LossCase, Alteration][] = [
    [
      'KL the other way round',
      find('paper', 'grpo_default'),
      { settings: { perception_kl: 'k3_paper_literal' } },
    ],
    [
      'perception KL minimised',
      find('paper', 'papo_G_3B'),
      { coefficients: { perception_loss_weight: -0.02 } },
    ],
    [
      'sampled in place of exact KL',
      find('paper', 'dapo_default_fullkl'),
      { settings: { perception_kl: 'k3' } },
    ],
    [
      'no gradient in the masked branch',
      find('paper', 'papo_D'),
      { settings: { detach_masked_branch: true } },
    ],
    ["TRL's clamp", find('paper', 'grpo_default'), { settings: { perception_kl_clip: 0.2 } }],
    ["TRL's means over padding", find('paper', 'grpo_default'), { settings: { objective: 'trl' } }],
    ['entropies without gradient', find('trl', 'grpo_entropy_coef_set'), { settings: { entropy_coef: 0 } }],
    ['entropies with gradient', find('trl', 'grpo_default'), { settings: { entropy_coef: 1 } }],
    ['sampled entropies', find('paper', 'papo_G_7B'), { settings: { entropy_estimator: 'sampled' } }],
    ['means by completion', find('paper', 'dapo_default'), { settings: { loss_type: 'grpo' } }],
    ['no accumulation', find('paper', 'grpo_ga4'), { settings: { gradient_accumulation_steps: 1 } }],
    ['symmetric clip', find('trl', 'grpo_epsilon_high0.28'), { settings: { epsilon_high: 0.2 } }],
    ['delta ignored', find('trl', 'grpo_delta1.3'), { settings: { delta: null } }],
    ['ratio by token', find('trl', 'grpo_seq_beta'), { settings: { importance_sampling_level: 'token' } }],
    ['all tokens', find('trl', 'dapo_quantile0.2'), { settings: { top_entropy_quantile: 1 } }],
    ['old log-probs ignored', find('paper', 'papo_D'), { inputs: { old_per_token_logps: undefined } }],
    ['means by token', find('authors', 'papo_G_3B_seq'), { settings: { loss_avg_mode: 'token' } }],
    ['not annealed', find('authors', 'annealed_half'), { coefficients: { annealing_discount: 1 } }],
    [
      'all perception tokens',
      find('authors', 'token_mask_top_p0.2'),
      { settings: { perception_top_p: null } },
    ],
    ['no likelihood term', find('authors', 'sft'), { settings: { sft_loss_coef: 0 } }],
    ['another estimator', find('authors', 'kl_penalty_mse'), { settings: { perception_kl: 'k1' } }],
  ];
  it.each(faults)('%s', async (_, c, fault) => {
    const errors = caseErrors(await evaluateCase(reference, altered(c, fault)), c.expected);
    expect(worstError(errors)).toBeGreaterThan(10 * TOLERANCE.cpu);
  });

  it('catch one wrong gradient entry, and one that is not a number', () => {
    const { expected } = find('paper', 'papo_D');
    const got = { ...expected, metrics: {}, gradLogits: expected.gradLogits.slice() };
    expect(worstError(caseErrors(got, expected))).toBe(0);
    got.gradLogits[5] += 1e-9;
    expect(worstError(caseErrors(got, expected))).toBeGreaterThan(TOLERANCE.reference);
    got.gradLogits[5] = Number.NaN;
    expect(worstError(caseErrors(got, expected))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('buildObjective', () => {
  const [B, T] = [2, 3];
  const base = find('paper', 'grpo_beta0.04').settings;

  /** A graph fed with per-token numbers; `without` names inputs that are left out. */
  function build(settings: ObjectiveSettings, without: string[] = []) {
    const g = new Graph();
    const token = (name: string): Tensor | undefined =>
      without.includes(name) ? undefined : g.input(name, [B, T]);
    const one = (value: number): Tensor => g.scalar(value);
    const inputs = {
      per_token_logps: g.input('per_token_logps', [B, T]),
      entropy: g.input('entropy', [B, T]),
      per_token_logps_masked: token('per_token_logps_masked'),
      entropy_masked: token('entropy_masked'),
      kl_exact: token('kl_exact'),
      completion_mask: g.input('completion_mask', [B, T]),
      advantages: g.constant(Float32Array.of(1, -1), [B, 1]),
      old_per_token_logps: token('old_per_token_logps'),
      ref_per_token_logps: token('ref_per_token_logps'),
      num_items_in_batch: one(4),
      coefficients: {
        perception_loss_weight: one(settings.perception_loss_weight),
        der_loss_weight1: one(settings.der_loss_weight1),
        der_loss_weight2: one(settings.der_loss_weight2),
        annealing_discount: one(1),
        beta: one(0.04),
      },
    } as ObjectiveInputs;
    return { g, inputs, ...buildObjective(g, inputs, settings) };
  }

  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  // Row 1 ends after one token; row 2 holds three.
  const mask = [1, 0, 0, 1, 1, 1];
  const polluted = (values: number[], rubbish: number): Float32Array =>
    Float32Array.from(values, (v, i) => (mask[i] ? v : rubbish));
  const data = (rubbish: number): Record<string, Float32Array> => ({
    completion_mask: Float32Array.from(mask),
    per_token_logps: polluted([-1, 0, 0, -2, -0.5, -1.5], rubbish),
    per_token_logps_masked: polluted([-1.5, 0, 0, -1, -0.6, -2.5], rubbish),
    entropy: polluted([1, 0, 0, 1.2, 0.3, 0.8], rubbish),
    entropy_masked: polluted([1.1, 0, 0, 0.2, 0.4, 0.9], rubbish),
    kl_exact: polluted([0.1, 0, 0, 0.4, 0.2, 0.3], rubbish),
    old_per_token_logps: polluted([-1.1, 0, 0, -1.8, -0.5, -2], rubbish),
    ref_per_token_logps: polluted([-1.2, 0, 0, -1.9, -0.4, -2], rubbish),
  });

  const shared = { k3: {}, top: { perception_top_p: 0.5 } };
  const kinds: Record<string, Record<string, Partial<ObjectiveSettings>>> = {
    paper: {
      ...shared,
      exact: { perception_kl: 'exact' },
      sequence: { importance_sampling_level: 'sequence' },
    },
    authors: { ...shared, seq: { loss_avg_mode: 'seq', entropy_estimator: 'sampled', sft_loss_coef: 0.01 } },
  };
  for (const objective of ['paper', 'authors'] as const)
    for (const [name, kind] of Object.entries(kinds[objective]))
      for (const device of [reference, cpu])
        it(`takes anything for padding: ${objective}, ${name}, ${device.kind}`, async () => {
          const settings: ObjectiveSettings = { ...base, objective, ...kind, top_entropy_quantile: 0.8 };
          const { g, inputs, loss, metrics } = build(settings);
          const wrt = [inputs.per_token_logps, inputs.entropy, inputs.per_token_logps_masked!];
          const found = partialGradients(g, new Map([[loss, g.scalar(1)]]), wrt);
          g.output('loss', loss);
          for (const [k, t] of found.entries()) if (t) g.output(`gradient ${k}`, t);
          for (const [metric, t] of Object.entries(metrics)) g.output(metric, t);
          const program = await device.compile(g, []);
          const clean = await program.run(data(0));
          expect(Number.isFinite(clean.loss[0])).toBe(true);
          expect(clean['gradient 0'].slice(1, 3).every((v) => v === 0)).toBe(true);
          for (const rubbish of [nan, inf, -inf, 1e30])
            expect(await program.run(data(rubbish)), `${rubbish}`).toEqual(clean);
          program.dispose();
        });

  it('works without a masked view where no term needs it', async () => {
    const plain = { ...base, perception_loss_weight: 0, der_loss_weight1: 0, der_loss_weight2: 0 };
    const names = ['per_token_logps_masked', 'entropy_masked', 'kl_exact'];
    const { metrics } = build(plain, names);
    expect(Object.keys(metrics)).toContain('entropy');
    expect(Object.keys(metrics)).not.toContain('perception_kl');
    expect(() => build({ ...plain, perception_loss_weight: 0.1 }, names)).toThrow(/needs the masked view/);
    expect(() => build({ ...plain, der_loss_weight2: 0.1 }, names)).toThrow(/needs the masked view/);
    expect(() => build({ ...base, perception_kl: 'exact' }, ['kl_exact'])).toThrow(/needs kl_exact/);
  });
});

describe('checkFile', () => {
  it.each(['advantages', 'masks', 'authors_papo_loss'])('passes on %s.json', async (name) => {
    let cases = 0;
    for await (const c of checkFile(readFixture(`papo/${name}.json`), name, reference)) {
      cases++;
      expect(c.checks.filter((check) => !passes(check))).toEqual([]);
    }
    expect(cases).toBeGreaterThan(10);
  });

  it('fails on wrong advantages and on wrong geometry', async () => {
    const advantages = readFixture<{ cases: { advantages: number[] }[] }>('papo/advantages.json');
    advantages.cases[3].advantages[1] += 1e-8;
    const masks = readFixture<{ patch: { cases: { rect_h: number }[] } }>('papo/masks.json');
    masks.patch.cases[0].rect_h += 1;
    for (const [file, at] of [
      [advantages, 3],
      [masks, 0],
    ] as const) {
      const failed: number[] = [];
      let i = 0;
      for await (const c of checkFile(file, 'x', reference)) {
        if (!c.checks.every(passes)) failed.push(i);
        i++;
      }
      expect(failed).toEqual([at]);
    }
  });

  type Loss = { inputs: { A: Record<string, unknown> }; cases: Record<string, unknown>[] };
  const broken: [string, (file: Loss) => void, RegExp][] = [
    [
      'a missing input',
      (f) => delete f.inputs.A.logits,
      /^f: inputs\.A\.logits: expected a list, got undefined/,
    ],
    [
      'a ragged list',
      (f) => (f.inputs.A.completion_mask as number[][])[1].pop(),
      /^f: inputs\.A\.completion_mask\[1\]: expected 6 entries, got 5/,
    ],
    ['a name that is none', (f) => (f.cases[2].input = 'Z'), /^f: grpo_beta0\.04: input "Z" is none of A/],
    [
      'a setting out of range',
      (f) => ((f.cases[0].settings as Record<string, unknown>).epsilon = 'a'),
      /^f: grpo_default: settings\.epsilon: expected a number.*got "a"/,
    ],
    [
      'an unknown estimator',
      (f) => ((f.cases[0].settings as Record<string, unknown>).kl_estimator = 'k9'),
      /settings\.kl_estimator: expected one of k3, full, exact, k3_paper_literal, got "k9"/,
    ],
    [
      'no gradient',
      (f) => delete f.cases[0].grad_logits_masked,
      /^f: grpo_default: grad_logits_masked: expected a list/,
    ],
    [
      'a token outside the vocabulary',
      (f) => ((f.inputs.A.completion_ids as number[][])[0][0] = 11),
      /completion_ids: expected whole numbers from 0 to 10, got 11/,
    ],
  ];
  it.each(broken)('says what is wrong: %s', (_, breakIt, message) => {
    const file = readFixture<Loss>('papo/paper_papo_loss.json');
    breakIt(file);
    expect(messageOf(() => readLossFile(file, 'f'))).toMatch(message);
  });

  it.each([[null], [[]], [{}], [{ cases: [] }], ['text']])(
    'refuses what is no golden file: %j',
    async (json) => {
      await expect(checkFile(json, 'f', reference).next()).rejects.toThrow(/^f: expected a golden file/);
    },
  );
});
