/** What the tests of the ONNX export share: a folder's weights as a TensorSource, and out-files in memory. */
import type { OutFile, TensorSource } from '../../../src/export/out-file.ts';
import type { ModelFolder } from '../../../src/store/hf-folder.ts';

export function folderTensors({ weights }: Pick<ModelFolder, 'weights'>): TensorSource {
  return {
    shapes: new Map([...weights].map(([name, { shape }]) => [name, shape])),
    async read(name) {
      return weights.get(name)!.data;
    },
  };
}

/** The file's bytes; throws where they are not as many as it said. */
export async function bytesOf(file: OutFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(file.size);
  let at = 0;
  for await (const chunk of file.chunks()) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  if (at !== file.size) throw new Error(`${file.name} has ${at} bytes, and said ${file.size}`);
  return bytes;
}
