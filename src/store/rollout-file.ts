/**
 * The completions of one update as a small safetensors file, and back: prompt numbers, token ids, rewards, advantages,
 * and what each token came to. Images and masks are made again from these numbers (papo/masked-image.ts).
 */
import { UserError } from '../errors.ts';
import type { MaskPlace, MaskRecipe } from '../papo/masked-image.ts';
import type { CompletionValues } from '../papo/token-values.ts';
import { parseExact, stringifyExact } from './exact-json.ts';
import {
  floatTensor,
  int32Tensor,
  readSafetensorsFile,
  type StoredTensor,
  toFloat32,
  toInt32,
  writeSafetensors,
} from './safetensors.ts';

/** One prompt with its completions. */
export interface KeptGroup extends CompletionValues {
  /** The prompt's number in the data. */
  readonly prompt: number;
  readonly place: MaskPlace;
  /** Attention that each patch received, where mask_type is semantic. */
  readonly saliency?: Float32Array;
  /** Ids of each completion, without padding. */
  readonly tokens: number[][];
  /** By reward function; null where it had nothing to say. */
  readonly rewards: Record<string, number | null>[];
  readonly advantages: number[];
}

export interface KeptRollout {
  readonly step: number;
  /** How their images were masked. */
  readonly mask: MaskRecipe & { readonly seed: number };
  readonly groups: readonly KeptGroup[];
}

const version = 1;
const valueNames = ['logps', 'masked_logps', 'perception_kl', 'entropy', 'ratio'] as const;

export function writeRollout({ step, mask, groups }: KeptRollout): Uint8Array {
  const tensors: StoredTensor[] = [];
  // Lists one behind the other, and their lengths: most lists of a file are of different lengths, and some are empty.
  const addLists = (name: 'tokens' | (typeof valueNames)[number]) => {
    const lists = groups.flatMap((group) => group[name]);
    const values = lists.flat();
    const shape = [values.length];
    tensors.push(
      int32Tensor(
        `${name}.lengths`,
        [lists.length],
        Int32Array.from(lists, (list) => list.length),
      ),
      name === 'tokens'
        ? int32Tensor(name, shape, Int32Array.from(values))
        : floatTensor(name, shape, Float32Array.from(values)),
    );
  };
  addLists('tokens');
  for (const name of valueNames) addLists(name);
  groups.forEach(({ saliency }, p) => {
    if (saliency) tensors.push(floatTensor(`saliency.${p}`, [saliency.length], saliency));
  });
  const head = {
    version,
    step,
    mask,
    groups: groups.map(({ prompt, place, rewards, advantages }) => ({ prompt, place, rewards, advantages })),
  };
  return writeSafetensors(tensors, { metadata: { rollout: stringifyExact(head) } });
}

/** Throws a UserError, beginning with `where`, for what is no such file. */
export function readRollout(bytes: Uint8Array, where: string): KeptRollout {
  const { tensors, metadata } = readSafetensorsFile(bytes, where);
  const head = readHead(metadata.rollout, where);
  const tensor = (name: string): StoredTensor => {
    const found = tensors.get(name);
    if (!found) throw new UserError(`${where} has no "${name}".`);
    return found;
  };
  let next = 0;
  const lists = (name: 'tokens' | (typeof valueNames)[number]): number[][] => {
    const values = name === 'tokens' ? toInt32(tensor(name)) : toFloat32(tensor(name));
    let end = 0;
    return Array.from(toInt32(tensor(`${name}.lengths`)), (length) => {
      end += length;
      return Array.from(values.subarray(end - length, end));
    });
  };
  const all = { tokens: lists('tokens') } as Record<'tokens' | (typeof valueNames)[number], number[][]>;
  for (const name of valueNames) all[name] = lists(name);
  return {
    step: head.step,
    mask: head.mask,
    groups: head.groups.map((group, p) => {
      const first = next;
      next += group.advantages.length;
      const own = (name: keyof typeof all) => all[name].slice(first, next);
      const saliency = tensors.get(`saliency.${p}`);
      return {
        ...group,
        ...(saliency && { saliency: toFloat32(saliency) }),
        tokens: own('tokens'),
        logps: own('logps'),
        masked_logps: own('masked_logps'),
        perception_kl: own('perception_kl'),
        entropy: own('entropy'),
        ratio: own('ratio'),
      };
    }),
  };
}

type Head = Pick<KeptRollout, 'step' | 'mask'> & {
  readonly version: number;
  readonly groups: readonly Pick<KeptGroup, 'prompt' | 'place' | 'rewards' | 'advantages'>[];
};

function readHead(text: string | undefined, where: string): Head {
  let head: Partial<Head> | undefined;
  try {
    head = text === undefined ? undefined : (parseExact(text) as Partial<Head>);
  } catch (error) {
    throw new UserError(`${where} is damaged: ${(error as Error).message}`);
  }
  if (head?.version !== version || !Array.isArray(head.groups))
    throw new UserError(`${where} is no rollout that this version of papo-web can read.`);
  return head as Head;
}
