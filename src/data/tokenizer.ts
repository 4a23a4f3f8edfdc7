// Text ↔ ids for any SmolVLM or Idefics3 folder in Hugging Face's form: the tokenizer, the chat template, and
// the place of the image in the prompt. Every id comes from the folder.
import { Template } from '@huggingface/jinja';
import { Tokenizer } from '@huggingface/tokenizers';
import { UserError } from '../errors.ts';
import { show } from '../store/json.ts';
import { byteLevelText, hasByteLevel } from './byte-level.ts';
import { type ImageGrid, wholeImage } from './image-processor.ts';
import { checkTemplate, checkTokenizer, mostCharacters } from './tokenizer-check.ts';

type Json = Record<string, unknown>;

/** A message as chat templates take it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: readonly (
    | { readonly type: 'image' }
    | { readonly type: 'text'; readonly text: string }
  )[];
}

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
  readonly #isByteLevel: boolean;
  readonly vocabSize: number;
  readonly imageTokenId: number;
  readonly padTokenId: number;
  /** Generation stops at any of these. */
  readonly eosTokenIds: readonly number[];
  /** Image tokens an image: (image_size / patch_size / scale_factor)². */
  readonly imageSeqLen: number;

  private constructor(files: TextFiles) {
    const { tokenizerConfig, config } = files;
    checkTokenizer(files.tokenizer);
    this.#tokenizer = attempt(
      'tokenizer.json cannot be used',
      () => new Tokenizer(files.tokenizer, tokenizerConfig),
    );
    this.#isByteLevel = hasByteLevel(files.tokenizer.decoder);
    const template = files.chatTemplate ?? tokenizerConfig.chat_template;
    if (typeof template !== 'string') {
      throw new UserError('the model folder has no chat template: expected chat_template.jinja');
    }
    checkTemplate(template);
    this.#template = attempt('the chat template cannot be read', () => new Template(template));
    const extra = object(tokenizerConfig.extra_special_tokens);
    const name = (key: string, usual: string) =>
      typeof extra[key] === 'string' ? (extra[key] as string) : usual;
    this.#names = {
      image: name('image_token', '<image>'),
      fake: name('fake_image_token', '<fake_token_around_image>'),
      global: name('global_image_token', '<global-img>'),
    };
    const text = object(config.text_config);
    this.vocabSize = integer(text.vocab_size ?? config.vocab_size, 'config.json: text_config.vocab_size');
    checkIds(files.tokenizer, this.vocabSize);
    this.imageTokenId = integer(config.image_token_id, 'config.json: image_token_id');
    if (this.tokenId(this.#names.image) !== this.imageTokenId) {
      throw new UserError(
        `config.json says that ${this.#names.image} is token ${this.imageTokenId}, tokenizer.json says ${this.tokenId(this.#names.image)}`,
      );
    }
    const eos =
      files.generationConfig?.eos_token_id ?? this.tokenId(tokenText(tokenizerConfig.eos_token, 'eos_token'));
    this.eosTokenIds = (Array.isArray(eos) ? eos : [eos]).map((value) => integer(value, 'eos_token_id'));
    const outside = this.eosTokenIds.find((id) => id >= this.vocabSize);
    if (this.eosTokenIds.length === 0 || outside !== undefined) {
      throw new UserError(
        `eos_token_id is ${show(eos)}; expected ids below the vocabulary's ${this.vocabSize}`,
      );
    }
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
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch (error) {
        throw new UserError(`${name} is not JSON: ${(error as Error).message}`);
      }
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new UserError(`${name} is ${show(value)}; expected an object`);
      }
      return value as Json;
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
      chatTemplate: contents['chat_template.jinja'] ?? templateOf(parse('chat_template.json')),
    });
  }

  /** The end token a demonstration closes with. */
  get eosTokenId(): number {
    return this.eosTokenIds[0];
  }

  /** The id of one token of the vocabulary. */
  tokenId(token: string): number {
    const id = this.#tokenizer.token_to_id(token);
    if (id === undefined) throw new UserError(`tokenizer.json: the vocabulary has no token ${show(token)}`);
    return id;
  }

  /** The ids of a text as it stands: nothing is added. */
  encode(text: string): number[] {
    if (text.length > mostCharacters) {
      throw new UserError(`a text has ${text.length} characters; at most ${mostCharacters} are tokenized`);
    }
    const { ids } = attempt('tokenizer.json cannot encode a text', () =>
      this.#tokenizer.encode(text, { add_special_tokens: false }),
    );
    for (const id of ids) {
      if (!Number.isInteger(id) || id < 0 || id >= this.vocabSize) {
        throw new UserError(
          `tokenizer.json: a text gives the id ${show(id)}; expected ids below the vocabulary's ${this.vocabSize}`,
        );
      }
    }
    return ids;
  }

  decode(ids: readonly number[], options: { skipSpecialTokens?: boolean } = {}): string {
    if (ids.length === 0) return '';
    return attempt('tokenizer.json cannot decode ids', () =>
      this.#tokenizer.decode([...ids], {
        skip_special_tokens: options.skipSpecialTokens ?? false,
        clean_up_tokenization_spaces: false,
      }),
    );
  }

  /**
   * The text of one token, for showing it alone. A byte-level one is shown by what its bytes say, and those that are no
   * whole character as \xF0.
   */
  tokenText(id: number): string {
    const token = this.#tokenizer.id_to_token(id);
    if (token === undefined) return `<${id}>`;
    return (this.#isByteLevel && byteLevelText(token)) || token;
  }

  /**
   * The text that each token adds to those before it: put together they are the decoded text. A character of several
   * tokens stands whole at its last one, and the others are ''.
   */
  tokenTexts(ids: readonly number[]): string[] {
    const texts: string[] = [];
    // Decoding begins at `from`, one token or more before what is new: some decoders join words by what precedes. Of that
    // text, `told` characters have been given to tokens; before token `whole` all of it.
    let from = 0;
    let whole = 0;
    let told = 0;
    for (let end = 1; end <= ids.length; end++) {
      const text = this.decode(ids.slice(from, end));
      // What is no character yet may become one.
      const sure = end < ids.length ? text.replace(/\uFFFD+$/, '') : text;
      texts.push(sure.slice(told));
      told = sure.length;
      if (sure.length < text.length) continue;
      from = whole;
      whole = end;
      told = this.decode(ids.slice(from, whole)).length;
    }
    return texts;
  }

  /** As the page shows the tokens of a text: by what each adds to it, or alone where a token is a word of its own. */
  shownTokens(ids: readonly number[]): string[] {
    if (!this.#isByteLevel) return ids.map((id) => this.tokenText(id));
    return this.tokenTexts(ids).map((text, i) => text || this.tokenText(ids[i]));
  }

  /**
   * The rendered chat, up to where the answer starts; each image's place is expanded, in order, to what its grid asks.
   * As in transformers, special tokens that stand in a message's text become special tokens.
   */
  renderChat(messages: readonly ChatMessage[], grids: readonly ImageGrid[]): string {
    const { image } = this.#names;
    const rendered = attempt('the chat template cannot be filled in', () =>
      this.#template.render({ messages, add_generation_prompt: true }),
    );
    if (rendered.length > mostCharacters) {
      throw new UserError(`the chat template gives ${rendered.length} characters; at most ${mostCharacters}`);
    }
    const parts = rendered.split(image);
    if (parts.length !== grids.length + 1) {
      const expected = grids.length === 1 ? 'once' : `${grids.length} times`;
      throw new UserError(
        `chat template: "${image}" stands ${parts.length - 1} times in the prompt; expected ${expected}`,
      );
    }
    return parts.map((part, i) => (i === 0 ? '' : this.#imageText(grids[i - 1])) + part).join('');
  }

  /** The rendered chat: one user message of one image and `text`, and the start of the answer. */
  renderPrompt(text: string, grid: ImageGrid = wholeImage): string {
    if (text.includes(this.#names.image)) {
      throw new UserError(
        `prompt: "${this.#names.image}" stands in the text; each prompt has one image, put before it`,
      );
    }
    return this.renderChat([{ role: 'user', content: [{ type: 'image' }, { type: 'text', text }] }], [grid]);
  }

  /** Prompt ids [P]: the chat with the image's place expanded to imageSeqLen image tokens an image of `grid`. */
  buildPrompt(text: string, grid?: ImageGrid): number[] {
    return this.encode(this.renderPrompt(text, grid));
  }

  /** What stands for an image (processing_smolvlm.py): its squares by row and column, then the whole of it. */
  #imageText({ rows, columns }: ImageGrid): string {
    const { image, fake, global } = this.#names;
    const one = image.repeat(this.imageSeqLen);
    const lines = Array.from({ length: rows }, (_, r) => {
      const squares = Array.from({ length: columns }, (_, c) => {
        const place = `<row_${r + 1}_col_${c + 1}>`;
        // Without a token of its own the place would be spelt out, and no model has learnt that.
        this.tokenId(place);
        return fake + place + one;
      });
      return `${squares.join('')}\n`;
    });
    const blank = rows > 0 ? '\n' : '';
    return `${lines.join('')}${blank}${fake}${global}${one}${fake}`;
  }
}

/** chat_template.json of older folders. */
function templateOf(file: Json | undefined): string | undefined {
  return typeof file?.chat_template === 'string' ? file.chat_template : undefined;
}

/** SmolVLM has 8; a prompt holds the square of it. */
const mostTokensASide = 64;

/** (image_size / patch_size / scale_factor)²: how many tokens of the decoder an image takes. */
export function imageSeqLen(config: Record<string, unknown>): number {
  const vision = object(config.vision_config);
  const image = integer(vision.image_size, 'config.json: vision_config.image_size');
  const patch = integer(vision.patch_size, 'config.json: vision_config.patch_size');
  const scale = integer(config.scale_factor, 'config.json: scale_factor');
  const side = image / patch / scale;
  if (!Number.isInteger(side) || side < 1 || side > mostTokensASide) {
    throw new UserError(
      `config.json: image_size ${image} / patch_size ${patch} / scale_factor ${scale} is not a whole number from 1 to ${mostTokensASide}`,
    );
  }
  return side * side;
}

const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});

/** What a library throws, as a UserError; a stack that overflows on deep input included. */
function attempt<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const reason = (error instanceof Error && error.message) || String(error);
    throw new UserError(`${what}: ${reason.slice(0, 300)}`);
  }
}

/** The embedding table has a row for each id, so no token may have an id beyond it. */
function checkIds(tokenizer: Json, vocabSize: number): void {
  const { vocab } = tokenizer.model as { vocab: Record<string, number> | unknown[] };
  const added = tokenizer.added_tokens as { content: string; id: number }[];
  const ids = Array.isArray(vocab) ? [['the last', vocab.length - 1] as const] : Object.entries(vocab);
  for (const [token, id] of [...ids, ...added.map(({ content, id }) => [content, id] as const)]) {
    if (id >= vocabSize) {
      throw new UserError(
        `tokenizer.json: token ${show(token)} has the id ${id}; config.json says that the vocabulary has ${vocabSize}`,
      );
    }
  }
}

function integer(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new UserError(`${where} is ${show(value)}; expected a whole number ≥ 0`);
  }
  return value;
}

/** A token of tokenizer_config.json: its text, or an object that holds it. */
function tokenText(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  if (typeof content === 'string') return content;
  throw new UserError(`tokenizer_config.json: ${where} is ${show(value)}; expected a token`);
}
