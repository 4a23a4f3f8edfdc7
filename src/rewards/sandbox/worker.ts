/**
 * The script of the sandbox's worker, in the page's frame and in Node alike. It is built into one classic script
 * (bundle.ts), because an origin-less frame can load no other file.
 */
import { READY, type SandboxRequest } from './protocol.ts';
import { loadEngine, runRewardCode } from './run.ts';

globalThis.onmessage = async ({ data }: MessageEvent<SandboxRequest>) => {
  postMessage(await runRewardCode(data));
};
loadEngine().then(() => postMessage(READY));
