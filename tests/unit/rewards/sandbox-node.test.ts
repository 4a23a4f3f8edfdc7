/** Reward code behind a port, in a thread of Node's: what the interpreter cannot interrupt is terminated. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RewardGuard } from '../../../src/rewards/guard.ts';
import { computeRewards } from '../../../src/rewards/rewards.ts';
import { checkRewardCode, sandboxedReward } from '../../../src/rewards/sandbox/client.ts';
import { openNodeSandbox } from '../../../src/rewards/sandbox/node.ts';
import type { Sandbox } from '../../../src/rewards/sandbox/protocol.ts';

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await openNodeSandbox();
});
afterAll(() => sandbox.close());

const args = { prompts: ['q', 'q'], completions: ['a', 'bb'], answer: ['a', 'b'] };
const mine = (code: string, limits = {}) =>
  sandboxedReward({ port: sandbox.port, code, name: 'mine', ...limits });
const lengths = 'function reward({ completions }) { return completions.map((c) => c.length) }';

it('computes rewards, one call after the other', async () => {
  const lines: string[] = [];
  const logging = mine('function reward(a) { console.log(Object.keys(a)); return [true, null] }', {
    onLog: (more: string[]) => lines.push(...more),
  });
  const withImages = { ...args, image: [new Uint8Array(4), new Uint8Array(4)] };
  const both = [computeRewards('mine', mine(lengths), args), computeRewards('other', logging, withImages)];
  expect(await Promise.all(both)).toEqual([
    [1, 2],
    [1, null],
  ]);
  expect(lines).toEqual(['["prompts","completions","answer"]']);
});

it('says what is wrong with the code, and where', async () => {
  await expect(mine('\nfunction reward() {\n  nowhere() }')(args)).rejects.toThrow(
    /^reward "mine", line 3: ReferenceError: '?nowhere'? is not defined$/,
  );
  const check = (code: string) => checkRewardCode({ port: sandbox.port, code, name: 'mine' });
  await expect(check('let x')).rejects.toMatchObject({ name: 'UserError' });
  await expect(check('\n(')).rejects.toThrow(/^reward "mine", line 2: SyntaxError/);
  await expect(check('while (true);')).rejects.toThrow(/more than 10000 ms/);
  await expect(check(lengths)).resolves.toBeUndefined();
}, 30_000);

it('terminates what the interpreter cannot interrupt, and goes on', async () => {
  // A sort of a list with a billion holes is one native call of minutes.
  const start = performance.now();
  const hung = mine('function reward() { [1].concat(new Array(1e9)).sort() }', { timeLimitMs: 300 });
  const next = computeRewards('mine', mine(lengths), args);
  await expect(hung(args)).rejects.toMatchObject({ name: 'RewardTimeoutError' });
  expect(performance.now() - start).toBeLessThan(5000);
  expect(await next).toEqual([1, 2]);
});

it('behind the guard, junk costs its row and a hang its batch', async () => {
  const guard = new RewardGuard({
    junk: mine('function reward() { return [NaN, 1] }'),
    picky: mine(
      'function reward({ completions }) { return completions.map((c) => { if (c === "a") throw "no a"; return 1 }) }',
    ),
    hang: mine('function reward() { while (true); }', { name: 'hang', timeLimitMs: 200 }),
  });
  const { rewards, failures, wholeStepFailed } = await guard.compute(args);
  expect(rewards).toEqual({ junk: [null, 1], picky: [null, 1], hang: [null, null] });
  expect(wholeStepFailed).toBe(false);
  const said = Object.fromEntries(failures.map((f) => [f.reward, [f.row, f.message]]));
  expect(said).toEqual({
    junk: [0, 'it gave NaN; expected a finite number or null'],
    picky: [0, expect.stringContaining('no a')],
    hang: [null, 'reward "hang": it took more than 200 ms'],
  });
});
