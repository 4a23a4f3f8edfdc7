/**
 * Compares a Hugging Face folder's stored logits, loss and gradients with what a device computes.
 *   npm run check:parity -- tests/fixtures/smolvlm-tiny [--device cpu|webgpu|reference]
 */
import { parseArgs } from 'node:util';
import { parityErrors } from '../../tests/parity.ts';
import { UserError } from '../errors.ts';
import { nodeFiles } from '../store/node-files.ts';
import { openDevice } from './device.ts';

const tolerance = 1e-4;

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { device: { type: 'string', default: 'cpu' } },
  });
  if (positionals.length !== 1)
    throw new UserError('usage: npm run check:parity -- DIR [--device cpu|webgpu|reference]');
  const device = await openDevice(values.device);
  const errors = await parityErrors(device, nodeFiles(positionals[0]));
  const show = (name: string, error: number) => console.log(`${name.padEnd(60)} ${error.toExponential(2)}`);
  const named = errors.filter((e) => !e.name.startsWith('grad.'));
  const gradients = errors.filter((e) => e.name.startsWith('grad.')).sort((a, b) => b.error - a.error);
  for (const { name, error } of named) show(name, error);
  show(`worst of ${gradients.length} gradients: ${gradients[0].name}`, gradients[0].error);
  const failed = errors.filter((e) => !(e.error < tolerance));
  for (const { name, error } of failed) show(`above ${tolerance}: ${name}`, error);
  console.log(failed.length ? `FAILED on ${device.label}` : `all within ${tolerance} on ${device.label}`);
  device.dispose();
  return failed.length ? 1 : 0;
}
