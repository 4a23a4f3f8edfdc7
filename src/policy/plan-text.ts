/** A memory plan in words: why a run is refused, and a table for a terminal. */
import { mebibytes } from '../device/device.ts';
import type { PartKind } from './memory.ts';
import type { Alternative, PlanView } from './plan.ts';

const partNames: Record<PartKind, string> = {
  frozenHalf: 'frozen weights, float16',
  frozen: 'frozen weights, float32',
  trained: 'trained weights',
  adapter: 'LoRA adapter',
  gradients: 'gradients',
  moments: "AdamW's moments",
  reference: 'reference policy',
  activations: 'activations',
  workspace: 'workspace',
  rollout: 'rollout and scoring beside',
  fixed: 'inputs and constants',
  runtime: 'the program itself',
};

/** Why the run is refused, with numbers in MiB and what would fit. */
export function refusal(plan: Omit<PlanView, 'refusal'>): string {
  const { parts, total, largestTensor, limit, limits, wasm, alternatives } = plan;
  const list = parts.map(({ kind, bytes }) => `${partNames[kind]} ${mebibytes(bytes)}`).join(', ');
  const has = limit === undefined ? '' : `; the device has ${mebibytes(limit)}`;
  const sentences = [`This run needs ${mebibytes(total)} of memory (${list})${has}.`];
  // Where it is far from the limit it is not the reason.
  if (wasm !== undefined && limits.wasm !== undefined && wasm > limits.wasm / 2)
    sentences.push(
      `WebAssembly would have to hold ${mebibytes(wasm)} at once, and can hold little less than ${mebibytes(limits.wasm)}.`,
    );
  if (Number.isFinite(limits.largestTensor))
    sentences.push(
      `Its largest single tensor (${largestTensor.name}) takes ${mebibytes(largestTensor.bytes)}, and one can have ` +
        `${mebibytes(limits.largestTensor)}.`,
    );
  sentences.push(
    alternatives.length > 0
      ? `It would fit with ${alternatives.map(sentence).join('; or with ')}.`
      : 'No smaller settings fit: take a smaller model, or another device.',
  );
  return sentences.join(' ');
}

/** "max_completion_length 64 (shorter answers)" */
function sentence({ settings, effect }: Alternative): string {
  const names = Object.entries(settings).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${names.join(', ')} (${effect})`;
}

const barWidth = 32;

/** The plan as lines for a terminal: a bar for each part, then choices, limits, and what to do where it does not fit. */
export function planTable(plan: PlanView): string {
  const { parts, total, limit, limits, wasm, choices, passes, keyValueCache, largestTensor } = plan;
  const scale = Math.max(total, limit ?? 0);
  const name = (text: string) => text.padEnd(28);
  const size = (bytes: number) => mebibytes(bytes).padStart(13);
  const bar = (bytes: number, mark = '█') => {
    const eighths = Math.round((bytes / scale) * barWidth * 8);
    const part = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8];
    return bytes > 0 ? mark.repeat(Math.floor(eighths / 8)) + part || '▏' : '';
  };
  const row = (label: string, bytes: number) => `${name(label)}${size(bytes)}  ${bar(bytes)}`.trimEnd();
  const lines = [
    ...parts.map(({ kind, bytes }) => row(partNames[kind], bytes)),
    row('total', total),
    limit === undefined ? `${name('limit')}      unknown` : row('limit', limit),
    '',
    `${name('activations')}${choices.recompute ? 'computed again layer by layer' : 'kept'}`,
    `${name('logits at once')}${mebibytes(choices.headChunkBytes)}`,
    `${name('a micro-batch')}${choices.pieces === 1 ? 'in one pass' : `in ${choices.pieces} passes`}`,
    `${name('prompts at a time')}${choices.promptsPerRun}`,
    `${name('key-value cache')}${mebibytes(keyValueCache)}, in the rollout's memory`,
    `${name('largest tensor')}${mebibytes(largestTensor.bytes)} (${largestTensor.name})${
      Number.isFinite(limits.largestTensor) ? `; limit ${mebibytes(limits.largestTensor)}` : ''
    }`,
  ];
  if (wasm !== undefined && limits.wasm !== undefined)
    lines.push(`${name('WebAssembly')}${mebibytes(wasm)} of ${mebibytes(limits.wasm)}`);
  lines.push('', 'each pass alone:', ...passes.map((pass) => `  ${pass.name.padEnd(26)}${size(pass.bytes)}`));
  lines.push('', plan.fits ? 'It fits.' : (plan.refusal ?? ''));
  return lines.join('\n');
}
