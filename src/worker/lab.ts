/** What a model says about one picture, closely: its answers, every token's alternatives, and the same behind a mask. */
import { transfer } from 'comlink';
import { boxedAnswer, parseCompletion } from '../data/completion.ts';
import { exampleRow } from '../data/dataset.ts';
import { generateExample } from '../data/examples.ts';
import { imageProcessorConfig, prepareImage } from '../data/image-processor.ts';
import type { RasterImage } from '../data/raster.ts';
import type { TaskName } from '../data/tasks.ts';
import { TextProcessor } from '../data/tokenizer.ts';
import { UserError } from '../errors.ts';
import { overWhite } from '../import/decode.ts';
import { decodeImage } from '../import/decode-page.ts';
import { maskedView } from '../papo/masked-view.ts';
import { Purpose, RandomStream, uniform } from '../papo/random.ts';
import { type MaskType, SETTINGS } from '../papo/settings.ts';
import { parseVlmConfig } from '../policy/config.ts';
import type { PolicyPrompt } from '../policy/layout.ts';
import { nextTokenLogps } from '../policy/next-tokens.ts';
import type { Completions, Policy } from '../policy/policy.ts';
import type { ModelFolder } from '../store/hf-folder.ts';
import { answerShares } from './answer-shares.ts';
import type {
  AskRequest,
  AskView,
  Choice,
  Completion,
  LabService,
  MaskRequest,
  MaskView,
  ModelFacts,
  SeenPicture,
  TokenChoices,
} from './lab-protocol.ts';
import type { GroupView, ImageView, Subject } from './protocol.ts';
import type { Subjects } from './subjects.ts';
import { buffersOf, imageView, rowView } from './views.ts';

/** Of each view, at each token. */
const choicesShown = 5;
/** Longer vocabularies are of pieces that spell any word; nobody wants them listed. */
const mostWords = 1000;
/** Prompts of a few words share their compiled passes. */
const padToMultipleOf = 16;

interface Words {
  readonly text: TextProcessor;
  /** undefined where every text has tokens. */
  readonly unknown: number | undefined;
  readonly list: readonly string[] | null;
}

export class Lab implements LabService {
  private known?: { readonly folder: Omit<ModelFolder, 'weights'>; readonly words: Words };

  constructor(
    private readonly subjects: Subjects,
    private readonly folder: () => Omit<ModelFolder, 'weights'> | undefined,
  ) {}

  async modelFacts(): Promise<ModelFacts> {
    const folder = this.loaded();
    const { vision, text, scaleFactor } = parseVlmConfig(folder.config);
    return {
      imageSize: vision.imageSize,
      patchSize: vision.patchSize,
      cellSize: vision.patchSize * scaleFactor,
      vocabulary: text.vocabSize,
      words: this.words(folder).list,
    };
  }

  async example(task: string, index: number): Promise<GroupView> {
    const view = rowView(exampleRow(generateExample(0, 'train', index, task as TaskName)));
    return transfer(view, buffersOf([view]));
  }

  async picture(file: Blob): Promise<SeenPicture> {
    const processor = imageProcessorConfig(this.loaded().json);
    const image = await decodeImage(file);
    const { width, height } = image;
    const seen = { width, height, image: imageView(prepareImage(image, processor)) };
    return transfer(seen, [seen.image.data.buffer]);
  }

  async unknownWords(prompt: string): Promise<string[]> {
    const { text, unknown } = this.words(this.loaded());
    if (unknown === undefined) return [];
    const words = new Set(prompt.split(/\s+/).filter(Boolean));
    return [...words].filter((word) => text.encode(word).includes(unknown));
  }

  async maskPicture(subject: Subject, image: ImageView, mask: MaskRequest): Promise<MaskView> {
    const view = await this.subjects.with(subject, async (policy) => {
      const { masked, share, saliency } = await masking(policy, raster(image), mask);
      return { masked: imageView(masked), share, saliency: saliency ? Array.from(saliency) : null };
    });
    return transfer(view, [view.masked.data.buffer]);
  }

  ask(request: AskRequest): Promise<AskView> {
    return this.subjects.with(request.subject, (policy) => ask(policy, request));
  }

  private loaded(): Omit<ModelFolder, 'weights'> {
    const folder = this.folder();
    if (!folder) throw new UserError('No model is loaded, so there is nobody to ask.');
    return folder;
  }

  private words(folder: Omit<ModelFolder, 'weights'>): Words {
    if (this.known?.folder !== folder) this.known = { folder, words: readWords(folder) };
    return this.known.words;
  }
}

function readWords(folder: Omit<ModelFolder, 'weights'>): Words {
  const decoder = new TextDecoder();
  const files = Object.fromEntries([...folder.files].map(([name, bytes]) => [name, decoder.decode(bytes)]));
  const text = TextProcessor.fromFolder(files);
  const { model, added_tokens } = JSON.parse(files['tokenizer.json']) as {
    model: { unk_token?: unknown; vocab: Record<string, number> | unknown[] };
    added_tokens: readonly { content: string }[];
  };
  if (typeof model.unk_token !== 'string' || Array.isArray(model.vocab))
    return { text, unknown: undefined, list: null };
  const added = new Set(added_tokens.map(({ content }) => content));
  const list = Object.keys(model.vocab).filter((word) => !added.has(word));
  return { text, unknown: text.tokenId(model.unk_token), list: list.length > mostWords ? null : list };
}

const raster = ({ data, ...view }: ImageView): RasterImage => ({ ...view, data: overWhite(data) });

/** As the trainer masks the first prompt's image of generation `draw`. */
async function masking(policy: Policy, image: RasterImage, request: MaskRequest) {
  const { mask_type, mask_ratio, mask_patch_size, seed, draw } = request;
  if (!SETTINGS.mask_type.schema.safeParse(mask_type).success)
    throw new UserError(`mask_type: there is no mask "${mask_type}"`);
  const settings = { mask_type: mask_type as MaskType, mask_ratio, mask_patch_size };
  const saliency = mask_type === 'semantic' ? await policy.saliency([policy.pixels(image)]) : undefined;
  const random = new RandomStream(seed, Purpose.mask, draw, 0);
  return { ...maskedView(policy, image, settings, saliency, () => random.next()), saliency };
}

/** A policy's answers about one picture; see AskView. */
export async function ask(policy: Policy, request: AskRequest): Promise<AskView> {
  const started = performance.now();
  const { maxTokens, temperature, samples, mask } = request;
  const image = raster(request.image);
  const prompt = policy.prompt(request.prompt, image);
  const prompts: PolicyPrompt[] = [prompt];
  if (mask) prompts.push({ ids: prompt.ids, pixelValues: (await masking(policy, image, mask)).pixelValues });
  const options = { maxTokens, topK: 0, topP: 1, minP: 0, padToMultipleOf };
  const greedy = await policy.generate(prompts, {
    ...options,
    group: 1,
    temperature: 1,
    greedy: true,
    uniform: () => 0,
  });
  // Both views draw with the same random numbers: what differs between them is the mask's doing.
  const drawn = await policy.generate(prompts, {
    ...options,
    group: samples,
    temperature,
    uniform: (t, n) => uniform(0, Purpose.evaluation, t, n % samples),
  });
  const ids = Array.from(greedy.ids.subarray(0, greedy.lengths[0]));
  const logps = await nextTokenLogps(policy, prompts, ids, temperature);
  const shown = policy.text.shownTokens(ids);
  const all = drawn.texts.map(completion);
  const [ofImage, ofMasked] = [all.slice(0, samples), all.slice(samples)];
  return {
    greedy: completion(greedy.texts[0]),
    tokens: ids.map((id, t) => tokenChoices(policy.text, id, shown[t], logps[0][t], logps[1]?.[t])),
    answerAt: answerPlace(policy, greedy),
    masked: mask ? completion(greedy.texts[1]) : null,
    answers: answerShares(
      ofImage.map((c) => c.answer),
      mask ? ofMasked.map((c) => c.answer) : null,
      request.answer,
    ),
    samples,
    sampled: distinct(ofImage),
    milliseconds: performance.now() - started,
  };
}

const completion = (text: string): Completion => ({
  text,
  thought: parseCompletion(text)?.thought ?? text,
  answer: boxedAnswer(text),
});

/** The token behind the first `\boxed{`, where something is boxed at all. */
function answerPlace({ text }: Policy, { ids, lengths, texts }: Completions): number | null {
  if (boxedAnswer(texts[0]) === null) return null;
  for (let t = 1; t < lengths[0]; t++)
    if (
      text
        .decode(Array.from(ids.subarray(0, t)))
        .trimEnd()
        .endsWith('\\boxed{')
    )
      return t;
  return null;
}

function tokenChoices(
  text: TextProcessor,
  id: number,
  shown: string,
  image: Float64Array,
  masked: Float64Array | undefined,
): TokenChoices {
  let kl: number | null = null;
  if (masked) kl = image.reduce((sum, logp, v) => sum + Math.exp(logp) * (logp - masked[v]), 0);
  const likeliest = new Set([...highest(image), ...(masked ? highest(masked) : [])]);
  const choices = [...likeliest].map(
    (v): Choice => ({
      text: v === id ? shown : text.tokenText(v),
      image: Math.exp(image[v]),
      masked: masked ? Math.exp(masked[v]) : null,
    }),
  );
  choices.sort((a, b) => b.image - a.image);
  return { text: shown, kl, tint: kl === null ? 0 : 1 - Math.exp(-Math.max(0, kl)), choices };
}

function highest(logps: Float64Array): number[] {
  const best: number[] = [];
  logps.forEach((logp, v) => {
    const at = best.findIndex((other) => logps[other] < logp);
    if (at >= 0) best.splice(at, 0, v);
    else if (best.length < choicesShown) best.push(v);
    best.length = Math.min(best.length, choicesShown);
  });
  return best;
}

function distinct(completions: readonly Completion[]): AskView['sampled'] {
  const counts = new Map<string, number>();
  for (const { text } of completions) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts]
    .map(([text, count]) => ({ ...completion(text), count }))
    .sort((a, b) => b.count - a.count);
}
