/** A rollout that updates still draw on, as a checkpoint keeps it: JSON and tensors, and back. */
import type { JsonObject } from '../store/json.ts';
import type { CheckpointTensor } from '../store/run-store.ts';
import type { Reward } from './advantages.ts';
import type { Rollout } from './generation.ts';

export type ReadTensor = (name: string) => Promise<CheckpointTensor>;

const logps = ['oldLogps', 'refLogps', 'maskedLogps'] as const;

export function rolloutState(rollout: Rollout): {
  state: JsonObject;
  tensors: Map<string, CheckpointTensor>;
} {
  const { index, prompts, drawn, retries, rewards, temperature, rewardsFailed } = rollout;
  const tensors = new Map<string, CheckpointTensor>();
  const add = (name: string, data: CheckpointTensor['data']) =>
    tensors.set(`generation/${name}`, { shape: [data.length], data });
  add('ids', rollout.ids);
  if (rollout.saliency) add('saliency', rollout.saliency);
  const batches: JsonObject = {};
  for (const kind of logps) {
    batches[kind] = [...rollout[kind].keys()];
    for (const [batch, data] of rollout[kind]) add(`${kind}.${batch}`, data);
  }
  const state = { index, prompts, drawn, retries, rewards, temperature, rewardsFailed, batches };
  return { state, tensors };
}

export async function readRollout(
  state: JsonObject,
  names: ReadonlySet<string>,
  read: ReadTensor,
): Promise<Rollout> {
  const data = async (name: string) => (await read(`generation/${name}`)).data;
  const batches = state.batches as Record<(typeof logps)[number], number[]>;
  const maps = await Promise.all(
    logps.map(async (kind) => {
      const entries = batches[kind].map(
        async (batch) => [batch, (await data(`${kind}.${batch}`)) as Float32Array] as const,
      );
      return new Map(await Promise.all(entries));
    }),
  );
  return {
    index: state.index as number,
    prompts: state.prompts as number[],
    drawn: state.drawn as number,
    retries: state.retries as number,
    ids: (await data('ids')) as Int32Array,
    rewards: state.rewards as Reward[][],
    // Told when they happened.
    failures: [],
    rewardsFailed: state.rewardsFailed as boolean,
    saliency: names.has('generation/saliency') ? ((await data('saliency')) as Float32Array) : undefined,
    temperature: state.temperature as number,
    oldLogps: maps[0],
    refLogps: maps[1],
    maskedLogps: maps[2],
  };
}
