/** Exports a zip to the private file system from a worker that has no createWritable, as Safari's had none. */
import { bytesFile } from '../../src/export/out-file.ts';
import { sweepDownloads, toOpfs } from '../../src/export/to-opfs.ts';

delete (FileSystemFileHandle.prototype as { createWritable?: unknown }).createWritable;

self.onmessage = async ({ data }: MessageEvent<{ pieces: number; abortAt?: number }>) => {
  const abort = new AbortController();
  const file = {
    name: 'weights',
    size: data.pieces * 2 ** 20,
    async *chunks() {
      for (let i = 0; i < data.pieces; i++) yield new Uint8Array(2 ** 20).fill(i + 1);
    },
  };
  try {
    const zip = await toOpfs([bytesFile('a.txt', 'a'), file], 'papo.zip', {
      signal: abort.signal,
      onProgress: ({ bytes }) => data.abortAt !== undefined && bytes > data.abortAt && abort.abort(),
    });
    const head = new Uint8Array(await zip.slice(0, 4).arrayBuffer());
    const size = zip.size;
    await sweepDownloads(true);
    self.postMessage({ name: zip.name, size, head: [...head] });
  } catch (error) {
    self.postMessage({ error: (error as Error).name });
  }
};
