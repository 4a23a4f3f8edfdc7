// The text files of public/models/papo-nano: a word-level tokenizer of its own under SmolVLM's special tokens,
// the processor's settings and the architecture. Weights are made elsewhere.
//   node scripts/run.mjs src/data/nano-files.ts [DIR]
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageSize } from './render.ts';
import { smolvlmChatTemplate } from './smolvlm-files.ts';
import { largestNumber } from './tasks.ts';
import { cellCount, cellName, colors, shapes } from './world.ts';

const specialTokens = [
  '<pad>',
  '<unk>',
  '<|im_start|>',
  '<end_of_utterance>',
  '<fake_token_around_image>',
  '<global-img>',
  '<image>',
] as const;

/** Not special (they survive skip_special_tokens), but matched in the text before it is split into words. */
const markers = ['User:', '\nAssistant:', '<think>', '</think>', '\\boxed{', '}'] as const;

const verbs = ['which', 'shape', 'color', 'add', 'find', 'read', 'bar', 'count', 'max', 'tallest', 'minus'];
const others = ['surely', 'maybe', 'none', '=', '+', '-'];

/** No task uses these yet: room for new ones without a new model. */
const reserved =
  'min same different left right above below row column empty total times > < , . how many what is the of in and';

const words = [
  ...Array.from({ length: Math.max(20, largestNumber) + 1 }, (_, n) => String(n)),
  ...Array.from({ length: cellCount }, (_, i) => cellName(i)),
  ...colors,
  ...shapes,
  ...verbs,
  ...others,
  ...reserved.split(' '),
];

export const nanoVocabulary: readonly string[] = [...specialTokens, ...markers, ...words];

const id = (token: string) => nanoVocabulary.indexOf(token);

/** Where the words are joined, these spaces go again, so that decoding gives back what was encoded. */
const needlessSpace =
  ' (?=<end_of_utterance>|<fake_token_around_image>|<global-img>|<image>|User:|\\n|\\})|(?<=\\{|<fake_token_around_image>) ';

function tokenizerJson(): unknown {
  const added = [...specialTokens, ...markers].map((content) => ({
    id: id(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: (specialTokens as readonly string[]).includes(content),
  }));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'WordPiece', prefix: '##', cleanup: false },
        { type: 'Fuse' },
        { type: 'Replace', pattern: { Regex: needlessSpace }, content: '' },
      ],
    },
    // No word is ever cut: the vocabulary has no continuing pieces, so WordPiece looks whole words up.
    model: {
      type: 'WordPiece',
      unk_token: '<unk>',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(nanoVocabulary.map((token, i) => [token, i])),
    },
  };
}

const tokenizerConfig = {
  tokenizer_class: 'PreTrainedTokenizerFast',
  processor_class: 'SmolVLMProcessor',
  add_prefix_space: false,
  clean_up_tokenization_spaces: false,
  bos_token: '<|im_start|>',
  eos_token: '<end_of_utterance>',
  pad_token: '<pad>',
  unk_token: '<unk>',
  extra_special_tokens: {
    end_of_utterance_token: '<end_of_utterance>',
    fake_image_token: '<fake_token_around_image>',
    global_image_token: '<global-img>',
    image_token: '<image>',
  },
  model_max_length: 512,
  padding_side: 'left',
};

const vision = {
  model_type: 'smolvlm_vision',
  hidden_size: 128,
  intermediate_size: 512,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_channels: 3,
  image_size: imageSize,
  patch_size: 8,
  hidden_act: 'gelu_pytorch_tanh',
  layer_norm_eps: 1e-6,
  attention_dropout: 0.0,
};

const scaleFactor = 2;
const imageSeqLen = (imageSize / vision.patch_size / scaleFactor) ** 2;

function modelConfig(): unknown {
  const ids = {
    bos_token_id: id('<|im_start|>'),
    eos_token_id: id('<end_of_utterance>'),
    pad_token_id: id('<pad>'),
  };
  return {
    architectures: ['SmolVLMForConditionalGeneration'],
    model_type: 'smolvlm',
    image_token_id: id('<image>'),
    scale_factor: scaleFactor,
    tie_word_embeddings: true,
    use_cache: true,
    vocab_size: nanoVocabulary.length,
    ...ids,
    text_config: {
      model_type: 'llama',
      vocab_size: nanoVocabulary.length,
      hidden_size: 128,
      intermediate_size: 320,
      num_hidden_layers: 3,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 32,
      hidden_act: 'silu',
      rms_norm_eps: 1e-5,
      rope_theta: 100000.0,
      max_position_embeddings: 512,
      attention_bias: false,
      mlp_bias: false,
      tie_word_embeddings: true,
      ...ids,
    },
    vision_config: vision,
    torch_dtype: 'bfloat16',
  };
}

const imageProcessor = {
  image_processor_type: 'SmolVLMImageProcessor',
  processor_class: 'SmolVLMProcessor',
  do_convert_rgb: true,
  do_resize: true,
  size: { longest_edge: imageSize },
  resample: 1,
  do_image_splitting: false,
  max_image_size: { longest_edge: imageSize },
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  do_pad: true,
};

/** File name → content, for everything in the folder but the weights. */
export function nanoFiles(): Record<string, string> {
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    'tokenizer.json': json(tokenizerJson()),
    'tokenizer_config.json': json(tokenizerConfig),
    'special_tokens_map.json': json({
      bos_token: '<|im_start|>',
      eos_token: '<end_of_utterance>',
      pad_token: '<pad>',
      unk_token: '<unk>',
    }),
    'chat_template.jinja': smolvlmChatTemplate,
    'preprocessor_config.json': json(imageProcessor),
    'processor_config.json': json({ processor_class: 'SmolVLMProcessor', image_seq_len: imageSeqLen }),
    'generation_config.json': json({
      bos_token_id: id('<|im_start|>'),
      eos_token_id: id('<end_of_utterance>'),
      pad_token_id: id('<pad>'),
      max_new_tokens: 24,
    }),
    'config.json': json(modelConfig()),
  };
}

export async function main(args: string[]): Promise<void> {
  const folder = args[0] ?? 'public/models/papo-nano';
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(nanoFiles())) writeFileSync(join(folder, name), content);
  console.log(`${folder}: ${nanoVocabulary.length} tokens`);
}
