/** Of the work that waits only the newest is done. */
import { describe, expect, it } from 'vitest';
import { Latest } from '../../../src/ui/look/latest.ts';

/** Work that ends when it is told to. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
const settled = () => new Promise((resolve) => setTimeout(resolve));

describe('Latest', () => {
  it('does one piece at a time, and of those that wait the last', async () => {
    const latest = new Latest();
    const first = gate();
    const done: string[] = [];
    latest.do(async () => {
      await first.opened;
      done.push(latest.isStale ? 'first, stale' : 'first');
    });
    for (const name of ['second', 'third', 'fourth'])
      latest.do(async () => {
        done.push(latest.isStale ? `${name}, stale` : name);
      });
    await settled();
    expect(done).toEqual([]);
    first.open();
    await settled();
    expect(done).toEqual(['first, stale', 'fourth']);
  });

  it('forgets work that never ends', async () => {
    const latest = new Latest();
    const never = gate();
    const done: string[] = [];
    latest.do(() => never.opened);
    latest.do(async () => void done.push('waited'));
    latest.forget();
    latest.do(async () => void done.push('new'));
    await settled();
    expect(done).toEqual(['new']);
    // Should it end after all, nothing is done twice.
    never.open();
    await settled();
    expect(done).toEqual(['new']);
  });
});
