/**
 * Rewards tried on a few completions, so that one sees what a function gives before a model is trained to get it. Code
 * of the visitor's runs in the sandbox or not at all.
 */
import { completionText } from '../data/completion.ts';
import { type Dataset, exampleRow, type Row } from '../data/dataset.ts';
import { type Example, generateExample } from '../data/examples.ts';
import { kinds, type TaskName } from '../data/tasks.ts';
import { UserError } from '../errors.ts';
import { type AdvantageSettings, groupAdvantages, type Reward } from '../papo/advantages.ts';
import { parseConfig } from '../papo/config.ts';
import { rewardArgs } from '../papo/generation.ts';
import { Purpose, RandomStream } from '../papo/random.ts';
import type { Group, StepReport } from '../papo/trainer.ts';
import { asReward, type RewardArgs, rewardFunction } from '../rewards/rewards.ts';
import { checkRewardCode, tryRewardCode } from '../rewards/sandbox/client.ts';
import { plainJavaScript } from '../rewards/sandbox/plain-javascript.ts';
import type { SandboxValue } from '../rewards/sandbox/protocol.ts';
import { check } from './catalogue.ts';
import type { RunRequest } from './protocol.ts';
import type { RewardTrial, RewardTrialRequest, SampleKind, TriedGroup } from './reward-protocol.ts';

const shownGroups = 4;
/** Of one trial: somebody is typing, and waits for it. */
const trialMs = 2000;

/** Completions to a question, all groups of one size. */
interface Sample {
  readonly row: Row;
  readonly completions: readonly { readonly text: string; readonly made: SampleKind | null }[];
}

type Cell = Reward | string;

export class RewardPreview {
  constructor(
    private readonly parts: {
      sandbox(): MessagePort | undefined;
      dataset(id: string): Promise<Dataset>;
      /** The last update of the run at hand. */
      latest(): StepReport | undefined;
    },
  ) {}

  async try({ run, mayRun, onLastStep }: RewardTrialRequest): Promise<RewardTrial> {
    const last = onLastStep ? this.parts.latest() : undefined;
    const samples = last ? last.groups.slice(0, shownGroups).map(writtenSample) : await this.samples(run);
    const size = samples[0].completions.length;
    const texts = samples.flatMap(({ completions }) => completions.map(({ text }) => text));
    const args = rewardArgs(
      samples.map(({ row }) => row),
      { texts },
      size,
    );
    const builtIn = run.rewards ?? [];
    const columns = await Promise.all(builtIn.map((name) => builtInCells(name, args)));
    const own = run.rewardCode === undefined ? {} : await this.own(run, run.rewardCode, mayRun, args);
    const names = own.cells ? [...builtIn, ownReward] : [...builtIn];
    const table = own.cells ? [...columns, own.cells] : columns;
    const settings = settingsOf(run, names.length, size);
    return {
      step: last?.step ?? null,
      names,
      weights: names.map((_, k) => settings.reward_weights?.[k] ?? 1),
      groups: names.length === 0 ? [] : tried(samples, names, table, settings),
      columns: Object.keys(args).sort(),
      ...(own.problem && { problem: own.problem }),
      ...(own.ran && { ran: own.ran }),
    };
  }

  private async own(
    run: RunRequest,
    code: string,
    mayRun: boolean,
    args: RewardArgs,
  ): Promise<Pick<RewardTrial, 'problem' | 'ran'> & { cells?: Cell[] }> {
    if (!mayRun) {
      const plain = await plainJavaScript(code);
      return 'failure' in plain ? { problem: plain.failure } : {};
    }
    const port = this.parts.sandbox();
    if (!port) throw new UserError('The sandbox for reward code is not open; reload the page.');
    const { reward_timeout } = check(run).validation.values;
    const timeLimitMs = Math.min(trialMs, 1000 * Number(reward_timeout ?? Number.POSITIVE_INFINITY));
    // The sandbox starts before the clock does.
    await checkRewardCode({ port, code: 'function reward() {}', name: ownReward });
    const started = performance.now();
    const reply = await tryRewardCode({ port, code, name: ownReward, timeLimitMs }, args);
    const ran = { ms: performance.now() - started, logs: reply.logs };
    if (reply.failure) {
      const { message, line } = reply.failure;
      return { ran, problem: { message, line }, cells: args.completions.map(() => '–') };
    }
    const cells = reply.values!.map(cellOf);
    const junk = cells.find((cell) => typeof cell === 'string');
    const message = `it gave ${junk} for a completion; expected a finite number or null`;
    return { ran, cells, ...(junk !== undefined && { problem: { message, line: null } }) };
  }

  /** Questions of the task or the dataset, with completions that show what a reward tells apart. */
  private async samples({ task, dataset }: RunRequest): Promise<Sample[]> {
    if (dataset !== undefined) {
      const rows = await this.parts.dataset(dataset);
      const shown = Array.from({ length: Math.min(shownGroups, rows.size) }, (_, i) => rows.row(i));
      return (await Promise.all(shown)).map(datasetSample);
    }
    return Array.from({ length: shownGroups }, (_, i) =>
      madeSample(generateExample(0, 'train', i, task as TaskName)),
    );
  }
}

const ownReward = 'own_reward';

const writtenSample = ({ row, completions }: Group): Sample => ({
  row,
  completions: completions.map((text) => ({ text, made: null })),
});

const made = (right: string, wrong: string, unformatted: string): Sample['completions'] => [
  { text: right, made: 'right' },
  { text: wrong, made: 'wrong' },
  { text: unformatted, made: 'unformatted' },
];

function madeSample(example: Example): Sample {
  return {
    row: exampleRow(example),
    completions: made(example.demonstration, wrongCompletion(example), example.answer),
  };
}

/** In the right form, from somebody who saw something else. */
function wrongCompletion({ kind, question, answer }: Example): string {
  const spec = kinds[kind];
  const random = new RandomStream(0, Purpose.data, 2);
  for (;;) {
    const seen = spec.imagine(question, random, 1);
    const wrong = spec.solve(question, seen);
    if (wrong !== answer) return completionText(spec.think(question, seen), wrong);
  }
}

/** Nobody knows how to think about a dataset's questions, so its samples only answer. */
function datasetSample(row: Row): Sample {
  const answer = row.answer ?? '?';
  return {
    row,
    completions: made(completionText('…', answer), completionText('…', `not ${answer}`), answer),
  };
}

async function builtInCells(name: string, args: RewardArgs): Promise<Cell[]> {
  return rewardFunction(name)(args);
}

function cellOf(value: SandboxValue): Cell {
  if (typeof value === 'object' && value !== null) return value.junk;
  return asReward(value) ?? (value === null ? null : String(value));
}

/** How the run would add them up; a function without a weight counts once. */
function settingsOf(run: RunRequest, functions: number, size: number): AdvantageSettings {
  const given = JSON.parse(check(run).validation.values.reward_weights ?? 'null') as number[] | null;
  const weights = given && Array.from({ length: functions }, (_, k) => given[k] ?? 1);
  return {
    ...parseConfig({}),
    num_generations: size,
    reward_weights: weights,
    // A group is flat whatever its rewards are divided by.
    scale_rewards: 'group',
    multi_objective_aggregation: 'sum_then_normalize',
  };
}

function tried(
  samples: readonly Sample[],
  names: readonly string[],
  table: readonly (readonly Cell[])[],
  settings: AdvantageSettings,
): TriedGroup[] {
  const size = settings.num_generations;
  const count = samples.length * size;
  const rows = Array.from({ length: count }, (_, n) => table.map((cells) => cells[n]));
  // What is no reward counts as none, as it does in a run.
  const numbers = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? null : cell)));
  const { rewards, isStdZero } = groupAdvantages(numbers, names, settings);
  return samples.map(({ row, completions }, g) => ({
    id: row.id,
    prompt: row.prompt,
    answer: row.answer,
    // A deviation of nothing is no number.
    isFlat: isStdZero[g * size] || rewards.subarray(g * size, (g + 1) * size).every(Number.isNaN),
    completions: completions.map((completion, k) => {
      const n = g * size + k;
      return { ...completion, rewards: rows[n], total: Number.isNaN(rewards[n]) ? null : rewards[n] };
    }),
  }));
}
