// A worker in a hidden page that waits long for its turn says so, once; in a visible page it has nothing to say.
import { expect, it } from 'vitest';
import { Breath } from '../../../src/worker/breath.ts';

/** Holds the thread as a browser that freezes a page does. */
function freeze(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

async function frozenBreath(breath: Breath): Promise<void> {
  const taken = breath.take();
  freeze(600);
  await taken;
}

it('tells once, and only while the page is hidden', async () => {
  const told: string[] = [];
  const breath = new Breath((message) => told.push(message));
  await frozenBreath(breath);
  expect(told).toEqual([]);
  breath.isVisible = false;
  await breath.take();
  expect(told).toEqual([]);
  await frozenBreath(breath);
  await frozenBreath(breath);
  expect(told).toEqual([
    expect.stringMatching(/^The browser slowed training down while this tab was hidden/),
  ]);
  breath.end();
});
