/** What the tests of the ONNX export share: out-files in memory and on disk. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memorySource, modelFolderFiles } from '../../../src/export/model-folder.ts';
import { forTransformersJs, onnxFiles } from '../../../src/export/onnx/onnx-files.ts';
import type { OutFile } from '../../../src/export/out-file.ts';
import type { ModelFolder } from '../../../src/store/hf-folder.ts';

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

/** Writes a folder with its ONNX files of both element types and what transformers.js needs besides. */
export async function writeExport(folder: ModelFolder, directory: string): Promise<void> {
  const { config, files: sideFiles } = forTransformersJs(folder);
  const tensors = memorySource(folder.weights);
  const extra = [...onnxFiles(config, tensors), ...onnxFiles(config, tensors, 'fp16')];
  await mkdir(join(directory, 'onnx'), { recursive: true });
  for (const file of modelFolderFiles({ config, sideFiles, tensors, extra }))
    await writeFile(join(directory, file.name), await bytesOf(file));
}
