/** What the page offers, and what it makes of what a user typed. */
import { kinds, type TaskKind, type TaskName, tasks } from '../data/tasks.ts';
import { UserError } from '../errors.ts';
import {
  describeSetting,
  parseConfig,
  type ResolvedConfig,
  SETTING_NAMES,
  SETTINGS,
} from '../papo/config.ts';
import { checkRewards } from '../papo/generation.ts';
import { findPreset, PRESET_NAMES, PRESETS } from '../papo/presets.ts';
import type { Settings } from '../papo/settings.ts';
import { rewardFunctions } from '../rewards/rewards.ts';
import type { TaskKindInfo } from './data-protocol.ts';
import type { Catalogue, Problem, RunRequest, Validation } from './protocol.ts';

/**
 * Where a preset says nothing: the built-in tasks have no last prompt, so a run needs a number of steps; the page
 * draws a held-out curve; papo-nano's answers are short; and a tab may be closed at any moment, on a disk that is small.
 */
const pageSettings: Partial<Settings> = {
  max_steps: 100,
  eval_steps: 20,
  num_eval_samples: 128,
  max_completion_length: 16,
  save_steps: 10,
  save_total_limit: 3,
};

export function catalogue(): Catalogue {
  return {
    settings: SETTING_NAMES.map((name) => {
      const { meaning, range, group, finding } = describeSetting(name);
      const options = (SETTINGS[name].schema as { options?: unknown }).options;
      return {
        name,
        meaning,
        range,
        group,
        finding,
        ...(isTexts(options) && { options }),
        isFlag: SETTINGS[name].range === 'true or false',
      };
    }),
    presets: PRESET_NAMES.map((name) => ({ name, source: PRESETS[name].source })),
    tasks: (Object.keys(tasks) as TaskName[]).map((name) => ({
      name,
      meaning: taskMeanings[name],
      kinds: kindsOf(name),
    })),
    rewards: Object.keys(rewardFunctions).map((name) => ({ name, meaning: rewardMeanings[name] ?? '' })),
  };
}

const rewardMeanings: Readonly<Record<string, string>> = {
  exact_match: '1 where the completion, or its \\boxed{…}, is the answer to the letter',
  numeric: '1 where the number answered is the answer’s; nothing where the answer is no number',
  format: '1 where the completion is <think> … </think> \\boxed{…} and nothing else',
  boxed_answer: '1 where the last \\boxed{…} holds the answer',
  number_answer:
    '1 where the number answered is the answer’s: fractions, roots, units, percent and separators are read; nothing where the answer is no number',
  relaxed_accuracy:
    'ChartQA’s: 1 where a number is within 5 % of the answer, or another answer is the same text',
  choice_letter:
    '1 where the choice is right, by its letter or its text; nothing where the answer names no choice',
  short_text: '1 where the text is the answer’s but for case, articles, accents and punctuation',
  text_contains: '1 where the answer’s words stand in what follows the thought',
  answer_match: '1 where the answer is right as a choice, a number, a short text or an expression',
  think_format: '1 where a thought in <think> is followed by one \\boxed{…}, neither of them empty',
  papo_math: 'The authors’ reward: 0.9 × papo_accuracy + 0.1 × papo_format',
  papo_accuracy: 'The authors’ accuracy: 1 where the last \\boxed{…} is right by mathruler’s rules',
  papo_format: 'The authors’ format: 1 where <think>…</think> comes first and a \\boxed{…} follows',
};

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string');

const taskMeanings: Readonly<Record<TaskName, string>> = {
  shapes: 'Coloured shapes in 16 cells, and bar charts: what papo-nano was warmed up for.',
  counting: 'Count the shapes that are described: harder, papo-nano has never done it.',
  comparing: 'The largest of three shapes, the tallest of four bars: harder.',
  reasoning: 'Count or read off, then calculate: harder.',
  emoji: 'The colours of emoji: pictures papo-nano has never seen, asked about in words it knows.',
  all: 'Every kind of question about shapes and bars.',
};

function kindsOf(task: TaskName): TaskKindInfo[] {
  const mix = Object.entries(tasks[task]) as [TaskKind, number][];
  const total = mix.reduce((sum, [, weight]) => sum + weight, 0);
  return mix.map(([name, weight]) => ({ name, level: kinds[name].level, share: weight / total }));
}

export type Checked = { readonly config?: ResolvedConfig; readonly validation: Validation };

/** The settings of a request, or its problems by field. */
export function check({ preset, task, settings, rewards, rewardCode }: RunRequest): Checked {
  const given = Object.fromEntries(Object.entries(settings).map(([name, text]) => [name, readValue(text)]));
  const own = findPreset(preset)?.settings ?? {};
  const base = Object.fromEntries(Object.entries(pageSettings).filter(([name]) => !Object.hasOwn(own, name)));
  const problems: Problem[] = [];
  if (!Object.hasOwn(tasks, task))
    problems.push({
      field: 'task',
      message: `expected one of ${Object.keys(tasks).join(', ')}, got "${task}".`,
    });
  if (rewards?.length === 0 && !rewardCode)
    problems.push({
      field: 'rewards',
      message: 'expected at least one reward function, built in or your own.',
    });
  const attempt = (input: Record<string, unknown>): ResolvedConfig | undefined => {
    try {
      return parseConfig(input, preset);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(...readProblems(error.message));
      return undefined;
    }
  };
  const plain = attempt(base);
  const config = plain && attempt({ ...base, ...given });
  if (config && config.max_steps < 1)
    problems.push({
      field: 'max_steps',
      message: 'expected at least 1: the built-in tasks have no last prompt.',
    });
  const names = [...(rewards ?? []), ...(rewardCode ? ['own_reward'] : [])];
  if (config && names.length) problems.push(...misfits(names, config));
  const shown = config ?? plain;
  const generation = shown?.generation_batch_size ?? 0;
  return {
    config: problems.length === 0 ? config : undefined,
    validation: {
      problems,
      warnings: config?.warnings ?? [],
      preset: plain ? asTexts(plain) : {},
      values: shown ? asTexts(shown) : {},
      completionsPerStep: generation,
      promptsPerStep: shown ? generation / shown.num_generations : 0,
    },
  };
}

/** Weights that are more or fewer than the reward functions. */
function misfits(names: readonly string[], config: ResolvedConfig): Problem[] {
  try {
    checkRewards(names, config);
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return readProblems(error.message);
  }
}

/** Numbers, booleans, null and lists as JSON; everything else is text. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

/** What a run that is resumed differs in from its preset, as a person would have typed it. */
export function settingsAsTyped(
  config: ResolvedConfig,
  preset: string,
  task: string,
): Record<string, string> {
  const usual = check({ preset, task, settings: {} }).validation.preset;
  return Object.fromEntries(Object.entries(asTexts(config)).filter(([name, text]) => text !== usual[name]));
}

function asTexts(config: ResolvedConfig): Record<string, string> {
  return Object.fromEntries(
    SETTING_NAMES.map((name) => {
      const value = config[name];
      return [name, typeof value === 'string' ? value : JSON.stringify(value)];
    }),
  );
}

/** parseConfig's message, line by line: `field: what is wrong`. */
function readProblems(message: string): Problem[] {
  const lines = message.includes('\n- ') ? message.split('\n- ').slice(1) : [message];
  return lines.map((line) => {
    const [, field, rest] = /^([a-z][a-z0-9_]*): (.*)$/s.exec(line) ?? [];
    return field ? { field, message: rest } : { message: line };
  });
}
