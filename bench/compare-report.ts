/** Tables and curves of a comparison: means over seeds with 95 % intervals (Student's t), differences paired by seed. */
import type { Run } from './compare.ts';

/** 97.5 % quantiles of Student's t for 1 … 9 degrees of freedom. */
const student = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

function interval(values: readonly number[]): { mean: number; half: number } {
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  if (n < 2) return { mean, half: Number.NaN };
  const variance = values.reduce((a, v) => a + (v - mean) ** 2, 0) / (n - 1);
  return { mean, half: (student[Math.min(n - 1, student.length) - 1] ?? 2) * Math.sqrt(variance / n) };
}

const show = ({ mean, half }: { mean: number; half: number }) =>
  `${mean.toFixed(3)} ± ${Number.isNaN(half) ? '–' : half.toFixed(3)}`;

const rows: [keyof Run['final'], string][] = [
  ['accuracy', 'accuracy, image'],
  ['maskedAccuracy', 'accuracy, masked image (0.6)'],
  ['blankAccuracy', 'accuracy, blank image'],
  ['perceptionErrors', 'perception errors'],
  ['formatErrors', 'format errors'],
  ['perceptionKl', 'perception KL, nats a token'],
];

export function comparisonTable(runs: readonly Run[]): string {
  const names = [...new Set(runs.map((r) => r.arm))];
  const of = (arm: string) => runs.filter((r) => r.arm === arm).sort((a, b) => a.seed - b.seed);
  const head = `| held-out, sampled at temperature 1 | ${names.join(' | ')} | ${names
    .slice(1)
    .map((n) => `${n} − ${names[0]}`)
    .join(' | ')} |`;
  const lines = rows.map(([key, label]) => {
    const means = names.map((name) => show(interval(of(name).map((r) => r.final[key]))));
    const differences = names.slice(1).map((name) => {
      const base = new Map(of(names[0]).map((r) => [r.seed, r.final[key]]));
      const paired = of(name).filter((r) => base.has(r.seed));
      return show(interval(paired.map((r) => r.final[key] - base.get(r.seed)!)));
    });
    return `| ${label} | ${[...means, ...differences].join(' | ')} |`;
  });
  const seconds = names.map((n) => interval(of(n).map((r) => r.secondsPerStep)).mean.toFixed(2));
  const rule = `|${' --- |'.repeat(2 * names.length)}`;
  return `${[head, rule, ...lines, `| seconds a step | ${seconds.join(' | ')} |${' |'.repeat(names.length - 1)}`].join('\n')}\n`;
}

/** Held-out accuracy by step: a thin line a run, a thick one the mean of its arm. */
export function comparisonChart(runs: readonly Run[]): string {
  const [width, height, left, bottom] = [640, 320, 48, 36];
  const last = Math.max(...runs.flatMap((r) => r.curve.map((c) => c.step)));
  const x = (step: number) => left + (step / last) * (width - left - 110);
  const y = (accuracy: number) => height - bottom - accuracy * (height - bottom - 16);
  const colours = ['#0b7285', '#d9480f', '#5f3dc4'];
  const line = (curve: Run['curve'], colour: string, weight: number, opacity: number) =>
    `<polyline fill="none" stroke="${colour}" stroke-width="${weight}" opacity="${opacity}" points="${curve
      .map((c) => `${x(c.step).toFixed(1)},${y(c.accuracy).toFixed(1)}`)
      .join(' ')}"/>`;
  const names = [...new Set(runs.map((r) => r.arm))];
  const parts = names.flatMap((name, i) => {
    const own = runs.filter((r) => r.arm === name);
    const mean = own[0].curve.map((c, k) => ({
      step: c.step,
      accuracy: own.reduce((a, r) => a + (r.curve[k]?.accuracy ?? 0), 0) / own.length,
    }));
    const end = mean[mean.length - 1];
    return [
      ...own.map((r) => line(r.curve, colours[i], 1, 0.35)),
      line(mean, colours[i], 3, 1),
      `<text x="${x(last) - 190}" y="${y(0.3) + 4 + 18 * i}" fill="${colours[i]}">${name} ${(100 * end.accuracy).toFixed(1)} %</text>`,
    ];
  });
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (a) =>
      `<line x1="${left}" x2="${x(last)}" y1="${y(a)}" y2="${y(a)}" stroke="#adb5bd" stroke-width="0.5"/><text x="${left - 8}" y="${y(a) + 4}" text-anchor="end" fill="#495057">${100 * a}%</text>`,
  );
  const ticks = [0, last / 2, last].map(
    (s) => `<text x="${x(s)}" y="${height - 12}" text-anchor="middle" fill="#495057">${s}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" role="img" aria-label="Held-out accuracy by step"><rect width="100%" height="100%" fill="#ffffff"/>${[...grid, ...ticks, ...parts].join('')}</svg>\n`;
}
