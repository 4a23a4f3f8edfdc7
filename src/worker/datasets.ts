/** Datasets that the user brought, kept in this browser so that a run can go on after a reload. */
import { createStore, del, entries, get, set, type UseStore } from 'idb-keyval';
import type { Dataset } from '../data/dataset.ts';
import { split } from '../data/dataset-split.ts';
import { UserError } from '../errors.ts';
import type { DatasetReport } from '../import/dataset.ts';
import type { PickedFile } from '../import/picked-files.ts';
import { randomId } from '../store/random-id.ts';
import type { DatasetSummary, DatasetView } from './protocol.ts';
import { rowView } from './views.ts';

interface Kept {
  readonly name: string;
  /** Rows that can be used. */
  readonly good: number;
  readonly files: readonly PickedFile[];
}

/** Of the rows, where the user brings no held-out set. */
export const heldOutShare = 0.125;
const shownRows = 8;

export class Datasets {
  private readonly store: UseStore = createStore('papo-web-datasets', 'datasets');
  private readonly open = new Map<string, { kept: Kept; report: DatasetReport }>();

  /** Reads the files; what can be used stays in this browser. Throws a UserError where no row can. */
  async add(files: readonly PickedFile[]): Promise<{ view: DatasetView; warning?: string }> {
    const name =
      files.length === 1 ? files[0].path : `${files[0]?.path ?? 'nothing'} and ${files.length - 1} more`;
    const report = await readFiles(files, name);
    if (report.good === 0)
      throw new UserError(
        [
          `${name}: none of ${report.rows} rows can be used.`,
          ...report.problems.slice(0, 5).map(problemLine),
        ].join('\n'),
      );
    const id = randomId();
    const kept = { name, good: report.good, files };
    this.open.set(id, { kept, report });
    let warning: string | undefined;
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

  async view(id: string): Promise<DatasetView> {
    const { kept, report } = await this.read(id);
    const data = report.dataset();
    const rows = await Promise.all(
      Array.from({ length: Math.min(shownRows, data.size) }, (_, i) => data.row(i)),
    );
    return {
      id,
      name: kept.name,
      rows: report.rows,
      good: report.good,
      columns: report.columns,
      problems: report.problems,
      problemCount: report.problemCount,
      notes: report.notes,
      hasAnswers: rows.some(({ answer }) => answer !== null),
      samples: rows.map(rowView),
    };
  }

  private async read(id: string): Promise<{ kept: Kept; report: DatasetReport }> {
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
  return readDataset(files, { decodeImage, name });
}

const problemLine = ({ file, row, column, message }: DatasetReport['problems'][number]) =>
  `${file}, row ${row}${column ? `, ${column}` : ''}: ${message}`;
