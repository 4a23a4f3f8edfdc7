/** Checks any golden file of tests/fixtures/papo against this code: the loss on a device, advantages, masks. */
import type { Device } from '../../device/device.ts';
import { UserError } from '../../errors.ts';
import { caseErrors, evaluateCase, TOLERANCE } from './evaluate.ts';
import { isLossFile, readLossFile } from './golden.ts';
import { checkAdvantages, checkMasks, isAdvantagesFile, isMasksFile } from './golden-others.ts';
import type { Raw } from './json.ts';

/** Passes where error ≤ tolerance; NaN does not. */
export interface Check {
  name: string;
  error: number;
  tolerance: number;
}

export interface CheckedCase {
  name: string;
  checks: Check[];
  /** Said of the case: settings that were not read. */
  note?: string;
}

export const passes = ({ error, tolerance }: Check): boolean => error <= tolerance;

/**
 * Every case of a parsed golden file, one after the other. Throws a UserError that says what is wrong with the file
 * where it is of no known form; a case that fails its check is no error.
 */
export async function* checkFile(json: unknown, file: string, device: Device): AsyncGenerator<CheckedCase> {
  if (isAdvantagesFile(json)) yield* checkAdvantages(json as Raw, file);
  else if (isMasksFile(json)) yield* checkMasks(json as Raw, file);
  else if (isLossFile(json)) {
    const tolerance = TOLERANCE[device.kind];
    for (const c of readLossFile(json, file)) {
      const errors = caseErrors(await evaluateCase(device, c), c.expected);
      const checks = Object.entries(errors).map(([name, error]) => ({ name, error, tolerance }));
      const unread = c.unknownSettings.join(', ');
      yield { name: c.name, checks, ...(unread && { note: `settings not read: ${unread}` }) };
    }
  } else
    throw new UserError(
      `${file}: expected a golden file: "inputs" and "cases" (the loss), "cases" with "rewards_per_func" (advantages), or "patch", "grid", "random" or "authors" with "cases" (masks).`,
    );
}
