/** Which device trains: WebGPU where there is a real GPU, else the CPU, with the reason in a sentence. */
import { get, set } from 'idb-keyval';
import type { Device } from '../device/device.ts';
import type { WebgpuOptions } from '../device/webgpu/webgpu-device.ts';
import type { DeviceChoice } from './protocol.ts';

export interface OpenedDevice {
  readonly device: Device;
  readonly notice?: string;
}

/** Remembers the GEMM variants measured for an adapter. Where storage is denied they are measured again. */
const remember = {
  get: (key: string) => get<string>(key).catch(() => undefined),
  set: (key: string, value: string) => set(key, value).catch(() => undefined),
};

// Of the two devices only the one that is used is loaded.
const openCpu = async () => (await import('./cpu-runtime.ts')).openCpu();
const openWebgpu = async (options: WebgpuOptions) =>
  (await import('../device/webgpu/webgpu-device.ts')).WebgpuDevice.create({ remember, ...options });

/** `patience`: milliseconds to wait for an adapter, which may be missing for a moment after the GPU was lost. */
export async function openDevice(choice: DeviceChoice, patience?: number): Promise<OpenedDevice> {
  if (choice === 'cpu') return { device: await openCpu(), notice: threadNotice() };
  if (choice === 'webgpu') return { device: await openWebgpu({ patience }) };

  const onCpu = async (reason: string) => ({
    device: await openCpu(),
    notice: [`Training on the CPU: ${reason}`, threadNotice()].filter(Boolean).join(' '),
  });
  if (!navigator.gpu) return onCpu('this browser has no WebGPU.');
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return onCpu('WebGPU finds no GPU here.');
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  if (isFallbackAdapter) {
    const name = description || [vendor, architecture].filter(Boolean).join(' ');
    return onCpu(`WebGPU is only emulated in software here (${name}), which is slower.`);
  }
  try {
    return { device: await openWebgpu({ adapter }) };
  } catch (error) {
    return onCpu(`WebGPU could not be started. ${error instanceof Error ? error.message : error}`);
  }
}

/** Says so when the CPU device must do with one thread. */
function threadNotice(): string | undefined {
  if (globalThis.crossOriginIsolated) return undefined;
  return (
    'It runs on one thread, because the server does not send the headers Cross-Origin-Opener-Policy: same-origin ' +
    'and Cross-Origin-Embedder-Policy: require-corp.'
  );
}
