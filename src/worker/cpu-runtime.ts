/** The CPU device in a page: onnxruntime, with the addresses of its files. Loaded where there is no GPU to train on. */
import * as ort from 'onnxruntime-web';
import glue from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import binary from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { CpuDevice } from '../device/cpu/cpu-device.ts';
import { smallestModel } from '../device/cpu/smallest-model.ts';

const absolute = (path: string) => new URL(path, globalThis.location.href).href;
// Its threads load the glue by this address; inside our bundle they would load this whole worker again.
ort.env.wasm.wasmPaths = { mjs: absolute(glue), wasm: absolute(binary) };

/** The device, and onnxruntime on its way: its WebAssembly is compiled while the model loads. */
export function openCpu(): CpuDevice {
  const device = new CpuDevice();
  void start().catch(() => undefined);
  return device;
}

/** What fails here fails again, and is told, when the first pass is compiled. */
async function start(): Promise<void> {
  const session = await ort.InferenceSession.create(smallestModel());
  await session.release();
  // The first pass needs it: before somebody has clicked, and behind the runtime.
  await import('../device/cpu/onnx-builder.ts');
}
