/** Stands for the trainer's worker: it holds the sandbox's port. */
import { expose } from 'comlink';
import { sandboxedReward } from '../../../src/rewards/sandbox/client.ts';

let port: MessagePort;
addEventListener('message', ({ data }) => {
  if (data.port) port = data.port;
});

const caller = {
  async reward(code: string, timeLimitMs: number): Promise<{ rewards?: unknown[]; error?: string }> {
    const args = { prompts: ['q', 'q'], completions: ['a', 'bb'], answer: ['a', 'b'] };
    try {
      return { rewards: await sandboxedReward({ port, code, name: 'mine', timeLimitMs })(args) };
    } catch (error) {
      return { error: String(error) };
    }
  },
};

export type Caller = typeof caller;
expose(caller);
