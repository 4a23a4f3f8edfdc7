/**
 * One update of the mid-size model on the CPU device in a process of its own, which prints as JSON what was planned and what
 * the process held: run by tests/unit/device/cpu-memory.test.ts through scripts/run.mjs.
 */
import { resourceUsage } from 'node:process';
import { midSize } from './mid-size.ts';

export async function main([settings]: string[]): Promise<number> {
  const memories: WebAssembly.Memory[] = [];
  // onnxruntime keeps its memory to itself; it makes one when it starts.
  const { Memory } = WebAssembly;
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      super(descriptor);
      memories.push(this);
    }
  };
  const { PAPOConfig, PAPOTrainer } = await import('../src/index.node.ts');
  const trainer = new PAPOTrainer({
    model: midSize(),
    reward_funcs: [({ completions }) => completions.map((text) => text.length % 7)],
    args: new PAPOConfig({ max_steps: 1, save_strategy: 'no', ...JSON.parse(settings) }, 'papo-nano'),
    train_dataset: 'shapes',
    eval_dataset: null,
    device: 'cpu',
  });
  await trainer.train();
  const wasm = memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  console.log(JSON.stringify({ plan: trainer.plan, wasm, process: resourceUsage().maxRSS * 1024 }));
  return 0;
}
