/** The sandbox without a page: the same worker script in a thread of Node's, for the command line and the tests. */
import { Worker } from 'node:worker_threads';
import { sandboxWorkerSource } from './bundle.ts';
import { RESTART, type Sandbox } from './protocol.ts';

/** A thread's messages under the names that a browser's worker has for them. */
const browserNames = `
  const { parentPort } = require('node:worker_threads');
  globalThis.postMessage = (data) => parentPort.postMessage(data);
  parentPort.on('message', (data) => globalThis.onmessage({ data }));
`;

/**
 * A thread with QuickJS in it. The interpreter alone is the wall here: unlike the page there is no browser around it.
 */
export async function openNodeSandbox(): Promise<Sandbox> {
  const source = browserNames + (await sandboxWorkerSource());
  const { port1, port2 } = new MessageChannel();
  let worker: Worker;
  const start = () => {
    // Nothing of this process's environment or options reaches the thread.
    worker = new Worker(source, { eval: true, env: {}, execArgv: [], argv: [] });
    worker.on('message', (data) => port2.postMessage(data));
    // An error is a call that gets no answer; the caller's time limit then asks for another worker.
    worker.on('error', () => undefined);
    worker.unref();
  };
  start();
  port2.addEventListener('message', ({ data }) => {
    if (data !== RESTART) return worker.postMessage(data);
    void worker.terminate();
    start();
  });
  port2.start();
  return {
    port: port1,
    close() {
      port1.close();
      void worker.terminate();
    },
  };
}
