/** Datasets that the user brought, kept in this browser so that a run can go on after a reload. */
import { createStore, del, entries, get, set, type UseStore } from 'idb-keyval';
import type { Dataset } from '../data/dataset.ts';
import { split } from '../data/dataset-split.ts';
import { UserError } from '../errors.ts';
import type { DatasetReport, RowProblem } from '../import/dataset.ts';
import type { PickedFile } from '../import/picked-files.ts';
import type { RowContent } from '../import/rows-at.ts';
import { randomId } from '../store/random-id.ts';
import type { DatasetSummary, DatasetView } from './protocol.ts';
import { rowView } from './views.ts';

interface Kept {
  readonly name: string;
  /** Rows that can be used. */
  readonly good: number;
  readonly files: readonly PickedFile[];
}

/** A row that cannot be used, with what stands in it. */
export interface BadRow extends RowContent {
  readonly file: string;
  readonly row: number;
  readonly problems: readonly { readonly column?: string; readonly message: string }[];
}

interface Entry {
  readonly kept: Kept;
  readonly report: DatasetReport;
}

/** Of the rows, where the user brings no held-out set. */
export const heldOutShare = 0.125;
const shownRows = 8;

export class Datasets {
  private readonly store: UseStore = createStore('papo-web-datasets', 'datasets');
  private readonly open = new Map<string, Entry>();

  /** Reads the files; what can be used stays in this browser. Where no row can, nothing stays after a reload. */
  async add(files: readonly PickedFile[]): Promise<{ view: DatasetView; warning?: string }> {
    const name =
      files.length === 1 ? files[0].path : `${files[0]?.path ?? 'nothing'} and ${files.length - 1} more`;
    const report = await readFiles(files, name);
    if (report.rows === 0)
      throw new UserError(`${name} has no rows: expected one question with its image a row.`);
    const id = randomId();
    const kept = { name, good: report.good, files };
    this.open.set(id, { kept, report });
    let warning: string | undefined;
    if (report.good === 0) return { view: await this.view(id) };
    try {
      await set(id, kept, this.store);
    } catch {
      warning = `${name} could not be kept in this browser: after a reload it must be opened again before its runs can go on.`;
    }
    return { view: await this.view(id), warning };
  }

  /** Those kept in this browser; their files are not read for that. */
  async list(): Promise<DatasetSummary[]> {
    const kept = await entries<string, Kept>(this.store).catch(() => []);
    return kept.map(([id, { name, good }]) => ({ id, name, good }));
  }

  async remove(id: string): Promise<void> {
    this.open.delete(id);
    await del(id, this.store);
  }

  /** To train on, and a share held out. Throws a UserError where the dataset is not there any more. */
  async parts(id: string, seed: number): Promise<{ train: Dataset; heldOut: Dataset }> {
    return split((await this.read(id)).report.dataset(), heldOutShare, seed);
  }

  async report(id: string): Promise<DatasetReport> {
    return (await this.read(id)).report;
  }

  /** Rows that cannot be used, from this number on; their content is read again from the files. */
  async problemRows(id: string, from: number, count: number): Promise<BadRow[]> {
    const { kept, report } = await this.read(id);
    const rows = byRow(report.problems).slice(from, from + count);
    const [{ readRowsAt }, { pickedBlobs }] = await Promise.all([
      import('../import/rows-at.ts'),
      import('../import/picked-files.ts'),
    ]);
    const contents = await readRowsAt(await pickedBlobs(kept.files), rows);
    return rows.map((row, i) => ({ fields: [], ...contents[i], ...row }));
  }

  async view(id: string): Promise<DatasetView> {
    const { kept, report } = await this.read(id);
    const rows = await Promise.all(
      Array.from({ length: Math.min(shownRows, report.good) }, (_, i) => report.dataset().row(i)),
    );
    return {
      id,
      name: kept.name,
      rows: report.rows,
      good: report.good,
      columns: report.columns,
      problemRows: report.rows - report.good,
      notes: report.notes,
      hasAnswers: rows.some(({ answer }) => answer !== null),
      samples: rows.map(rowView),
    };
  }

  private async read(id: string): Promise<Entry> {
    const known = this.open.get(id);
    if (known) return known;
    const kept = await get<Kept>(id, this.store).catch(() => undefined);
    if (!kept)
      throw new UserError(
        'The dataset of this run is not in this browser any more; open its files again first.',
      );
    const report = await readFiles(kept.files, kept.name);
    const entry = { kept, report };
    this.open.set(id, entry);
    return entry;
  }
}

/** The readers of Parquet and zip are loaded when there is something to read. */
async function readFiles(files: readonly PickedFile[], name: string): Promise<DatasetReport> {
  const [{ readDataset }, { decodeImage }] = await Promise.all([
    import('../import/dataset.ts'),
    import('../import/decode-page.ts'),
  ]);
  return readDataset(files, { decodeImage, name, keptProblems: Number.POSITIVE_INFINITY });
}

/** Problems of one row stand one after the other. */
function byRow(problems: readonly RowProblem[]): Omit<BadRow, keyof RowContent>[] {
  const rows: { file: string; row: number; problems: { column?: string; message: string }[] }[] = [];
  for (const { file, row, ...problem } of problems) {
    const last = rows.at(-1);
    if (last?.file === file && last.row === row) last.problems.push(problem);
    else rows.push({ file, row, problems: [problem] });
  }
  return rows;
}
