/** Reward functions that a command line names: built-in ones, and files with code of the user's own. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { UserError } from '../errors.ts';
import { type RewardFunction, rewardFunction } from '../rewards/rewards.ts';
import { checkRewardCode, sandboxedReward } from '../rewards/sandbox/client.ts';
import { openNodeSandbox } from '../rewards/sandbox/node.ts';

/** A name that ends in .js or .ts is a file; its code runs in the sandbox, as in the page, so that it behaves the same. */
export async function openRewards(
  names: readonly string[],
  timeLimitMs: number,
): Promise<{ functions: Record<string, RewardFunction>; close: () => Promise<void> }> {
  const functions: Record<string, RewardFunction> = {};
  const closers: (() => void | Promise<void>)[] = [];
  for (const given of names) {
    if (!/\.m?[jt]s$/.test(given)) {
      functions[given] = rewardFunction(given);
      continue;
    }
    const code = await readFile(given, 'utf8').catch((error: Error) => {
      throw new UserError(`--reward: ${given} could not be read: ${error.message}`);
    });
    const sandbox = await openNodeSandbox();
    closers.push(() => sandbox.close());
    const name = basename(given).replace(/\.m?[jt]s$/, '');
    const own = { port: sandbox.port, code, name, timeLimitMs };
    await checkRewardCode(own);
    functions[name] = sandboxedReward(own);
  }
  return {
    functions,
    close: async () => {
      for (const close of closers) await close();
    },
  };
}
