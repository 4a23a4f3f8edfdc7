// Text ↔ ids for any SmolVLM or Idefics3 folder in Hugging Face's form: the tokenizer, the chat template, and
// the place of the image in the prompt. Every id comes from the folder.
import { Template } from '@huggingface/jinja';
import { Tokenizer } from '@huggingface/tokenizers';
import { UserError } from '../errors.ts';

type Json = Record<string, unknown>;

/** The parsed files of a folder; `chatTemplate` is chat_template.jinja's text (or in tokenizer_config.json). */
export interface TextFiles {
  tokenizer: Json;
  tokenizerConfig: Json;
  config: Json;
  chatTemplate?: string;
  generationConfig?: Json;
}

interface TokenNames {
  image: string;
  fake: string;
  global: string;
}

export class TextProcessor {
  readonly #tokenizer: Tokenizer;
  readonly #template: Template;
  readonly #names: TokenNames;
  readonly vocabSize: number;
  readonly imageTokenId: number;
  readonly padTokenId: number;
  /** Generation stops at any of these. */
  readonly eosTokenIds: readonly number[];
  /** Image tokens an image: (image_size / patch_size / scale_factor)². */
  readonly imageSeqLen: number;

  private constructor(files: TextFiles) {
    const { tokenizerConfig, config } = files;
    this.#tokenizer = new Tokenizer(files.tokenizer, tokenizerConfig);
    const template = files.chatTemplate ?? tokenizerConfig.chat_template;
    if (typeof template !== 'string') {
      throw new UserError('the model folder has no chat template: expected chat_template.jinja');
    }
    this.#template = new Template(template);
    const extra = (tokenizerConfig.extra_special_tokens ?? {}) as Json;
    const name = (key: string, usual: string) =>
      typeof extra[key] === 'string' ? (extra[key] as string) : usual;
    this.#names = {
      image: name('image_token', '<image>'),
      fake: name('fake_image_token', '<fake_token_around_image>'),
      global: name('global_image_token', '<global-img>'),
    };
    const text = (config.text_config ?? {}) as Json;
    this.vocabSize = integer(text.vocab_size ?? config.vocab_size, 'config.json: text_config.vocab_size');
    this.imageTokenId = integer(config.image_token_id, 'config.json: image_token_id');
    if (this.tokenId(this.#names.image) !== this.imageTokenId) {
      throw new UserError(
        `config.json says that ${this.#names.image} is token ${this.imageTokenId}, tokenizer.json says ${this.tokenId(this.#names.image)}`,
      );
    }
    const eos =
      files.generationConfig?.eos_token_id ?? this.tokenId(tokenText(tokenizerConfig.eos_token, 'eos_token'));
    this.eosTokenIds = (Array.isArray(eos) ? eos : [eos]).map((value) => integer(value, 'eos_token_id'));
    this.padTokenId = this.tokenId(tokenText(tokenizerConfig.pad_token, 'pad_token'));
    this.imageSeqLen = imageSeqLen(config);
  }

  static fromFiles(files: TextFiles): TextProcessor {
    return new TextProcessor(files);
  }

  /** From a folder's files as texts, by file name; files it does not need may be there too. */
  static fromFolder(contents: Readonly<Record<string, string | undefined>>): TextProcessor {
    const parse = (name: string): Json | undefined => {
      const text = contents[name];
      if (text === undefined) return undefined;
      try {
        return JSON.parse(text) as Json;
      } catch (error) {
        throw new UserError(`${name} is not JSON: ${(error as Error).message}`);
      }
    };
    const need = (name: string): Json => {
      const value = parse(name);
      if (value === undefined) throw new UserError(`the model folder has no ${name}`);
      return value;
    };
    return new TextProcessor({
      tokenizer: need('tokenizer.json'),
      tokenizerConfig: need('tokenizer_config.json'),
      config: need('config.json'),
      generationConfig: parse('generation_config.json'),
      chatTemplate: contents['chat_template.jinja'],
    });
  }

  /** The end token a demonstration closes with. */
  get eosTokenId(): number {
    return this.eosTokenIds[0];
  }

  /** The id of one token of the vocabulary. */
  tokenId(token: string): number {
    const id = this.#tokenizer.token_to_id(token);
    if (id === undefined) throw new UserError(`tokenizer.json: the vocabulary has no token "${token}"`);
    return id;
  }

  /** The ids of a text as it stands: nothing is added. */
  encode(text: string): number[] {
    return this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  decode(ids: readonly number[], options: { skipSpecialTokens?: boolean } = {}): string {
    if (ids.length === 0) return '';
    return this.#tokenizer.decode([...ids], {
      skip_special_tokens: options.skipSpecialTokens ?? false,
      clean_up_tokenization_spaces: false,
    });
  }

  /** The text of one token, for showing it alone. */
  tokenText(id: number): string {
    return this.#tokenizer.id_to_token(id) ?? `<${id}>`;
  }

  /** The rendered chat: one user message of one image and `text`, and the start of the answer. */
  renderPrompt(text: string): string {
    if (text.includes(this.#names.image)) {
      throw new UserError(
        `prompt: "${this.#names.image}" stands in the text; each prompt has one image, put before it`,
      );
    }
    const rendered = this.#template.render({
      messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text }] }],
      add_generation_prompt: true,
    });
    const { image, fake, global } = this.#names;
    const parts = rendered.split(image);
    if (parts.length !== 2) {
      throw new UserError(
        `chat template: "${image}" stands ${parts.length - 1} times in the prompt; expected once`,
      );
    }
    return `${parts[0]}${fake}${global}${image.repeat(this.imageSeqLen)}${fake}${parts[1]}`;
  }

  /** Prompt ids [P]: the chat with the image's place expanded to imageSeqLen image tokens. */
  buildPrompt(text: string): number[] {
    return this.encode(this.renderPrompt(text));
  }
}

/** (image_size / patch_size / scale_factor)²: how many tokens of the decoder an image takes. */
export function imageSeqLen(config: Record<string, unknown>): number {
  const vision = (config.vision_config ?? {}) as Json;
  const image = integer(vision.image_size, 'config.json: vision_config.image_size');
  const patch = integer(vision.patch_size, 'config.json: vision_config.patch_size');
  const scale = integer(config.scale_factor, 'config.json: scale_factor');
  const side = image / patch / scale;
  if (!Number.isInteger(side)) {
    throw new UserError(
      `config.json: image_size ${image} / patch_size ${patch} / scale_factor ${scale} is not a whole number`,
    );
  }
  return side * side;
}

function integer(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new UserError(`${where} is ${JSON.stringify(value)}; expected a whole number ≥ 0`);
  }
  return value;
}

/** A token of tokenizer_config.json: its text, or an object that holds it. */
function tokenText(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  if (typeof content === 'string') return content;
  throw new UserError(`tokenizer_config.json: ${where} is ${JSON.stringify(value)}; expected a token`);
}
