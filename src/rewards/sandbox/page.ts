/** The page's side of the sandbox: an origin-less frame, and a port to the worker inside it. */
import workerUrl from 'virtual:sandbox-worker';
import type { Sandbox } from './protocol.ts';

/**
 * Opens the frame. Its port is meant for the trainer's worker (transfer it); `close` removes the frame and ends what
 * runs in it. `source`: the script that the frame's worker runs, for tests.
 */
export async function openSandbox(source?: string): Promise<Sandbox> {
  // The frame has no origin, so it can load nothing; the page hands it the script as text.
  const script = source ?? (await load(workerUrl));
  const frame = document.createElement('iframe');
  frame.sandbox.add('allow-scripts');
  frame.src = new URL(`${import.meta.env.BASE_URL}sandbox.html`, document.baseURI).href;
  frame.hidden = true;
  frame.title = 'Sandbox of reward code';
  const loaded = new Promise((resolve) => {
    frame.onload = resolve;
  });
  document.body.append(frame);
  await loaded;
  const { port1, port2 } = new MessageChannel();
  // '*': an origin-less frame has no origin to name. It is the document above, or one the browser put in its place.
  frame.contentWindow!.postMessage({ source: script, port: port2 }, '*', [port2]);
  return {
    port: port1,
    close() {
      frame.remove();
      port1.close();
    },
  };
}

async function load(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response.text();
}
