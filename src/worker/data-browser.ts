/** Looks through data for the page: samples, statistics, rows that cannot be used, and an example of the format. */
import { transfer } from 'comlink';
import { worldDataset } from '../data/dataset.ts';
import { generateExample, generateQuestion } from '../data/examples.ts';
import type { RasterImage } from '../data/raster.ts';
import { reduceImage } from '../data/resample.ts';
import { type TaskName, tasks } from '../data/tasks.ts';
import { TextProcessor } from '../data/tokenizer.ts';
import { UserError } from '../errors.ts';
import type { ModelFolder } from '../store/hf-folder.ts';
import type { Counting, DataService, DataSource, DataStatistics, ProblemRow } from './data-protocol.ts';
import type { Datasets } from './datasets.ts';
import type { DatasetView, GroupView } from './protocol.ts';
import { Tally } from './task-statistics.ts';
import { buffersOf, imageView, rowView } from './views.ts';

/** Questions that are made of a task to be counted. */
const countedQuestions = 2000;
/** Counting lets messages through as often. */
const turnMs = 50;
/** Longest edge of an image in a list. */
const listedEdge = 192;
/** Rows of the example. */
const exampleRows = 12;

export class DataBrowser implements DataService {
  private readonly counted = new Map<string, DataStatistics>();
  private known?: { readonly folder: Omit<ModelFolder, 'weights'>; readonly text: TextProcessor };

  constructor(
    private readonly datasets: Datasets,
    private readonly folder: () => Omit<ModelFolder, 'weights'> | undefined,
  ) {}

  async dataSamples(source: DataSource, from: number, count: number): Promise<GroupView[]> {
    const data =
      'task' in source
        ? worldDataset(taskName(source.task), 'train', 0)
        : (await this.datasets.report(source.dataset)).dataset();
    const rows = await Promise.all(
      Array.from({ length: Math.max(0, Math.min(count, data.size - from)) }, (_, i) => data.row(from + i)),
    );
    const groups = rows.map((row) => rowView({ ...row, image: reduceImage(row.image, listedEdge) }));
    return transfer(groups, buffersOf(groups));
  }

  async dataStatistics(
    source: DataSource,
    onProgress: (counting: Counting) => void,
  ): Promise<DataStatistics> {
    const text = this.text();
    const key = JSON.stringify(source);
    const known = this.counted.get(key);
    if (known) return known;
    const statistics = await ('task' in source
      ? this.countTask(taskName(source.task), text, onProgress)
      : this.countRows(source.dataset, text, onProgress));
    // Another model has other tokens.
    if (text === this.text()) this.counted.set(key, statistics);
    return statistics;
  }

  async datasetView(dataset: string): Promise<DatasetView> {
    const view = await this.datasets.view(dataset);
    return transfer(view, buffersOf(view.samples));
  }

  async problemRows(dataset: string, from: number, count: number): Promise<ProblemRow[]> {
    const rows = await this.datasets.problemRows(dataset, from, count);
    const views = await Promise.all(
      rows.map(async ({ openImage, ...row }): Promise<ProblemRow> => {
        const image = openImage && (await thumbnail(openImage));
        return { ...row, ...(image && { image: imageView(image) }) };
      }),
    );
    return transfer(
      views,
      views.flatMap(({ image }) => (image ? [image.data.buffer] : [])),
    );
  }

  async exampleDataset(): Promise<File> {
    const { makeZip } = await import('client-zip');
    const rows = Array.from({ length: exampleRows }, (_, i) => generateExample(0, 'train', i, 'shapes'));
    const images = await Promise.all(rows.map(({ image }) => png(image)));
    const lines = rows.map(({ prompt, answer }, i) => JSON.stringify({ prompt, image: nameOf(i), answer }));
    const files = [
      { name: 'data.jsonl', input: `${lines.join('\n')}\n` },
      ...images.map((input, i) => ({ name: nameOf(i), input })),
    ];
    return new File([await new Response(makeZip(files)).blob()], 'example-dataset.zip', {
      type: 'application/zip',
    });
  }

  private async countTask(
    task: TaskName,
    text: TextProcessor | undefined,
    onProgress: (counting: Counting) => void,
  ): Promise<DataStatistics> {
    const tally = new Tally();
    const tokens = lengths(text);
    await inTurns(countedQuestions, onProgress, (i) => {
      const { answer, prompt, kind, vision_dependency } = generateQuestion(0, 'train', i, task);
      tally.add({
        answer,
        kind,
        visionDependency: vision_dependency,
        promptTokens: tokens(prompt),
      });
    });
    return tally.result(true);
  }

  private async countRows(
    dataset: string,
    text: TextProcessor | undefined,
    onProgress: (counting: Counting) => void,
  ): Promise<DataStatistics> {
    const { goodRows } = await this.datasets.report(dataset);
    const tally = new Tally();
    const tokens = lengths(text);
    const named = (value: unknown) => (typeof value === 'string' ? value : undefined);
    await inTurns(goodRows.length, onProgress, (i) => {
      const { answer, prompt, columns } = goodRows[i];
      tally.add({
        answer,
        kind: named(columns.kind),
        visionDependency: named(columns.vision_dependency),
        promptTokens: tokens(prompt),
      });
    });
    return tally.result(false);
  }

  /** The loaded model's tokenizer. What was counted with another one is forgotten. */
  private text(): TextProcessor | undefined {
    const folder = this.folder();
    if (folder === this.known?.folder) return this.known?.text;
    this.counted.clear();
    const decoder = new TextDecoder();
    this.known = folder && {
      folder,
      text: TextProcessor.fromFolder(
        Object.fromEntries([...folder.files].map(([name, bytes]) => [name, decoder.decode(bytes)])),
      ),
    };
    return this.known?.text;
  }
}

function taskName(task: string): TaskName {
  if (!Object.hasOwn(tasks, task)) throw new UserError(`There is no built-in task "${task}".`);
  return task as TaskName;
}

/** A prompt's length in tokens; prompts come again, and are read once. */
function lengths(text: TextProcessor | undefined): (prompt: string) => number | undefined {
  const known = new Map<string, number>();
  return (prompt) => {
    const length = known.get(prompt) ?? text?.buildPrompt(prompt).length;
    if (length !== undefined) known.set(prompt, length);
    return length;
  };
}

const nameOf = (i: number) => `images/${i + 1}.png`;

/** Does work in turns, between which a run and messages get theirs. */
async function inTurns(
  total: number,
  onProgress: (counting: Counting) => void,
  work: (index: number) => void,
): Promise<void> {
  let until = performance.now() + turnMs;
  for (let done = 0; done < total; done++) {
    work(done);
    if (performance.now() < until) continue;
    onProgress({ done: done + 1, total });
    await new Promise((resolve) => setTimeout(resolve));
    until = performance.now() + turnMs;
  }
}

/** null where the image cannot be decoded: that is then among the row's problems. */
async function thumbnail(openImage: () => Promise<Blob>): Promise<RasterImage | null> {
  const { decodeImage } = await import('../import/decode-page.ts');
  try {
    return reduceImage(await decodeImage(await openImage()), listedEdge);
  } catch {
    return null;
  }
}

async function png(image: RasterImage): Promise<Blob> {
  const { width, height, data } = imageView(image);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')!.putImageData(new ImageData(data, width, height), 0, 0);
  return canvas.convertToBlob({ type: 'image/png' });
}
