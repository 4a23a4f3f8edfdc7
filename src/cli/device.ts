/** The devices that a command line can open. */
import { CpuDevice } from '../device/cpu/cpu-device.ts';
import type { Device } from '../device/device.ts';
import { ReferenceDevice } from '../device/interpreter.ts';
import { UserError } from '../errors.ts';

/** cpu (auto means it too), webgpu or reference. WebGPU in Node comes from the optional npm package `webgpu` (Dawn). */
export async function openDevice(name: string): Promise<Device> {
  if (name === 'cpu' || name === 'auto') return new CpuDevice();
  if (name === 'reference') return new ReferenceDevice();
  if (name !== 'webgpu') throw new UserError(`--device: "${name}"; expected cpu, webgpu or reference`);
  const { WebgpuDevice } = await import('../device/webgpu/webgpu-device.ts');
  const packageName = 'webgpu';
  const dawn = await import(/* @vite-ignore */ packageName).catch(() => {
    throw new UserError(
      '--device webgpu: Node has no WebGPU of its own; run `npm install --no-save webgpu` first',
    );
  });
  Object.assign(globalThis, dawn.globals);
  // Kept for the life of the process: Dawn aborts when its instance is collected while a device is in use.
  dawnInstance = dawn.create([]);
  return WebgpuDevice.create({ gpu: dawnInstance });
}

let dawnInstance: GPU | undefined;
