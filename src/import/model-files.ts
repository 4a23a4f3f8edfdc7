/** Named blobs as a model folder; pickles are never read. */
import { UserError } from '../errors.ts';
import { checkFileName, type ModelFiles } from '../store/hf-folder.ts';
import { baseName, folderOf, type NamedBlobs, openRanged } from './named-blobs.ts';

const isPickle = (name: string) => /\.(bin|pt|pth|ckpt|pkl|pickle)$/i.test(name);
const isWeights = (name: string) => /\.(safetensors|onnx)$/i.test(name);

/** Why a pickle is not read; `name` is the file's. */
export const pickleMessage = (where: string, name: string) =>
  `${where}: "${name}" is a Python pickle, and reading one runs whatever code it holds, so pickles are not read. ` +
  'Weights are expected as safetensors (model.safetensors); save_pretrained of transformers writes these.';

/** The folder that holds config.json: the place itself, or its only top folder. Ends in `/`, or is empty. */
function modelRoot(blobs: NamedBlobs): string {
  if (blobs.names.includes('config.json')) return '';
  const roots = blobs.names.filter((name) => baseName(name) === 'config.json').map(folderOf);
  const tops = new Set(blobs.names.map((name) => name.slice(0, name.indexOf('/') + 1)));
  const [top] = tops;
  if (tops.size === 1 && top !== '' && roots.includes(top)) return top;
  if (roots.length > 0) {
    const list = roots.slice(0, 5).map((root) => `${root}config.json`);
    throw new UserError(
      `${blobs.where}: config.json lies deeper (${list.join(', ')}); expected it at the top, or in one top folder.`,
    );
  }
  const pickle = blobs.names.find((name) => isPickle(name) || /(^|\/)data\.pkl$/.test(name));
  if (pickle) throw new UserError(pickleMessage(blobs.where, pickle));
  throw new UserError(
    `${blobs.where} has no config.json: expected a Hugging Face model folder (config.json, model.safetensors, tokenizer.json, …).`,
  );
}

/** A model folder inside `blobs`. Throws UserError where there is none, and where its only weights are pickles. */
export function modelFiles(blobs: NamedBlobs): ModelFiles {
  const root = modelRoot(blobs);
  const inside = blobs.names.filter((name) => name.startsWith(root));
  const pickle = inside.find((name) => isPickle(name) && baseName(name) !== 'training_args.bin');
  if (pickle && !inside.some(isWeights)) throw new UserError(pickleMessage(blobs.where, pickle));
  const check = (name: string) => {
    // Names are paths inside the folder, such as onnx/embed_tokens.onnx.
    for (const part of name.split('/')) checkFileName(part, blobs.where);
    if (isPickle(name)) throw new UserError(pickleMessage(blobs.where, name));
  };
  return {
    where: blobs.where,
    async open(name) {
      check(name);
      return openRanged(blobs, `${root}${name}`);
    },
    async read(name) {
      check(name);
      const blob = await blobs.open(`${root}${name}`);
      if (!blob) return null;
      try {
        return new Uint8Array(await blob.arrayBuffer());
      } catch (error) {
        throw new UserError(`${blobs.where}: ${name} could not be read: ${(error as Error).message}`);
      }
    },
  };
}
