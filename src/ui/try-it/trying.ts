/** The panel Try it: a picture, a question, and what the base and a trained model answer. */
import type { AskView, ModelFacts } from '../../worker/lab-protocol.ts';
import type { ImageView, Loaded } from '../../worker/protocol.ts';
import { type Core, messageOf } from '../core.ts';
import { drawingOf, maskOf } from '../look/asking.ts';
import { Latest } from '../look/latest.ts';
import type { Asked } from '../look/looking.ts';
import { baseOption, chosenOption, type SubjectOption, trainedOptions } from '../look/subjects.ts';
import { Store } from '../store.ts';
import { text } from '../text.ts';
import { readablePicture } from './read-picture.ts';

export interface TriedPicture {
  /** As the model sees it. */
  readonly image: ImageView;
  /** What it was made from, where it came in another size. */
  readonly size?: readonly [width: number, height: number];
  /** The task that made it, with the question that it asked about it and the answer. */
  readonly made?: { readonly task: string; readonly prompt: string; readonly answer: string | null };
}

export interface Side {
  readonly label: string;
  readonly view?: AskView;
  readonly error?: string;
}

/** A question that was asked, with all that is needed to ask it again. */
export interface Tried {
  readonly id: number;
  readonly picture: TriedPicture;
  readonly prompt: string;
  readonly answer: string | null;
  readonly base?: Side;
  readonly trained?: Side;
}

export interface TryState {
  readonly facts?: ModelFacts;
  readonly suggestions: readonly string[];
  readonly picture?: TriedPicture;
  readonly isReading: boolean;
  /** What went wrong with a picture. */
  readonly problem?: string;
  readonly prompt: string;
  readonly unknown: readonly string[];
  readonly withMask: boolean;
  readonly subject?: string;
  /** Who is being asked. */
  readonly asking?: 'base' | 'trained';
  readonly history: readonly Tried[];
  /** The answers on show. */
  readonly shown?: number;
}

export const samplesDrawn = 8;
const mostKept = 50;

export class Trying {
  readonly store = new Store<TryState>({
    suggestions: [],
    isReading: false,
    prompt: '',
    unknown: [],
    withMask: false,
    history: [],
  });
  private readonly words = new Latest();
  private loaded?: Loaded;
  private made = 0;
  private asked = 0;

  constructor(private readonly core: Core) {}

  /** Another model or task may have been chosen. */
  async follow(): Promise<void> {
    const { loaded, form } = this.core.state;
    if (!loaded) return;
    if (loaded !== this.loaded) {
      this.loaded = loaded;
      this.words.forget();
      await this.guarded(async () => {
        const { service } = this.core;
        const known = this.store.snapshot().facts;
        const facts = await service.modelFacts();
        // A picture for another model has another size.
        const isOther = known !== undefined && known.imageSize !== facts.imageSize;
        this.store.set({ facts, asking: undefined, ...(isOther && { picture: undefined }) });
      });
      this.write(this.store.snapshot().prompt);
    }
    await this.guarded(async () => {
      const groups = await this.core.service.samples(form.task, 24);
      const ofKind = new Map<string, string>();
      for (const { kind, prompt, visionDependency } of groups)
        if (kind !== undefined && visionDependency === 'high' && !ofKind.has(kind)) ofKind.set(kind, prompt);
      this.store.set({ suggestions: [...ofKind.values()] });
    });
  }

  /** An encoded picture: a file, the clipboard's, or the camera's. */
  async bring(file: Blob, name: string): Promise<void> {
    this.store.set({ isReading: true, problem: undefined });
    try {
      const { image, width, height } = await this.core.service.picture(await readablePicture(file, name));
      this.take({ image, size: [width, height] });
    } catch (error) {
      this.refuse(messageOf(error));
    }
  }

  refuse(problem: string): void {
    this.store.set({ problem, isReading: false });
  }

  /** What the visitor drew; nobody knows the answer to it. */
  draw(image: ImageView): void {
    this.take({ image });
  }

  async generate(): Promise<void> {
    const { task } = this.core.state.form;
    await this.guarded(async () => {
      // Far from the first questions, which the other panels show.
      const { image, prompt, answer } = await this.core.service.example(task, 1000 + this.made++);
      this.take({ image, made: { task, prompt, answer } });
      this.write(prompt);
    });
  }

  write(prompt: string): void {
    this.store.set({ prompt });
    this.words.do(() =>
      this.guarded(async () => {
        const unknown = prompt.trim() === '' ? [] : await this.core.service.unknownWords(prompt);
        if (!this.words.isStale) this.store.set({ unknown });
      }),
    );
  }

  set(change: Partial<Pick<TryState, 'withMask' | 'subject'>>): void {
    this.store.set(change);
  }

  /** The trained models that can be asked. */
  get subjects(): SubjectOption[] {
    return trainedOptions(this.core.state);
  }

  get subject(): SubjectOption | undefined {
    return chosenOption(this.subjects, this.store.snapshot().subject);
  }

  /** The answers on show. */
  get tried(): Tried | undefined {
    const { history, shown } = this.store.snapshot();
    return history.find(({ id }) => id === shown);
  }

  /** The right answer to the question as it stands, where it is known. */
  get answer(): string | null {
    const { picture, prompt } = this.store.snapshot();
    return picture?.made?.prompt === prompt.trim() ? picture.made.answer : null;
  }

  /** The picture with its question, to be looked at closely. */
  get question(): Asked | undefined {
    const { picture, prompt } = this.store.snapshot();
    if (!picture) return undefined;
    return {
      image: picture.image,
      prompt: prompt.trim() || (picture.made?.prompt ?? ''),
      answer: this.answer,
    };
  }

  /** Asks the base model, then the trained one where there is one. */
  async ask(): Promise<void> {
    const { picture, prompt, asking } = this.store.snapshot();
    if (!picture || prompt.trim() === '' || asking || !this.loaded) return;
    const tried = { id: ++this.asked, picture, prompt: prompt.trim(), answer: this.answer };
    const { history } = this.store.snapshot();
    this.store.set({ history: [tried, ...history].slice(0, mostKept), shown: tried.id });
    await this.askOne(tried, 'base', baseOption);
    const { subject } = this;
    if (subject) await this.askOne(tried, 'trained', subject);
  }

  again(id: number): void {
    const { history } = this.store.snapshot();
    const tried = history.find((one) => one.id === id);
    if (!tried) return;
    this.store.set({ picture: tried.picture, shown: id, problem: undefined });
    this.write(tried.prompt);
  }

  private async askOne(tried: Tried, who: 'base' | 'trained', option: SubjectOption): Promise<void> {
    const { loaded } = this;
    this.store.set({ asking: who });
    let side: Side = { label: who === 'base' ? text.tryIt.sides.base : option.label };
    try {
      const view = await this.core.service.ask({
        ...drawingOf(this.core.state),
        image: tried.picture.image,
        prompt: tried.prompt,
        answer: tried.answer,
        subject: option.subject,
        samples: samplesDrawn,
        ...(this.store.snapshot().withMask && { mask: maskOf(this.core.state) }),
      });
      side = { ...side, view };
    } catch (error) {
      side = { ...side, error: messageOf(error) };
    }
    if (loaded !== this.loaded) return;
    const { history } = this.store.snapshot();
    this.store.set({
      asking: undefined,
      history: history.map((one) => (one.id === tried.id ? { ...one, [who]: side } : one)),
    });
  }

  private take(picture: TriedPicture): void {
    this.store.set({ picture, isReading: false, problem: undefined });
  }

  private async guarded(work: () => Promise<unknown>): Promise<void> {
    const { loaded } = this;
    try {
      await work();
    } catch (error) {
      if (loaded === this.loaded) this.refuse(messageOf(error));
    }
  }
}
