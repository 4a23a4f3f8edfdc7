import { expect, it } from 'vitest';
import { type ModelProgress, ProgressMeter } from '../../../src/models/progress.ts';

function meter(total: number) {
  const reports: ModelProgress[] = [];
  const clock = { now: 0 };
  const made = new ProgressMeter(
    'downloading',
    total,
    (p) => reports.push(p),
    () => clock.now,
  );
  return { meter: made, reports, clock };
}

it('tells bytes, a speed and the time left, at most ten times a second', () => {
  const { meter: m, reports, clock } = meter(1_000_000);
  // 100 kB a second, in chunks of 1 kB every 10 ms.
  for (let i = 0; i < 500; i++) {
    m.add('a', 1000);
    clock.now += 10;
  }
  expect(reports.length).toBeGreaterThan(40);
  expect(reports.length).toBeLessThan(52);
  expect(reports[0].bytesPerSecond).toBeNull();
  const last = reports.at(-1)!;
  expect(last.bytesPerSecond).toBeGreaterThan(95_000);
  expect(last.bytesPerSecond).toBeLessThan(105_000);
  expect(last.secondsLeft! * last.bytesPerSecond!).toBeCloseTo(1_000_000 - last.loadedBytes, 3);
});

it('follows a change of speed smoothly', () => {
  const { meter: m, reports, clock } = meter(1e9);
  const run = (bytes: number, milliseconds: number) => {
    for (let t = 0; t < milliseconds; t += 100) {
      clock.now += 100;
      m.add('a', bytes / 10);
    }
    return reports.at(-1)!.bytesPerSecond!;
  };
  expect(run(1e6, 10_000)).toBeCloseTo(1e6, -5);
  const soon = run(4e6, 500);
  expect(soon).toBeGreaterThan(1e6);
  expect(soon).toBeLessThan(2e6);
  expect(run(4e6, 20_000)).toBeGreaterThan(3.9e6);
});

it('counts what was there, but not for the speed', () => {
  const { meter: m, reports, clock } = meter(1000);
  m.skip(900);
  clock.now = 1000;
  m.add('a', 50);
  clock.now = 2000;
  m.add('a', 50);
  m.end('a');
  expect(reports.at(-1)).toEqual({
    phase: 'downloading',
    file: 'a',
    loadedBytes: 1000,
    totalBytes: 1000,
    bytesPerSecond: 100,
    secondsLeft: 0,
  });
});
