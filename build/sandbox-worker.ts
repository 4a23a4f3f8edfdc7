/** Vite plugin: builds the sandbox's worker into one classic script, and says where the page finds it. */
import type { Plugin } from 'vite';
import { sandboxWorkerSource } from '../src/rewards/sandbox/bundle.ts';

const id = 'virtual:sandbox-worker';
const devPath = 'sandbox-worker.js';

export function sandboxWorker(): Plugin {
  let serving = false;
  let base = '/';
  return {
    name: 'papo-sandbox-worker',
    configResolved(config) {
      serving = config.command === 'serve';
      base = config.base;
    },
    resolveId: (source) => (source === id ? `\0${id}` : undefined),
    async load(loaded) {
      if (loaded !== `\0${id}`) return undefined;
      if (serving) return `export default ${JSON.stringify(base + devPath)};`;
      const source = await sandboxWorkerSource();
      const reference = this.emitFile({ type: 'asset', name: 'sandbox-worker.js', source });
      return `export default import.meta.ROLLUP_FILE_URL_${reference};`;
    },
    configureServer(server) {
      server.middlewares.use(base + devPath, async (_, response, next) => {
        try {
          const source = await sandboxWorkerSource();
          response.setHeader('Content-Type', 'text/javascript; charset=utf-8');
          response.end(source);
        } catch (error) {
          next(error);
        }
      });
    },
  };
}
