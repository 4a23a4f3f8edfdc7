/** What a run is trained or evaluated on: rows by number. */
import type { Diagnosis } from './diagnose.ts';
import { diagnose } from './diagnose.ts';
import { type Example, generateExample, type Split } from './examples.ts';
import type { ImagePreparation } from './image-processor.ts';
import type { RasterImage } from './raster.ts';
import type { TaskMix, TaskName } from './tasks.ts';

/** One prompt with its image. */
export interface Row {
  readonly id: string;
  readonly prompt: string;
  readonly image: RasterImage;
  /** null where the data have none. */
  readonly answer: string | null;
  /** Every other column, handed to the reward functions by name. */
  readonly columns: Readonly<Record<string, unknown>>;
  /** Tells seeing wrong from reasoning wrong; only where the picture's content is known. */
  readonly diagnose?: (completion: string) => Diagnosis;
}

export interface Dataset {
  readonly name: string;
  /** Rows; Infinity where they are made as they are asked for. */
  readonly size: number;
  /** Rows until they repeat, where `size` is Infinity because they are gone round. */
  readonly epochSize?: number;
  /**
   * The row of this number, from 0 to size − 1; always the same. A dataset that reads its images may give them prepared as
   * `preparation` says, and keep them so: a photograph is decoded once and kept as small as the model sees it.
   */
  row(index: number, preparation?: ImagePreparation): Row | Promise<Row>;
  /** That row's question, where no image needs to be read for it. */
  prompt?(index: number): string;
}

export const exampleRow = (example: Example): Row => ({
  id: example.id,
  prompt: example.prompt,
  image: example.image,
  answer: example.answer,
  columns: { kind: example.kind, vision_dependency: example.vision_dependency },
  diagnose: (completion) => diagnose(completion, example),
});

/** The procedural world's questions, without end. */
export function worldDataset(task: TaskName | TaskMix, split: Split, seed: number): Dataset {
  return {
    name: typeof task === 'string' ? task : 'mix',
    size: Number.POSITIVE_INFINITY,
    row: (index) => exampleRow(generateExample(seed, split, index, task)),
  };
}

/** Rows that are in memory. */
export const rowsDataset = (rows: readonly Row[], name = 'rows'): Dataset => ({
  name,
  size: rows.length,
  row: (index) => rows[index],
});
