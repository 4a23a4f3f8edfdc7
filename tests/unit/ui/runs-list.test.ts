/** Which kept runs are listed, in what order, and in what one was set up differently from another. */
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/store/json.ts';
import type { RunInfo } from '../../../src/store/run-store.ts';
import { type Listing, listed } from '../../../src/ui/runs/list.ts';
import type { RunSummary } from '../../../src/worker/protocol.ts';
import { changesBetween } from '../../../src/worker/run-changes.ts';

const summary = (name: string, more: Partial<RunSummary> = {}): RunSummary => ({
  id: name,
  name,
  createdAt: 0,
  state: 'finished',
  step: 1,
  totalSteps: 1,
  bestMetric: null,
  checkpoints: [1],
  checkpointBytes: [10],
  bestStep: null,
  bytes: 10,
  notes: '',
  isStarred: false,
  changes: null,
  isOpenElsewhere: false,
  isOpenHere: false,
  isCutOff: false,
  hasRewardCode: false,
  model: 'papo-nano',
  base: null,
  hasAdapter: false,
  task: 'shapes',
  ...more,
});

const all = [
  summary('run 10', { createdAt: 3, bestMetric: 0.2, bytes: 5 }),
  summary('run 9', { createdAt: 2, bestMetric: 0.7, notes: 'Long and tired', task: 'counting' }),
  summary('old', {
    createdAt: 1,
    isStarred: true,
    bytes: 99,
    changes: [{ name: 'beta', before: '0', after: '0.1' }],
  }),
];
const names = (change: Partial<Listing>) =>
  listed(all, { search: '', sort: 'newest', onlyStarred: false, ...change }).map(({ name }) => name);

describe('the list of kept runs', () => {
  it('has starred ones first, then the order that was asked for', () => {
    expect(names({})).toEqual(['old', 'run 10', 'run 9']);
    expect(names({ sort: 'name' })).toEqual(['old', 'run 9', 'run 10']);
    expect(names({ sort: 'accuracy' })).toEqual(['old', 'run 9', 'run 10']);
    expect(names({ sort: 'size' })).toEqual(['old', 'run 9', 'run 10']);
    expect(names({ onlyStarred: true })).toEqual(['old']);
  });

  it('finds every word in names, notes, tasks and changes', () => {
    expect(names({ search: 'tired COUNTING' })).toEqual(['run 9']);
    expect(names({ search: 'beta 0.1' })).toEqual(['old']);
    expect(names({ search: 'tired shapes' })).toEqual([]);
  });
});

const info = (settings: JsonObject, origin: JsonObject = {}): RunInfo => ({
  name: 'a run',
  createdAt: 0,
  settings: { learning_rate: 3e-4, max_steps: 100, reward_weights: null, run_name: 'a', ...settings },
  origin: {
    model: 'papo-nano',
    task: 'shapes',
    preset: 'papo-nano',
    rewards: ['boxed_answer'],
    total_steps: 9,
    ...origin,
  },
  state: 'finished',
  step: 1,
  bestStep: null,
  bestMetric: null,
});

describe('what changed from one run to the next', () => {
  it('is said of settings as a person types them', () => {
    const after = info({ learning_rate: 1e-4, max_steps: 200, reward_weights: [1, 0.5], run_name: 'b' });
    expect(changesBetween(info({}), after)).toEqual([
      { name: 'learning_rate', before: '3e-4', after: '1e-4' },
      { name: 'max_steps', before: '100', after: '200' },
      { name: 'reward_weights', before: 'null', after: '[1,0.5]' },
    ]);
  });

  it('is said of task, model and rewards too, and of nothing that says where a run is written', () => {
    const after = info(
      { output_dir: 'elsewhere' },
      {
        task: 'shapes',
        dataset: 'x1',
        dataset_name: 'mine.zip',
        rewards: ['format', 'numeric'],
        reward_code: 'const reward = 1;',
        total_steps: 10,
      },
    );
    expect(changesBetween(info({}), after)).toEqual([
      { name: 'task', before: 'shapes', after: 'mine.zip' },
      { name: 'reward_funcs', before: 'boxed_answer', after: 'format, numeric' },
      { name: 'reward_code', before: null, after: 'const reward = 1;' },
    ]);
    expect(changesBetween(after, info({})).at(-1)).toEqual({
      name: 'reward_code',
      before: 'const reward = 1;',
      after: null,
    });
    expect(changesBetween(after, after)).toEqual([]);
  });
});
