/** Out-files and tensor sources for the tests, and what reads them back. */
import { bytesFile, type OutFile, type TensorSource } from '../../../src/export/out-file.ts';
import type { ModelFiles } from '../../../src/store/hf-folder.ts';
import { floatTensor, type StoredTensor } from '../../../src/store/safetensors.ts';

export async function bytesOf(file: OutFile): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of file.chunks()) parts.push(chunk);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

export async function textOf(file: OutFile): Promise<string> {
  return new TextDecoder().decode(await bytesOf(file));
}

/** What loadModelFolder reads, from out-files. */
export function filesOf(files: readonly OutFile[]): ModelFiles {
  return {
    where: 'memory',
    async read(name) {
      const file = files.find((f) => f.name === name);
      return file ? bytesOf(file) : null;
    },
  };
}

/** Values that bfloat16 must round both ways, to even, and past its largest. */
export const awkward = [0, -0, 1, 1.00390625, 1.01171875, 3.4e38, -1e-40, Math.PI, Infinity, NaN];

/** Shapes with a scalar, an empty tensor, and one of several pieces. */
export const shapes: ReadonlyMap<string, readonly number[]> = new Map([
  ['model.b', [3, 5]],
  ['model.a', [2 ** 20 + 7]],
  ['scalar', []],
  ['empty', [0, 4]],
  ['z.last', [10]],
]);

export function valuesOf(name: string): Float32Array {
  const length = shapes.get(name)!.reduce((product, n) => product * n, 1);
  return Float32Array.from({ length }, (_, i) =>
    name === 'z.last' ? awkward[i] : Math.sin(i + name.length) * 10,
  );
}

export function storedTensors(
  dtype: 'F32' | 'BF16',
  names: Iterable<string> = shapes.keys(),
): StoredTensor[] {
  return Array.from(names, (name) => floatTensor(name, shapes.get(name)!, valuesOf(name), dtype));
}

/** Makes tensors as they are asked for, and notes the order. */
export class LazySource implements TensorSource {
  readonly shapes = shapes;
  readonly reads: string[] = [];
  reading = 0;
  mostAtOnce = 0;
  /** Called before a tensor is made. */
  onRead: (name: string) => Promise<void> | void = () => {};

  async read(name: string): Promise<Float32Array> {
    this.reads.push(name);
    this.reading++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.reading);
    await this.onRead(name);
    await Promise.resolve();
    this.reading--;
    return valuesOf(name);
  }
}

/** `count` pieces of `bytes` bytes; tells whether its reading was ended properly. */
export function piecesFile(name: string, count: number, bytes: number) {
  const state = { given: 0, ended: false };
  const file: OutFile = {
    name,
    size: count * bytes,
    async *chunks() {
      state.given = 0;
      state.ended = false;
      try {
        for (let i = 0; i < count; i++) {
          state.given++;
          yield new Uint8Array(bytes).fill(i + 1);
        }
      } finally {
        state.ended = true;
      }
    },
  };
  return { file, state };
}

export const small = (): OutFile[] => [
  bytesFile('config.json', '{}'),
  bytesFile('onnx/läufer ☃.txt', 'snow'),
  bytesFile('empty.txt', ''),
];
