/** A page for tests/e2e/sandbox.test.ts: opens the sandbox as the page does, and calls it from a worker. */
import { wrap } from 'comlink';
import { openSandbox } from '../../../src/rewards/sandbox/page.ts';
import type { Caller } from './caller.ts';

const worker = new Worker(new URL('./caller.ts', import.meta.url), { type: 'module' });
const caller = wrap<Caller>(worker);
let close: (() => void) | undefined;

const harness = {
  async open() {
    const sandbox = await openSandbox();
    close = sandbox.close;
    const { port } = sandbox;
    // comlink would wrap the port; a plain message transfers it.
    worker.postMessage({ port }, [port]);
  },
  close: () => close?.(),
  reward: (code: string, timeLimitMs = 1000) => caller.reward(code, timeLimitMs),
  /** Runs `script` in the frame's own worker, outside the interpreter; resolves with what it posts. */
  async raw(script: string): Promise<unknown> {
    const sandbox = await openSandbox(script);
    try {
      return await new Promise((resolve) => {
        sandbox.port.onmessage = ({ data }) => resolve(data);
      });
    } finally {
      sandbox.close();
    }
  },
};

export type Harness = typeof harness;
Object.assign(globalThis, { harness });
