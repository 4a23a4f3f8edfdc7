/** In what a run was set up differently from another: settings under TRL's names, and where it came from. */
import type { JsonValue } from '../store/json.ts';
import type { RunInfo } from '../store/run-store.ts';
import type { RunChange } from './protocol.ts';
import type { Origin } from './run-request.ts';

/** Where a run is written, and what it is called, is no part of the experiment. */
const notCompared = new Set(['run_name', 'output_dir']);

/** Reward code comes whole; everything else as a person would type it. */
export function changesBetween(before: RunInfo, after: RunInfo): RunChange[] {
  const [old, now] = [facts(before), facts(after)];
  const names = [...new Set([...now.keys(), ...old.keys()])];
  return names.flatMap((name) => {
    const change = { name, before: old.get(name) ?? null, after: now.get(name) ?? null };
    return change.before === change.after ? [] : [change];
  });
}

function facts({ origin, settings }: RunInfo): Map<string, string> {
  const { model, dataset_name, task, preset, rewards, reward_code, device } = origin as Partial<Origin>;
  const all: [string, string | undefined][] = [
    ['model', model],
    ['task', dataset_name ?? task],
    ['preset', preset],
    ['reward_funcs', rewards?.join(', ')],
    ['reward_code', reward_code],
    ['device', device],
    ...Object.entries(settings).map(([name, value]): [string, string] => [name, asTyped(value)]),
  ];
  return new Map(
    all.filter((fact): fact is [string, string] => Boolean(fact[1]) && !notCompared.has(fact[0])),
  );
}

/** 0.0003 → "3e-4". */
function asTyped(value: JsonValue): string {
  if (typeof value === 'string') return value;
  const isSmall = typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3;
  return isSmall ? value.toExponential() : JSON.stringify(value);
}
