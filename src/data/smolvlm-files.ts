/**
 * The files beside the weights of a folder with SmolVLM's sizes: configurations as the original's, and a tokenizer of the
 * same size and special ids. Its words are made up (the original's cannot be had offline), so that a folder with random
 * weights loads, tokenizes and trains like the original, at the same cost.
 */
import { UserError } from '../errors.ts';
import type { JsonObject } from '../store/json.ts';

export const smolvlmSizes = ['smolvlm-256m', 'smolvlm-500m'] as const;
export type SmolvlmSize = (typeof smolvlmSizes)[number];

export function readSmolvlmSize(name: string): SmolvlmSize {
  const found = smolvlmSizes.find((size) => size === name);
  if (!found) throw new UserError(`--like: expected ${smolvlmSizes.join(' or ')}, got ${name}.`);
  return found;
}

/** SmolLM2's 17, in its order. */
const textSpecials = [
  ...['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<repo_name>', '<reponame>', '<file_sep>', '<filename>'],
  ...[
    '<gh_stars>',
    '<issue_start>',
    '<issue_comment>',
    '<issue_closed>',
    '<jupyter_start>',
    '<jupyter_text>',
  ],
  ...['<jupyter_code>', '<jupyter_output>', '<jupyter_script>', '<empty_output>'],
];
const wordCount = 49_152;
const vocabularySize = 49_280;
/** The vision tokens stand behind the words; what is not used is reserved. */
const visionSpecials = [
  '<global-img>',
  ...Array.from({ length: 36 }, (_, i) => `<row_${Math.floor(i / 6) + 1}_col_${(i % 6) + 1}>`),
  '<fake_token_around_image>',
  '<image>',
];
const imageTokenId = wordCount + visionSpecials.length - 1;
const endOfUtterance = vocabularySize - 1;
const beginOfText = 1;
const padding = 2;

/** GPT-2's alphabet: a printable character for each byte. */
function byteAlphabet(): string[] {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
}

/** Byte-level BPE: the bytes, then syllables merged from letters, each with a merge that makes it, up to `wordCount`. */
function words(): { vocabulary: string[]; merges: [string, string][] } {
  const vocabulary = [...textSpecials, ...byteAlphabet()];
  const merges: [string, string][] = [];
  const letters = [...'etaoinshrdlcumwfgypbvkjxqz'];
  let previous = [...letters, ...letters.map((letter) => `Ġ${letter}`)];
  for (const letter of letters) {
    vocabulary.push(`Ġ${letter}`);
    merges.push(['Ġ', letter]);
  }
  while (true) {
    const longer: string[] = [];
    for (const head of previous)
      for (const letter of letters) {
        if (vocabulary.length === wordCount) return { vocabulary, merges };
        vocabulary.push(head + letter);
        merges.push([head, letter]);
        longer.push(head + letter);
      }
    previous = longer;
  }
}

function tokenizer(): JsonObject {
  const { vocabulary, merges } = words();
  const special = new Map<number, string>(textSpecials.map((content, id) => [id, content]));
  for (const [i, content] of visionSpecials.entries()) special.set(wordCount + i, content);
  for (let id = imageTokenId + 1; id < endOfUtterance; id++)
    special.set(id, `<|reserved_special_token_${id - imageTokenId - 1}|>`);
  special.set(endOfUtterance, '<end_of_utterance>');
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: Array.from(special, ([id, content]) => ({ id, content, ...flags })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Digits', individual_digits: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges,
    },
  };
}

const ids = { bos_token_id: beginOfText, eos_token_id: endOfUtterance, pad_token_id: padding };

const textSizes = {
  'smolvlm-256m': {
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
  },
  'smolvlm-500m': {
    hidden_size: 960,
    intermediate_size: 2560,
    num_hidden_layers: 32,
    num_attention_heads: 15,
    num_key_value_heads: 5,
  },
} as const;

/** config.json of the published model of that size. */
export function smolvlmConfig(size: SmolvlmSize): JsonObject {
  return {
    architectures: ['Idefics3ForConditionalGeneration'],
    model_type: 'idefics3',
    image_token_id: imageTokenId,
    scale_factor: 4,
    tie_word_embeddings: false,
    use_cache: true,
    vocab_size: vocabularySize,
    ...ids,
    text_config: {
      model_type: 'llama',
      vocab_size: vocabularySize,
      ...textSizes[size],
      head_dim: 64,
      hidden_act: 'silu',
      rms_norm_eps: 1e-5,
      rope_theta: 100_000,
      max_position_embeddings: 8192,
      attention_bias: false,
      mlp_bias: false,
      tie_word_embeddings: false,
      ...ids,
    },
    vision_config: {
      model_type: 'idefics3_vision',
      hidden_size: 768,
      intermediate_size: 3072,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      num_channels: 3,
      image_size: 512,
      patch_size: 16,
      hidden_act: 'gelu_pytorch_tanh',
      layer_norm_eps: 1e-6,
      attention_dropout: 0,
    },
    torch_dtype: 'bfloat16',
  };
}

/** SmolVLM's own. */
export const smolvlmChatTemplate =
  "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}" +
  "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}" +
  "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}" +
  "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}" +
  "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";

/** File name → content of everything in the folder but the weights. */
export function smolvlmFiles(size: SmolvlmSize): Map<string, string> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  const specials = {
    bos_token: '<|im_start|>',
    eos_token: '<end_of_utterance>',
    pad_token: '<|im_end|>',
    unk_token: '<|endoftext|>',
  };
  return new Map([
    ['config.json', json(smolvlmConfig(size))],
    ['generation_config.json', json(ids)],
    [
      'preprocessor_config.json',
      json({
        image_processor_type: 'Idefics3ImageProcessor',
        processor_class: 'Idefics3Processor',
        do_convert_rgb: true,
        do_resize: true,
        size: { longest_edge: 2048 },
        resample: 1,
        do_image_splitting: true,
        max_image_size: { longest_edge: 512 },
        do_rescale: true,
        rescale_factor: 1 / 255,
        do_normalize: true,
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
        do_pad: true,
      }),
    ],
    ['processor_config.json', json({ processor_class: 'Idefics3Processor', image_seq_len: 64 })],
    ['tokenizer.json', JSON.stringify(tokenizer())],
    [
      'tokenizer_config.json',
      json({
        tokenizer_class: 'GPT2Tokenizer',
        processor_class: 'Idefics3Processor',
        add_prefix_space: false,
        clean_up_tokenization_spaces: false,
        ...specials,
        model_max_length: 8192,
        padding_side: 'left',
      }),
    ],
    ['special_tokens_map.json', json(specials)],
    ['chat_template.jinja', smolvlmChatTemplate],
  ]);
}
