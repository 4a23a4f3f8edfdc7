/** Something that only streams from its beginning, read in parts: cheap as long as parts are asked for in order. */
import type { RangedFile } from './tensor-source.ts';

/** Bytes [begin, end) from `pieces`, of which `position` bytes have been taken. */
class Forward {
  private position = 0;
  private rest: Uint8Array = new Uint8Array();

  constructor(private readonly pieces: AsyncIterator<Uint8Array, unknown, undefined>) {}

  get at(): number {
    return this.position;
  }

  /** Fewer bytes than asked for where the stream ends. */
  async take(begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    const out = new Uint8Array(end - begin);
    while (this.position < end) {
      signal?.throwIfAborted();
      if (this.rest.byteLength === 0) {
        const next = await this.pieces.next();
        if (next.done) return out.subarray(0, Math.max(0, this.position - begin));
        this.rest = next.value;
        continue;
      }
      const skipped = Math.min(Math.max(0, begin - this.position), this.rest.byteLength);
      const wanted = this.rest.subarray(skipped, skipped + end - this.position - skipped);
      out.set(wanted, Math.max(0, this.position - begin));
      this.rest = this.rest.subarray(skipped + wanted.byteLength);
      this.position += skipped + wanted.byteLength;
    }
    return out;
  }

  /** Lets the stream come to its end, where it may have something to say about what was read. */
  async drain(): Promise<void> {
    while (!(await this.pieces.next()).done);
  }

  async stop(): Promise<void> {
    this.rest = new Uint8Array();
    await this.pieces.return?.();
  }
}

/**
 * A file of `size` bytes that `open` streams from its beginning. A read behind the last one goes on from there, one
 * before it begins anew; the read that takes the last byte also awaits the stream's end, so that what the stream finds
 * wrong with the whole (a checksum) fails that read. Reads wait for one another.
 */
export function forwardFile(size: number, open: () => AsyncGenerator<Uint8Array, void>): RangedFile {
  let current: Forward | null = null;
  let last: Promise<unknown> = Promise.resolve();

  async function read(begin: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (begin === end) return new Uint8Array();
    if (current && current.at > begin) {
      await current.stop();
      current = null;
    }
    current ??= new Forward(open());
    try {
      const bytes = await current.take(begin, end, signal);
      if (end === size && bytes.byteLength === end - begin) {
        await current.drain();
        current = null;
      }
      return bytes;
    } catch (error) {
      await current?.stop().catch(() => {});
      current = null;
      throw error;
    }
  }

  return {
    size,
    read(begin, end, signal) {
      const result = last.then(() => read(begin, end, signal));
      last = result.catch(() => {});
      return result;
    },
  };
}
