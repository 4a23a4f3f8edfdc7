/** Made by build/sandbox-worker.ts: where the sandbox's worker script is served. */
declare module 'virtual:sandbox-worker' {
  const url: string;
  export default url;
}
