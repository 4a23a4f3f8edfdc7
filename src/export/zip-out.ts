// Files as one zip archive (stored, not compressed: weights do not shrink), as a stream of known length.
import { makeZip, predictLength } from 'client-zip';
import type { OutFile } from './out-file.ts';
import { checkOutFiles, Meter, measuredChunks, type OutOptions } from './out-stream.ts';

export interface ZipOptions extends OutOptions {
  /** What the archive says of every file; default now. */
  readonly modified?: Date;
}

export interface ZipStream {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Bytes of the whole archive, exactly. */
  readonly size: number;
}

/**
 * The archive is made while it is read, a piece at a time; cancelling the stream, or the signal, ends the file that is
 * being read too. Progress counts bytes of the archive.
 */
export function zipStream(files: readonly OutFile[], options: ZipOptions = {}): ZipStream {
  checkOutFiles(files);
  const { signal, modified = new Date() } = options;
  const size = Number(predictLength(files.map(({ name, size: bytes }) => ({ name, size: bytes }))));
  const meter = new Meter(size, options);
  let current: { name: string; chunks: AsyncGenerator<Uint8Array> } | undefined;
  function* inputs() {
    for (const file of files) {
      const chunks = measuredChunks(file, signal);
      current = { name: file.name, chunks };
      yield { name: file.name, size: file.size, lastModified: modified, input: chunks };
    }
  }
  const reader = makeZip(inputs()).getReader() as ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  // client-zip does not hand a cancellation down to the file that it is reading.
  const end = async (reason: unknown) => {
    await reader.cancel(reason).catch(() => {});
    await current?.chunks.return(undefined);
  };
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        try {
          signal?.throwIfAborted();
          const { value, done } = await reader.read();
          signal?.throwIfAborted();
          if (done) return controller.close();
          meter.count(value.byteLength, current?.name ?? '');
          controller.enqueue(value);
        } catch (error) {
          await end(error);
          throw error;
        }
      },
      cancel: end,
    },
    // Nothing is read before somebody wants it.
    { highWaterMark: 0 },
  );
  return { stream, size };
}
