/** From navigator.gpu to a GPUDevice, with errors for people, and without waiting for ever. */
import { UserError } from '../../errors.ts';

/** Limits of which more is better for us: large tensors, kernels with many operands, larger shared tiles. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
] as const;

/** f16 in kernels: frozen weights are read as what they are, not unpacked from pairs. */
const wantedFeatures = ['shader-f16'] as const;

/** A GPU that another page keeps busy answers late; one that hangs never does. */
const ANSWER_MS = 20_000;

export async function findAdapter(gpu: GPU | undefined): Promise<GPUAdapter> {
  const api = gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!api)
    throw new UserError(
      'This browser has no WebGPU (or the page is not served over HTTPS or from localhost). Use the CPU device, or a ' +
        'recent Chrome, Edge, Safari or Firefox.',
    );
  const adapter = await answer(api.requestAdapter({ powerPreference: 'high-performance' }));
  if (!adapter)
    throw new UserError(
      'WebGPU finds no usable GPU here (no adapter). Update the graphics driver, or use the CPU device. After a crash of ' +
        'the GPU restart the browser.',
    );
  return adapter;
}

export async function requestDevice(
  adapter: GPUAdapter,
  { coreLimits = false, shaderF16 = true }: { coreLimits?: boolean; shaderF16?: boolean },
): Promise<GPUDevice> {
  const requiredFeatures = wantedFeatures.filter((feature) => shaderF16 && adapter.features.has(feature));
  const requiredLimits = Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]]));
  try {
    return await answer(adapter.requestDevice(coreLimits ? {} : { requiredLimits, requiredFeatures }));
  } catch (error) {
    throw new UserError(`The GPU could not be opened: ${error instanceof Error ? error.message : error}`);
  }
}

function answer<T>(request: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(
        new UserError(
          `The GPU has not answered for ${ANSWER_MS / 1000} seconds. Close what else uses it, restart the browser, or use ` +
            'the CPU device.',
        ),
      );
    const timer = setTimeout(late, ANSWER_MS);
    request.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
