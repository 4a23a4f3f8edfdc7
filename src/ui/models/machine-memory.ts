/** What the browser says of the machine's memory: GiB, rounded, and no more than 8 or 32 (Device Memory API). */
import { bytes } from '../parts/format.ts';

export function machineMemory(): string | undefined {
  const { deviceMemory } = navigator as Navigator & { deviceMemory?: number };
  // Memory is sold in these units under the name of the others.
  return deviceMemory === undefined ? undefined : bytes(deviceMemory * 1e9);
}
