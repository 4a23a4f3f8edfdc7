/** What the browser says of the machine's memory: rounded, and at most 8 or 32 GB of it (Device Memory API). */
import { bytes } from '../parts/format.ts';

export function machineMemory(): string | undefined {
  const { deviceMemory } = navigator as Navigator & { deviceMemory?: number };
  return deviceMemory === undefined ? undefined : bytes(deviceMemory * 2 ** 30);
}
