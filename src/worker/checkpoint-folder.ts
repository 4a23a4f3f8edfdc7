/** A checkpoint as the model folder that it can be saved as. */
import { checkpointModel } from '../export/checkpoint-model.ts';
import type { ModelFolder } from '../store/hf-folder.ts';
import type { JsonObject } from '../store/json.ts';
import type { StoredCheckpoint } from '../store/run-store.ts';

/** Throws a UserError where a tensor's checksum does not agree. */
export async function checkpointFolder(checkpoint: StoredCheckpoint): Promise<ModelFolder> {
  const { config, sideFiles, tensors } = await checkpointModel(checkpoint);
  const weights: ModelFolder['weights'] = new Map();
  for (const [name, shape] of tensors.shapes)
    weights.set(name, { shape: [...shape], data: await tensors.read(name) });
  const json = new Map<string, JsonObject>();
  for (const [name, bytes] of sideFiles)
    if (name.endsWith('.json')) json.set(name, JSON.parse(new TextDecoder().decode(bytes)) as JsonObject);
  const template = sideFiles.get('chat_template.jinja');
  return {
    config,
    weights,
    skipped: [],
    json,
    chatTemplate: template ? new TextDecoder().decode(template) : null,
    files: new Map(sideFiles),
  };
}
