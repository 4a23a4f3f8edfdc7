/** A user's data as a dataset: JSONL, JSON lists and Parquet, with images as files, in a zip, or in the rows. */
import type { Dataset, Row } from '../data/dataset.ts';
import type { ImagePreparation } from '../data/image-processor.ts';
import type { RasterImage } from '../data/raster.ts';
import { UserError } from '../errors.ts';
import type { DecodeImage } from './decode.ts';
import { imageProblem } from './image-header.ts';
import type { ImageFolder } from './image-value.ts';
import { mostRows, type RawRow, readJsonLines, readJsonList } from './json-lines.ts';
import { baseName, folderOf, type NamedBlobs } from './named-blobs.ts';
import { readParquet } from './parquet.ts';
import { type PickedFile, pickedBlobs } from './picked-files.ts';
import { type ParsedRow, parseRow } from './row.ts';

export interface DatasetOptions {
  readonly decodeImage: DecodeImage;
  /** Default: the place's name. */
  readonly name?: string;
  /** Data files by path; default: all .jsonl, .ndjson and .parquet files, else all .json files. */
  readonly dataFiles?: readonly string[];
  /** Throw a UserError at the first bad row instead of reporting it. */
  readonly strict?: boolean;
  /** Problems that the report keeps; all are counted. Default 100. */
  readonly keptProblems?: number;
  /** Bytes of images that are kept, the last used. Default 256 MiB: some 340 as SmolVLM takes them. */
  readonly imageCacheBytes?: number;
  readonly onProgress?: (rows: number) => void;
}

export interface RowProblem {
  /** From 1: the line in JSONL, the entry or row otherwise. */
  readonly row: number;
  readonly file: string;
  readonly column?: string;
  /** What is wrong, and what was expected. */
  readonly message: string;
}

export interface DatasetReport {
  /** Rows in the files, good and bad. */
  readonly rows: number;
  /** Of all rows, in the order in which they first come. */
  readonly columns: string[];
  /** The first ones. */
  readonly problems: RowProblem[];
  readonly problemCount: number;
  /** Rows without a problem. */
  readonly good: number;
  /** What was done to good rows that their owner may not expect. */
  readonly notes: string[];
  /** The good rows as they were read, their images not decoded. */
  readonly goodRows: readonly ParsedRow[];
  /** The good rows; their images are decoded when a row is asked for. Throws UserError where there are none. */
  dataset(): Dataset;
}

interface GoodRow extends ParsedRow {
  readonly file: string;
  readonly row: number;
}

const mostNotes = 20;

function findDataFiles(blobs: NamedBlobs): string[] {
  const lines = blobs.names.filter((name) => /\.(jsonl|ndjson|parquet)$/i.test(name));
  const side = /^(config|dataset_infos?|tokenizer.*|preprocessor_config|package(-lock)?)\.json$/i;
  const lists = blobs.names.filter((name) => /\.json$/i.test(name) && !side.test(baseName(name)));
  const found = lines.length > 0 ? lines : lists;
  if (found.length > 0) return found.toSorted();
  const seen = blobs.names.slice(0, 5).join(', ') || 'nothing';
  throw new UserError(
    `${blobs.where} holds no data: expected a .jsonl, .ndjson, .json or .parquet file, found ${seen}.`,
  );
}

/** A data file's rows, good and bad. */
export async function* readRows(blobs: NamedBlobs, file: string): AsyncGenerator<RawRow> {
  const blob = await blobs.open(file);
  if (!blob) throw new UserError(`${blobs.where} has no file "${file}".`);
  if (/\.parquet$/i.test(file)) yield* readParquet(blob, file);
  else if (/\.json$/i.test(file)) yield* readJsonList(blob, file);
  else yield* readJsonLines(blob, file);
}

/** Gathers problems and notes while rows come in. */
class Findings {
  readonly problems: RowProblem[] = [];
  readonly notes = new Set<string>();
  count = 0;
  readonly #kept: number;
  readonly #strict: boolean;

  constructor({ keptProblems = 100, strict = false }: DatasetOptions) {
    this.#kept = keptProblems;
    this.#strict = strict;
  }

  add(problem: RowProblem): void {
    if (this.#strict) throw new UserError(`${problem.file}, row ${problem.row}: ${problem.message}.`);
    this.count++;
    if (this.problems.length < this.#kept) this.problems.push(problem);
  }

  readonly note = (text: string): void => {
    if (this.notes.size < mostNotes) this.notes.add(text);
  };
}

/** What is wrong with a row's image, or null; a file that many rows name is looked at once. */
async function checkedImage({ image }: ParsedRow, seen: Map<string, string | null>): Promise<string | null> {
  const known = image.path === undefined ? undefined : seen.get(image.path);
  if (known !== undefined) return known;
  let problem: string | null;
  try {
    problem = await imageProblem(await image.open());
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  if (image.path !== undefined) seen.set(image.path, problem);
  return problem;
}

/** Reads one row; null where it has problems, which are added to the findings. */
async function readRow(
  raw: RawRow,
  file: string,
  place: ImageFolder,
  findings: Findings,
  seen: Map<string, string | null>,
): Promise<GoodRow | null> {
  const at = { row: raw.row, file };
  if (!raw.record) {
    findings.add({ ...at, message: raw.problem ?? 'the row is empty' });
    return null;
  }
  const parsed = parseRow(raw.record, place, findings.note);
  if ('problems' in parsed) {
    for (const problem of parsed.problems) findings.add({ ...at, ...problem });
    return null;
  }
  const message = await checkedImage(parsed.row, seen);
  if (message) {
    findings.add({ ...at, column: 'image', message });
    return null;
  }
  return { ...parsed.row, ...at };
}

/**
 * Reads all data files of a place. Rows with problems are reported and left out; the caller decides whether to go on.
 * Throws UserError where a file cannot be read at all, and at the first bad row when `strict`.
 */
export async function readDataset(
  source: NamedBlobs | readonly (File | PickedFile)[],
  options: DatasetOptions,
): Promise<DatasetReport> {
  const blobs = 'names' in source ? source : await pickedBlobs(source);
  const listed = new Set(blobs.names);
  const names = { has: (name: string) => blobs.has?.(name) ?? listed.has(name) };
  const findings = new Findings(options);
  const columns = new Set<string>();
  const good: GoodRow[] = [];
  const seen = new Map<string, string | null>();
  let rows = 0;
  for (const file of options.dataFiles ?? findDataFiles(blobs)) {
    const place: ImageFolder = { blobs, names, folder: folderOf(file) };
    for await (const raw of readRows(blobs, file)) {
      if (++rows > mostRows) throw new UserError(`${blobs.where} has more than ${mostRows} rows.`);
      for (const column of Object.keys(raw.record ?? {})) columns.add(column);
      const row = await readRow(raw, file, place, findings, seen);
      if (row) good.push(row);
      if (rows % 256 === 0) options.onProgress?.(rows);
    }
  }
  options.onProgress?.(rows);
  const name = options.name ?? blobs.where;
  return {
    rows,
    columns: [...columns],
    problems: findings.problems,
    problemCount: findings.count,
    good: good.length,
    goodRows: good,
    notes: [...findings.notes],
    dataset: () => new ImportedDataset(name, good, options),
  };
}

/** The good rows; images are kept as they were asked for, the last used ones, up to a number of bytes. */
class ImportedDataset implements Dataset {
  readonly name: string;
  readonly size: number;
  readonly #rows: readonly GoodRow[];
  readonly #decode: DecodeImage;
  readonly #cache = new Map<string, { bytes: number; readonly image: Promise<RasterImage> }>();
  readonly #most: number;
  #bytes = 0;
  /** Photographs are decoded one by one: each takes hundreds of megabytes until it is prepared. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(name: string, rows: readonly GoodRow[], options: DatasetOptions) {
    if (rows.length === 0) throw new UserError(`${name} has no good row to train on.`);
    this.name = name;
    this.size = rows.length;
    this.#rows = rows;
    this.#decode = options.decodeImage;
    this.#most = options.imageCacheBytes ?? 256 * 2 ** 20;
  }

  prompt(index: number): string {
    return this.#row(index).prompt;
  }

  async row(index: number, preparation?: ImagePreparation): Promise<Row> {
    const found = this.#row(index);
    const { file, row, prompt, answer, columns } = found;
    // Rows that name one file share its image.
    const key = `${preparation?.key ?? ''} | ${found.image.path ?? index}`;
    const image = await this.#image(key, found, preparation);
    return { id: `${file}:${row}`, prompt, image, answer, columns };
  }

  #row(index: number): GoodRow {
    const found = this.#rows[index];
    if (!found) throw new RangeError(`${this.name} has no row ${index}; it has ${this.size}`);
    return found;
  }

  #image(key: string, row: GoodRow, preparation?: ImagePreparation): Promise<RasterImage> {
    const kept = this.#cache.get(key) ?? { bytes: 0, image: this.#decodeRow(key, row, preparation) };
    // Last in the map: used last.
    this.#cache.delete(key);
    this.#cache.set(key, kept);
    return kept.image;
  }

  async #decodeRow(
    key: string,
    { file, row, image }: GoodRow,
    preparation?: ImagePreparation,
  ): Promise<RasterImage> {
    const decoded = this.#last.then(async () => {
      const whole = await this.#decode(await image.open());
      return preparation ? preparation.prepare(whole) : whole;
    });
    this.#last = decoded.catch(() => {});
    try {
      const own = await decoded;
      const kept = this.#cache.get(key);
      if (kept) this.#bytes += kept.bytes = own.data.length;
      this.#evict(key);
      return own;
    } catch (error) {
      this.#cache.delete(key);
      throw new UserError(`${file}, row ${row}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Drops the images used longest ago, but for the one just decoded and those still being decoded. */
  #evict(keep: string): void {
    for (const [key, { bytes }] of this.#cache) {
      if (this.#bytes <= this.#most) return;
      if (key === keep || bytes === 0) continue;
      this.#cache.delete(key);
      this.#bytes -= bytes;
    }
  }
}
