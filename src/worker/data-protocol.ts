/** What the Data panel asks the worker: samples, answer statistics, and rows that cannot be used. */
import type { DatasetView, GroupView, ImageView } from './protocol.ts';

/** A built-in task by name, or an imported dataset by id. */
export type DataSource = { readonly task: string } | { readonly dataset: string };

/** A kind of question of a built-in task. */
export interface TaskKindInfo {
  readonly name: string;
  readonly level: 'default' | 'hard';
  /** How often it is asked; the shares of a task add up to 1. */
  readonly share: number;
}

export interface CountOf {
  readonly name: string;
  readonly count: number;
}

/** The questions of one kind; all questions are one, where the data name no kinds. */
export interface KindStatistics {
  readonly kind: string | null;
  readonly questions: number;
  /** The most frequent answers, most frequent first. */
  readonly answers: readonly CountOf[];
  /** Different answers, those that `answers` leaves out included. */
  readonly distinct: number;
  readonly withoutAnswer: number;
}

export interface LengthRange {
  readonly least: number;
  readonly median: number;
  readonly most: number;
}

export interface DataStatistics {
  readonly questions: number;
  /** Made for counting, of a task without end; otherwise all rows were counted. */
  readonly isSample: boolean;
  readonly kinds: readonly KindStatistics[];
  /** Answers right for one who always gives the kind's most common answer; null where none has an answer. */
  readonly guessing: number | null;
  /** How little the text gives away; empty where the data do not say. */
  readonly dependencies: readonly CountOf[];
  /** Tokens of a whole prompt, the image's included, by the loaded model; null without one. */
  readonly promptTokens: LengthRange | null;
}

export interface Counting {
  readonly done: number;
  readonly total: number;
}

/** A row that cannot be used: what stands in it, and all that is wrong with it. */
export interface ProblemRow {
  readonly file: string;
  readonly row: number;
  readonly problems: readonly { readonly column?: string; readonly message: string }[];
  readonly fields: readonly { readonly name: string; readonly text: string }[];
  /** How it begins, where it is no record. */
  readonly text?: string;
  /** Small; only where the image can be decoded. */
  readonly image?: ImageView;
}

export interface DataService {
  /** Training questions from this number on, as far as there are some; their images are small. */
  dataSamples(source: DataSource, from: number, count: number): Promise<GroupView[]>;
  dataStatistics(source: DataSource, onProgress: (counting: Counting) => void): Promise<DataStatistics>;
  datasetView(dataset: string): Promise<DatasetView>;
  /** Rows of an imported dataset that cannot be used, from this number on, in the order of its files. */
  problemRows(dataset: string, from: number, count: number): Promise<ProblemRow[]>;
  /** A small dataset in the form that can be opened here: a zip of JSONL and images. */
  exampleDataset(): Promise<File>;
}
