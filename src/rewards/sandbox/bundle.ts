/** Node only: the sandbox's worker as the text of one classic script, for the frame's blob and for Node's threads. */
import { join } from 'node:path';
import { build, type Rolldown } from 'vite';

let bundle: Promise<string> | undefined;

/** Built once a process. */
export function sandboxWorkerSource(): Promise<string> {
  bundle ??= bundleWorker();
  return bundle;
}

async function bundleWorker(): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    publicDir: false,
    build: {
      write: false,
      target: 'es2023',
      modulePreload: false,
      rolldownOptions: {
        input: join(import.meta.dirname, 'worker.ts'),
        output: { format: 'iife', codeSplitting: false },
      },
    },
  });
  const { output } = (Array.isArray(result) ? result[0] : result) as Rolldown.RolldownOutput;
  if (output.length !== 1) {
    throw new Error(`the sandbox's worker became ${output.length} files; expected one`);
  }
  return output[0].code;
}
