/** What the panels Look and Try it ask the worker: pictures, masks, and what a model says about them. */
import type { GroupView, ImageView, Subject } from './protocol.ts';

/** What there is to know about the loaded model before asking it. */
export interface ModelFacts {
  /** Side of the square that it sees, in pixels. */
  readonly imageSize: number;
  /** Side of a patch of the vision tower, in pixels of that square. */
  readonly patchSize: number;
  /** Side of what one image token holds. */
  readonly cellSize: number;
  readonly vocabulary: number;
  /** The words it knows, where they can be counted; null where it spells any word. */
  readonly words: readonly string[] | null;
}

/** A picture as the model sees it, and how large it was. */
export interface SeenPicture {
  readonly image: ImageView;
  readonly width: number;
  readonly height: number;
}

/** The trainer's mask settings, and which of the masks that its seed gives: that of generation `draw`. */
export interface MaskRequest {
  readonly mask_type: string;
  readonly mask_ratio: number;
  readonly mask_patch_size: number;
  readonly seed: number;
  readonly draw: number;
}

export interface MaskView {
  readonly masked: ImageView;
  /** Share of the image that is masked. */
  readonly share: number;
  /** The attention that each patch receives, row by row; for mask_type semantic. */
  readonly saliency: readonly number[] | null;
}

export interface AskRequest {
  readonly subject: Subject;
  readonly image: ImageView;
  readonly prompt: string;
  /** The right answer, where it is known: it is then among the answers, sampled or not. */
  readonly answer: string | null;
  readonly temperature: number;
  readonly maxTokens: number;
  /** Completions drawn for each view. */
  readonly samples: number;
  /** Also asks with this mask over the picture. */
  readonly mask?: MaskRequest;
}

/** A share of the samples, with its 95 % interval. */
export interface Share {
  readonly count: number;
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/** How often an answer was sampled: with the picture, and with it masked. */
export interface AnswerShare {
  /** `none`: the completion boxes no answer. `other`: all answers that are not listed. */
  readonly kind: 'answer' | 'none' | 'other';
  readonly answer: string;
  readonly image: Share;
  readonly masked: Share | null;
}

export interface Completion {
  readonly text: string;
  readonly thought: string;
  /** null where nothing is boxed. */
  readonly answer: string | null;
}

/** Exact probabilities of a token that could stand at this place. */
export interface Choice {
  readonly text: string;
  readonly image: number;
  readonly masked: number | null;
}

/** A token of the greedy completion, and what else could have stood there. */
export interface TokenChoices {
  readonly text: string;
  /** KL(with the picture ‖ with it masked) of the next token at this place, nats. */
  readonly kl: number | null;
  /** 1 − exp(−kl). */
  readonly tint: number;
  /** The five likeliest of either view, likeliest first. */
  readonly choices: readonly Choice[];
}

export interface AskView {
  readonly greedy: Completion;
  readonly tokens: readonly TokenChoices[];
  /** The place of the boxed answer's first token. */
  readonly answerAt: number | null;
  /** The greedy completion of the masked picture. */
  readonly masked: Completion | null;
  readonly answers: readonly AnswerShare[];
  readonly samples: number;
  /** Distinct completions sampled with the picture, the most frequent first. */
  readonly sampled: readonly (Completion & { readonly count: number })[];
  readonly milliseconds: number;
}

export interface LabService {
  modelFacts(): Promise<ModelFacts>;
  /** A training question of a task, without completions. */
  example(task: string, index: number): Promise<GroupView>;
  /** An encoded picture, upright, over white, resized as the model's image processor does. */
  picture(file: Blob): Promise<SeenPicture>;
  /** The words of a question that the model has no token for. */
  unknownWords(prompt: string): Promise<string[]>;
  /** The mask that the trainer would put on the picture. */
  maskPicture(subject: Subject, image: ImageView, mask: MaskRequest): Promise<MaskView>;
  /** Waits for an update in progress where the subject is the model that trains. */
  ask(request: AskRequest): Promise<AskView>;
}
