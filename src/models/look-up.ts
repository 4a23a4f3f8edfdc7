/** What the Hub says of a model before it is downloaded: its licence, its size, its configuration. */
import { modelInfo } from '@huggingface/hub';
import { UserError } from '../errors.ts';
import { sideFiles, weightsFile } from '../store/hf-folder.ts';
import { type JsonObject, parseJsonObject } from '../store/json.ts';
import { checkModelType, noWeightsError } from './check-model.ts';
import { type HubOptions, hubModel, unreachableHub } from './hub-source.ts';
import { parseHubModel } from './model-id.ts';
import { Refused, request } from './web-request.ts';

export interface HubFacts {
  readonly id: string;
  readonly revision: string;
  readonly commit: string;
  /** Of its card, as the Hub has it: "apache-2.0"; null where it names none. */
  readonly license: string | null;
  readonly isGated: boolean;
  /** Of all files that loading would fetch. */
  readonly downloadBytes: number;
  readonly config: JsonObject;
}

/** Throws UserError with a sentence that says what to do, or the signal's reason. */
export async function lookUpModel(
  text: string,
  revision?: string,
  options: HubOptions = {},
): Promise<HubFacts> {
  const model = parseHubModel(text, revision);
  try {
    const remote = await hubModel(model, options);
    const commit = remote.commit!;
    const { cardData, gated } = await modelInfo({
      name: model.id,
      revision: commit,
      additionalFields: ['cardData'],
      ...(remote.token && { accessToken: remote.token }),
      ...(options.hubUrl && { hubUrl: options.hubUrl }),
      ...(options.fetch && { fetch: options.fetch }),
    });
    const names = remote.names ?? [];
    const isWeight = (name: string) =>
      names.includes(weightsFile) ? name === weightsFile : /^model-\d+-of-\d+\.safetensors$/.test(name);
    if (!names.some(isWeight)) throw noWeightsError(model.id, remote.names);
    const wanted = names.filter(
      (name) => name === 'config.json' || sideFiles.includes(name) || isWeight(name),
    );
    const files = await Promise.all(wanted.map((name) => remote.find(name)));
    let config: JsonObject;
    try {
      if (!names.includes('config.json'))
        throw new UserError(`${model.id} has no config.json: it is no Hugging Face model folder.`);
      const response = await request(remote.url('config.json'), remote.headers, options, remote.token);
      const bytes = new Uint8Array(await response.arrayBuffer());
      config = parseJsonObject(bytes, `${model.id}: config.json`);
    } catch (error) {
      throw remote.explain(error);
    }
    checkModelType(config, model.id);
    const license = (cardData as { license?: unknown } | undefined)?.license;
    return {
      id: model.id,
      revision: model.revision,
      commit,
      license: typeof license === 'string' ? license : Array.isArray(license) ? license.join(', ') : null,
      isGated: Boolean(gated),
      downloadBytes: files.reduce((sum, file) => sum + (file?.size ?? 0), 0),
      config,
    };
  } catch (error) {
    throw error instanceof Refused ? unreachableHub(error, model, options) : error;
  }
}
