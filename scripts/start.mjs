// `npm start`: sets the project up where needed, builds the page, serves it, opens it in the browser.
//   npm start -- [--dev] [--port N] [--host NAME] [--no-open]
// --dev serves the sources with hot reload instead of a build.
import { parseArgs } from 'node:util';
import { fail, root, setup } from './setup.mjs';

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        dev: { type: 'boolean', default: false },
        port: { type: 'string', default: '5173' },
        host: { type: 'string', default: 'localhost' },
        'no-open': { type: 'boolean', default: false },
      },
    });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new Error(`--port is "${values.port}"; expected a whole number from 1 to 65535.`);
    }
    return { dev: values.dev, open: !values['no-open'], serve: { port, host: values.host } };
  } catch (error) {
    return fail(`${error.message}\nUsage: npm start -- [--dev] [--port N] [--host NAME] [--no-open]`);
  }
}

/** False where no window can appear: CI, a remote shell, Linux without a display. */
function hasDesktop() {
  const { CI, SSH_CONNECTION, DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (CI || SSH_CONNECTION) return false;
  return process.platform !== 'linux' || Boolean(DISPLAY || WAYLAND_DISPLAY);
}

const { dev, open, serve } = readOptions();
setup();
const { build, createServer, preview } = await import('vite');
// A taken port is no error: Vite then takes the next free one, and the line below prints it.
const options = { ...serve, open: open && hasDesktop() };
try {
  let server;
  if (dev) {
    server = await createServer({ root, server: options });
    await server.listen();
  } else {
    console.log('Building the page …');
    await build({ root, logLevel: 'warn' });
    server = await preview({ root, preview: options });
  }
  const url = server.resolvedUrls?.local[0] ?? server.resolvedUrls?.network[0];
  console.log(`papo-web is at ${url} (Ctrl+C stops it)`);
} catch (error) {
  fail(`The page could not be served: ${error.message ?? error}`);
}
