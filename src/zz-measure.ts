const memories: WebAssembly.Memory[] = [];
const Original = WebAssembly.Memory;
(WebAssembly as any).Memory = class extends Original {
  constructor(d: any) {
    super(d);
    memories.push(this);
  }
};

import { resourceUsage } from 'node:process';
export async function main(args: string[]) {
  const { PAPOConfig, PAPOTrainer } = await import('./index.node.ts');
  const [model, steps, ...rest] = args;
  const settings = JSON.parse(rest[0] ?? '{}');
  let peakBuffers = 0;
  let peakRss = 0;
  const t = setInterval(() => {
    const m = process.memoryUsage();
    peakBuffers = Math.max(peakBuffers, m.arrayBuffers);
    peakRss = Math.max(peakRss, m.rss);
  }, 200);
  const report = (what: string) =>
    console.log(
      what,
      'wasm MiB',
      memories.map((m) => Math.round(m.buffer.byteLength / 2 ** 20)).join(),
      'rss',
      Math.round(process.memoryUsage().rss / 2 ** 20),
      'peakRss',
      Math.round(peakRss / 2 ** 20),
      'maxrss',
      Math.round(resourceUsage().maxRSS / 1024),
      'arrayBuffers',
      Math.round(process.memoryUsage().arrayBuffers / 2 ** 20),
      Math.round(peakBuffers / 2 ** 20),
      'heap',
      Math.round(process.memoryUsage().heapUsed / 2 ** 20),
    );
  report('start');
  const trainer = new PAPOTrainer({
    model,
    reward_funcs: [({ completions }: any) => completions.map((c: string) => c.length % 7)],
    args: new PAPOConfig({ max_steps: Number(steps), ...settings }, 'smolvlm-lora'),
    train_dataset: 'shapes' as never,
    eval_dataset: null,
    device: 'cpu',
    callbacks: [
      {
        on_train_begin() {
          report('begin');
        },
        on_step_end(_: any, s: any, __: any, { report: r }: any) {
          report('step ' + s.global_step);
          console.log(JSON.stringify(r.timing));
        },
      } as any,
    ],
  });
  await trainer.policy();
  report('loaded');
  try {
    await trainer.train();
  } catch (e) {
    console.log('ERROR', e);
  }
  console.log(JSON.stringify(trainer.plan, null, 1));
  report('end');
  clearInterval(t);
  return 0;
}
