import type { DType } from '../store/dtypes.ts';

/** A file on its way out: its size is known before its bytes, which come in pieces and are not kept. */
export interface OutFile {
  /** Path inside the folder or archive, with `/` between parts. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** May be called more than once; every call begins anew. */
  chunks(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Tensors that can be read one at a time: a policy on its device, or a checkpoint in a store. */
export interface TensorSource {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  read(name: string): Promise<Float32Array>;
  /**
   * The tensor as its file has it, where there is one; null where it was changed. What is held in another element type
   * in between (bfloat16 in float16) leaves with the bits that it came with only this way.
   */
  original?(name: string): Promise<{ readonly dtype: DType; readonly bytes: Uint8Array } | null>;
}

export interface OutProgress {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly file: string;
}

export function bytesFile(name: string, content: string | Uint8Array<ArrayBuffer>): OutFile {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return {
    name,
    size: bytes.byteLength,
    async *chunks() {
      yield bytes;
    },
  };
}
