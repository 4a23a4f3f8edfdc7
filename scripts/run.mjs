// Runs a TypeScript entry in Node through Vite's module runner, so that `?raw` shader imports, JSON and
// TypeScript mean the same in the page, the tests and the command line.
//   node scripts/run.mjs src/cli/train.ts --steps 10
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fail, root, setup } from './setup.mjs';

const [entry, ...args] = process.argv.slice(2);
if (!entry) fail('Usage: node scripts/run.mjs ENTRY.ts [ARGUMENTS]');
const path = resolve(root, entry);
if (!existsSync(path)) fail(`There is no ${entry} in ${root}.`);
process.argv = [process.argv[0], path, ...args];
setup();

const { createServer, createServerModuleRunner } = await import('vite');
const server = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
});
let code = 0;
try {
  const runner = createServerModuleRunner(server.environments.ssr, { hmr: false });
  const module = await runner.import(path);
  code = (await module.main(args)) ?? 0;
} catch (error) {
  console.error(error instanceof Error && error.name === 'UserError' ? error.message : error);
  code = 1;
} finally {
  await server.close();
}
process.exit(code);
