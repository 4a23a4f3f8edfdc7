/**
 * What was sampled at any step of any kept run, as the page shows it. Tokens and numbers were kept; texts, prompts,
 * images and masked images are made again, by the functions that made them for the training.
 */
import type { Dataset } from '../data/dataset.ts';
import { withFormatPrompt } from '../data/format-prompt.ts';
import { imagePreparation } from '../data/image-processor.ts';
import { TextProcessor } from '../data/tokenizer.ts';
import { UserError } from '../errors.ts';
import { checkpointModel } from '../export/checkpoint-model.ts';
import { maskImage, maskRandom } from '../papo/masked-image.ts';
import type { StepReport } from '../papo/trainer.ts';
import type { ModelFolder } from '../store/hf-folder.ts';
import { type KeptGroup, type KeptRollout, readRollout } from '../store/rollout-file.ts';
import { strideOf } from '../store/rollout-thinning.ts';
import type { RunInfo, RunReader } from '../store/run-store.ts';
import { type DatasetLike, toDataset, trainingPrompts } from '../trainer/inputs.ts';
import { PAPOConfig } from '../trainer/papo-config.ts';
import type { GroupView, RolloutSteps } from './protocol.ts';
import { groupView, type ShownGroup } from './views.ts';

/** What there is at the moment; the service holds it. */
export interface RolloutPlace {
  open(run: string): Promise<RunReader>;
  /** What a run trains on. Throws a UserError where it is gone. */
  trainingData(info: RunInfo): Promise<DatasetLike>;
  /** The model that is loaded, where it is the one of this name. */
  folder(model: unknown): Omit<ModelFolder, 'weights'> | undefined;
  /** The run at hand, null where it is not kept, and what its last update left. */
  readonly latest?: {
    readonly run: string | null;
    readonly report: StepReport;
    readonly text: TextProcessor;
    /** Waits until its earlier steps are in the store. */
    written(): Promise<void>;
  };
}

interface Opened {
  readonly run: string;
  readonly prompts: Dataset;
  readonly text: TextProcessor;
}

export class Rollouts {
  private opened?: Opened;

  constructor(private readonly place: () => RolloutPlace) {}

  /** `run`: null for the run at hand where it is not kept; of that one only the last step is there. */
  async steps(run: string | null): Promise<RolloutSteps> {
    const { latest, open } = this.place();
    if (latest?.run === run) await latest.written();
    const kept = run === null ? [] : (await (await open(run)).rollouts()).map(({ step }) => step);
    const stride = strideOf(kept);
    const newest = latest?.run === run ? latest?.report.step : undefined;
    const steps = newest === undefined || kept.includes(newest) ? kept : [...kept, newest];
    return { steps, stride };
  }

  async groups(run: string | null, step: number): Promise<GroupView[]> {
    const { latest, open } = this.place();
    if (latest?.run === run && latest.report.step === step)
      return latest.report.groups.map((group) => groupView(group, latest.text));
    if (run === null)
      throw new UserError(
        `Step ${step} is gone: this run is not kept in this browser, so only its last step is there.`,
      );
    if (latest?.run === run) await latest.written();
    const reader = await open(run);
    const kept = readRollout(await reader.readRollout(step), `${reader.where}, rollout of step ${step}`);
    const { prompts, text } = await this.openRun(run, reader);
    return Promise.all(
      kept.groups.map(async (group) => groupView(await shown(group, kept, prompts, text), text)),
    );
  }

  private async openRun(run: string, reader: RunReader): Promise<Opened> {
    if (this.opened?.run === run) return this.opened;
    const info = await reader.info();
    if (!info) throw new UserError('This run has been deleted.');
    const args = new PAPOConfig(info.settings);
    const rows = toDataset(await this.place().trainingData(info), 'train', args.seed);
    const data = withFormatPrompt(rows, args.format_prompt);
    const text = await this.textOf(info, reader);
    this.opened = { run, prompts: trainingPrompts(data, args), text };
    return this.opened;
  }

  /** The tokenizer of the run's model: every checkpoint has its files. */
  private async textOf({ origin }: RunInfo, reader: RunReader): Promise<TextProcessor> {
    const last = (await reader.checkpoints()).at(-1);
    const files = last
      ? (await checkpointModel(await reader.openCheckpoint(last.step))).sideFiles
      : this.place().folder(origin.model)?.files;
    if (!files)
      throw new UserError(
        `${reader.where} has no checkpoint, so its tokenizer is not known: load its model, ${origin.model}, first.`,
      );
    const decoder = new TextDecoder();
    return TextProcessor.fromFolder(
      Object.fromEntries(Array.from(files, ([name, bytes]) => [name, decoder.decode(bytes)])),
    );
  }
}

/** A kept group with what is not kept of it. */
export async function shown(
  group: KeptGroup,
  { mask }: KeptRollout,
  prompts: Dataset,
  text: TextProcessor,
): Promise<ShownGroup> {
  const { processor } = mask;
  const preparation = processor && imagePreparation(processor, processor);
  const row = await prompts.row(group.prompt, preparation);
  const random = maskRandom(mask.seed, group.place);
  const { masked, shown } = maskImage(row.image, mask, group.saliency, random);
  const completions = group.tokens.map((ids) => text.decode(ids, { skipSpecialTokens: true }));
  return { ...group, row: processor ? { ...row, image: shown } : row, masked, completions };
}
