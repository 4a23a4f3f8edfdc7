// What is planned for a run on the CPU device is what WebAssembly, and the process, then hold.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { nodePeak, type OnnxNode } from '../../../src/device/cpu/node-memory.ts';
import type { PlanView } from '../../../src/policy/plan.ts';

interface Held {
  readonly plan: PlanView;
  readonly wasm: number;
  readonly process: number;
}

async function runOf(settings: Record<string, unknown>): Promise<Held> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['scripts/run.mjs', 'tests/cpu-memory-run.ts', JSON.stringify(settings)],
    { maxBuffer: 2 ** 24 },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

const within = (share: number, planned: number, held: number) => {
  expect(planned / held).toBeGreaterThan(1 - share);
  expect(planned / held).toBeLessThan(1 + share);
};

describe('6.5 million parameters, 49,280 words', () => {
  const batch = { per_device_train_batch_size: 16, max_completion_length: 32 };
  it.each([
    { ...batch, use_peft: true, gradient_checkpointing: true },
    { ...batch, gradient_checkpointing: true },
    { ...batch, gradient_checkpointing: false },
  ])(
    'within a tenth of what an update holds: %o',
    async (settings) => {
      const { plan, wasm, process: held } = await runOf(settings);
      console.log(
        `WebAssembly: planned ${plan.wasm}, held ${wasm}; process: planned ${plan.total}, held ${held}`,
      );
      within(0.1, plan.wasm!, wasm);
      within(0.1, plan.total, held);
    },
    200_000,
  );
});

describe('nodes', () => {
  const node = (op_type: string, input: string[], output: string[], i?: number): OnnxNode => ({
    ...{ op_type, input, output },
    ...(i !== undefined && { attribute: [{ name: 'axis', i }] }),
  });
  const x = { dims: [10, 10], width: 4 };
  const peak = (nodes: OnnxNode[], kept: string) => nodePeak(nodes, new Map([['x', x]]), new Set([kept]));

  it('arithmetic makes a new value, softmax takes over', () => {
    expect(peak([node('Exp', ['x'], ['a']), node('Mul', ['a', 'a'], ['b'])], 'b')).toBe(800);
    expect(peak([node('Exp', ['x'], ['a']), node('Softmax', ['a'], ['b'], 1)], 'b')).toBe(800);
    const chain = [node('Exp', ['x'], ['a']), node('Softmax', ['a'], ['b'], 1), node('Exp', ['b'], ['c'])];
    expect(peak(chain, 'c')).toBe(800);
  });

  it('a chain of equal shapes takes turns in two places', () => {
    const names = ['x', 'a', 'b', 'c', 'd', 'e'];
    const chain = names.slice(1).map((name, i) => node('Exp', [names[i]], [name]));
    expect(peak(chain, 'e')).toBe(2 * 400);
  });

  it('of two results the sources of the one are gone before the other begins', () => {
    const chain = [
      node('Concat', ['x', 'x'], ['a'], 0),
      node('ReduceSum', ['a'], ['p']),
      node('Concat', ['x', 'x', 'x'], ['b'], 0),
      node('ReduceSum', ['b'], ['q']),
      node('Add', ['p', 'q'], ['r']),
    ];
    expect(peak(chain, 'r')).toBe(1200 + 4);
  });
});
