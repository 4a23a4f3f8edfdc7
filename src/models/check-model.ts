/** What can be said of a model before its weights are fetched. */
import { UserError } from '../errors.ts';
import { type JsonObject, show } from '../store/json.ts';

/** Throws UserError unless the configuration is a SmolVLM's. */
export function checkModelType(config: JsonObject, where: string): void {
  const type = config.model_type;
  if (type === 'smolvlm' || type === 'idefics3') return;
  throw new UserError(
    `${where}: its model_type is ${show(type)}, so it is no SmolVLM ("smolvlm" or "idefics3"), and only these can be ` +
      'trained here: HuggingFaceTB/SmolVLM-256M-Instruct, for one.',
  );
}

/** Why a model without safetensors cannot be loaded; `names` are its files. */
export function noWeightsError(where: string, names: readonly string[] | null): UserError {
  const pickle = names?.find((name) => /\.(bin|pt|pth|ckpt)$/i.test(name) && name !== 'training_args.bin');
  if (pickle) {
    return new UserError(
      `${where} has its weights as ${pickle} alone, a Python pickle, which runs whatever code it holds and is not read: ` +
        'convert it with transformers (from_pretrained, then save_pretrained, which writes safetensors) and pick that folder.',
    );
  }
  return new UserError(
    `${where} has no weights: expected model.safetensors, or shards with model.safetensors.index.json.`,
  );
}
