/** The JavaScript interpreter that reward code runs in: QuickJS as WASM, with nothing of the host inside. */
import QuickJSRaw from '@jitl/quickjs-singlefile-browser-release-sync/emscripten-module';
import { QuickJSFFI } from '@jitl/quickjs-singlefile-browser-release-sync/ffi';
import { newQuickJSWASMModuleFromVariant, type QuickJSWASMModule } from 'quickjs-emscripten-core';

export interface Engine {
  readonly quickjs: QuickJSWASMModule;
  /** Bytes of WASM memory that the interpreter has now; it never shrinks. */
  readonly memoryBytes: number;
  /** What it may grow to. Below what it has, it may not grow at all. */
  memoryLimitBytes: number;
  /** Whether the last attempt to grow was refused. */
  refused: boolean;
}

/** A fresh instance of the WASM module: 16 MiB before it grows. */
export async function openEngine(): Promise<Engine> {
  // The package's own variant imports these two dynamically, which a single script cannot do.
  const quickjs = await newQuickJSWASMModuleFromVariant({
    type: 'sync',
    importFFI: async () => QuickJSFFI,
    importModuleLoader: async () => QuickJSRaw,
  });
  const memory = quickjs.getWasmMemory();
  const engine = {
    quickjs,
    memoryLimitBytes: Number.POSITIVE_INFINITY,
    refused: false,
    get memoryBytes() {
      return memory.buffer.byteLength;
    },
  };
  // QuickJS's own setMemoryLimit does not count the size of allocations under emscripten (malloc_usable_size is 0
  // there), so the limit is kept where memory comes from. A refusal makes malloc fail: "out of memory".
  memory.grow = (pages) => {
    engine.refused = engine.memoryBytes + pages * 65536 > engine.memoryLimitBytes;
    if (engine.refused) throw new RangeError('memory limit');
    return WebAssembly.Memory.prototype.grow.call(memory, pages);
  };
  return engine;
}
