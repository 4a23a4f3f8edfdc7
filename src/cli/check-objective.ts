/**
 * npm run check:objective -- [FILE.json …] [--device reference|cpu|webgpu]
 *
 * Evaluates every case of golden files (without FILE: all in tests/fixtures/papo) from logits to loss and gradients
 * of both branches, and prints the errors; see src/papo/objective/evaluate.ts for how they are measured. Exits 1 when
 * one is above its tolerance: 1e-9 in float64 (reference, the default), 1e-5 in float32 (cpu, webgpu).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Device } from '../device/device.ts';
import { UserError } from '../errors.ts';
import { type Check, type CheckedCase, checkFile, passes } from '../papo/objective/check.ts';
import { openDevice } from './device.ts';

const usage = 'npm run check:objective -- [FILE.json …] [--device reference|cpu|webgpu]';
const fixtures = fileURLToPath(new URL('../../tests/fixtures/papo/', import.meta.url));

export async function main(args: string[]): Promise<number> {
  const { files, kind } = readArguments(args);
  const device = await openDevice(kind);
  console.log(`device ${device.kind}: ${device.label}`);
  try {
    let failed = 0;
    for (const file of files) failed += await reportFile(file, device);
    if (failed > 0) console.log(`${failed} case${failed > 1 ? 's' : ''} above tolerance.`);
    return failed > 0 ? 1 : 0;
  } finally {
    device.dispose();
  }
}

function readArguments(args: string[]): { files: string[]; kind: string } {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { device: { type: 'string', default: 'reference' } },
    });
    const all = readdirSync(fixtures).filter((name) => name.endsWith('.json'));
    const files = positionals.length > 0 ? positionals : all.sort().map((name) => resolve(fixtures, name));
    return { files, kind: values.device };
  } catch (error) {
    throw new UserError(`${error instanceof Error ? error.message : error}\nUsage: ${usage}`);
  }
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`${file}: cannot be read (${error instanceof Error ? error.message : error}).`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${file}: not JSON (${error instanceof Error ? error.message : error}).`);
  }
}

/** Prints a line a case and a line for the file; returns how many cases failed. */
async function reportFile(file: string, device: Device): Promise<number> {
  const label = basename(file);
  console.log(`\n${label}`);
  const cases: CheckedCase[] = [];
  for await (const c of checkFile(readJson(file), label, device)) {
    cases.push(c);
    const errors = c.checks.map(({ name, error }) => `${name} ${error.toExponential(1)}`).join('  ');
    const verdict = c.checks.every(passes) ? 'ok  ' : 'FAIL';
    console.log(`  ${verdict} ${c.name.padEnd(28)} ${errors}${c.note ? `  (${c.note})` : ''}`);
  }
  const failed = cases.filter((c) => !c.checks.every(passes)).length;
  console.log(`  ${cases.length - failed} of ${cases.length} cases pass; worst ${worst(cases)}`);
  return failed;
}

/** The worst error of each quantity, with its tolerance. */
function worst(cases: readonly CheckedCase[]): string {
  const found = new Map<string, Check>();
  for (const check of cases.flatMap((c) => c.checks)) {
    const known = found.get(check.name);
    // Tolerances differ from mask to mask, so that the share of it that is used counts. NaN is worst.
    if (!known || !(check.error / check.tolerance <= known.error / known.tolerance))
      found.set(check.name, check);
  }
  return [...found.values()]
    .map((c) => `${c.name} ${c.error.toExponential(1)} of ${c.tolerance.toExponential(1)}`)
    .join(', ');
}
