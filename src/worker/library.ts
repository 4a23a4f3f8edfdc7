/**
 * The runs kept in this browser, and what can be done with them beside training: listing, handing out, pushing. What
 * hands them out is loaded when it is first wanted, so that it does not keep the first visit waiting.
 */
import { checkpointModel } from '../export/checkpoint-model.ts';
import type { OutFile, OutProgress } from '../export/out-file.ts';
import type { RunFilesOptions } from '../export/run-files.ts';
import { toDirectoryHandle } from '../export/to-directory-handle.ts';
import type { OpenModel } from '../store/open-folder.ts';
import type { RunInfo } from '../store/run-store.ts';
import { askPersistence, storageSpace } from '../store/storage-space.ts';
import { browserRuns } from '../trainer/platform-page.ts';
import type {
  ExportRequest,
  HeldOut,
  HistoryRow,
  PushRequest,
  RunRequest,
  RunSummary,
  StorageView,
  TransferProgress,
} from './protocol.ts';
import { heldOutOf, historyRow } from './run.ts';
import { changesBetween } from './run-changes.ts';
import { modelOfRun, requestOfRun } from './run-request.ts';

type Progress = (progress: TransferProgress) => void;

/** What of the page's model and data leaves with a run. */
export interface LibraryPlace {
  /** The model whose adapter a run trained. Throws a UserError where it is not the one that is loaded. */
  base(info: RunInfo): OpenModel;
  /** What a run trained on and was measured with. */
  data(info: RunInfo): Promise<NonNullable<RunFilesOptions['cluster']>>;
}

export class Library {
  readonly runs = browserRuns;
  /** Draws an SVG as PNG; only the page can. */
  painter?: (svg: string) => Promise<Uint8Array<ArrayBuffer>>;
  private transfer?: AbortController;

  constructor(private readonly place: LibraryPlace) {}

  /** Removes what tabs that were closed or crashed left half-done. */
  async sweep(): Promise<void> {
    const { sweepDownloads } = await import('../export/to-opfs.ts');
    await Promise.all([this.runs.sweep(), sweepDownloads()]);
  }

  async list(current: string | undefined): Promise<RunSummary[]> {
    const runs = await this.runs.list();
    return runs.map(({ id, info, checkpoints, bytes, isOpenElsewhere }, i) => {
      const before = runs.at(i + 1);
      const text = (key: string) =>
        typeof info.origin[key] === 'string' ? (info.origin[key] as string) : '';
      // Nobody writes to it, so it does not run: its tab was closed, or crashed.
      const isCutOff = info.state === 'running' && !isOpenElsewhere && id !== current;
      return {
        id,
        name: info.name,
        createdAt: info.createdAt,
        state: isCutOff ? 'stopped' : info.state,
        step: info.step,
        totalSteps: Number(info.origin.total_steps ?? info.settings.max_steps),
        bestMetric: info.bestMetric,
        bestStep: info.bestStep,
        checkpoints: checkpoints.map(({ step }) => step),
        checkpointBytes: checkpoints.map((checkpoint) => checkpoint.bytes),
        notes: info.labels?.notes ?? '',
        isStarred: info.labels?.isStarred ?? false,
        changes: before ? changesBetween(before.info, info) : null,
        bytes,
        isOpenElsewhere,
        isOpenHere: id === current,
        isCutOff,
        hasRewardCode: text('reward_code') !== '',
        model: text('model'),
        hasAdapter: info.settings.use_peft === true,
        base: info.settings.use_peft === true || checkpoints.length === 0 ? modelOfRun(info) : null,
        task: text('dataset_name') || text('task'),
      };
    });
  }

  /** What a run was begun with. */
  async request(id: string): Promise<RunRequest> {
    return requestOfRun((await (await this.runs.read(id)).info())!);
  }

  async history(id: string): Promise<{ rows: HistoryRow[]; heldOut: HeldOut[] }> {
    const run = await this.runs.read(id);
    const rows = await run.readLog();
    const questions = Number((await run.info())?.settings.num_eval_samples);
    return { rows: rows.map(historyRow), heldOut: heldOutOf(rows, questions) };
  }

  async storage(): Promise<StorageView> {
    const space = await storageSpace();
    return { used: space?.used ?? 0, free: space?.free ?? null, persistence: await askPersistence() };
  }

  async exportZip(request: ExportRequest, onProgress: Progress): Promise<File> {
    return this.transferring(onProgress, async (report, signal) => {
      const { name, files } = await this.files(request);
      const { toOpfs } = await import('../export/to-opfs.ts');
      return toOpfs(files, `${fileName(name)}-step-${request.step}${suffix(request.what)}.zip`, {
        onProgress: report,
        signal,
      });
    });
  }

  async exportFolder(
    request: ExportRequest,
    folder: FileSystemDirectoryHandle,
    onProgress: Progress,
  ): Promise<void> {
    return this.transferring(onProgress, async (report, signal) => {
      const { files } = await this.files(request);
      await toDirectoryHandle(files, folder, { onProgress: report, signal });
    });
  }

  async push(request: PushRequest, onProgress: Progress): Promise<string> {
    const { repo_id, token, isPrivate } = request;
    return this.transferring(onProgress, async (report, signal) => {
      const { files } = await this.files(request);
      const options = { repo_id, token, private: isPrivate, onProgress: report, signal };
      const { pushToHub } = await import('../export/hub.ts');
      return (await pushToHub(files, options)).url;
    });
  }

  cancel(): void {
    this.transfer?.abort(new Error('It was cancelled.'));
  }

  private async files(request: ExportRequest): Promise<{ name: string; files: OutFile[] }> {
    const { what, dtype, onnx, completions, step } = request;
    const [{ runFiles }, { adapterOnItsWay, isAdapter }, { baseTensors }] = await Promise.all([
      import('../export/run-files.ts'),
      import('./checkpoint-folder.ts'),
      import('../export/base-tensors.ts'),
    ]);
    const run = await this.runs.read(request.run);
    const info = (await run.info())!;
    const checkpoint = await run.openCheckpoint(step);
    const model = await checkpointModel(checkpoint);
    const rows = await run.readLog();
    const own = isAdapter(checkpoint) ? { adapter: adapterOnItsWay(checkpoint) } : {};
    // The adapter leaves alone; all else is the base with the adapter in it.
    const base = own.adapter && what !== 'adapter' ? { tensors: baseTensors(this.place.base(info)) } : {};
    const files = await runFiles(
      { ...model, ...base, ...own, info: { ...info, step }, rows },
      {
        what,
        dtype,
        onnx,
        completions,
        drawPng: this.painter,
        ...(what === 'cluster' && { cluster: await this.place.data(info) }),
      },
    );
    return { name: info.name, files };
  }

  /** One at a time, with the time that is left. */
  private async transferring<T>(
    onProgress: Progress,
    work: (report: (progress: OutProgress) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.transfer?.abort(new Error('Another one was begun.'));
    const own = new AbortController();
    this.transfer = own;
    const started = performance.now();
    let told = 0;
    try {
      return await work(({ bytes, totalBytes, file }) => {
        const now = performance.now();
        // Ten a second are enough to look at.
        if (now - told < 100 && bytes < totalBytes) return;
        told = now;
        const fraction = totalBytes > 0 ? bytes / totalBytes : 0;
        const gone = (now - started) / 1000;
        const secondsLeft = gone > 1 && fraction > 0 ? (gone / fraction) * (1 - fraction) : null;
        onProgress({ fraction, message: file, secondsLeft });
      }, own.signal);
    } finally {
      if (this.transfer === own) this.transfer = undefined;
    }
  }
}

/** What is in it, where it is not the model's folder. */
const suffix = (what: ExportRequest['what']) => (what === 'model' ? '' : `-${what}`);

/** A run's name as a part of a file's name. */
const fileName = (name: string) => name.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '') || 'papo';
