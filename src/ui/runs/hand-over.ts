/** Handing a checkpoint over: as a zip, into a folder, to the Hub. One at a time, with its progress. */
import { callback } from '../../worker/client.ts';
import type { ExportRequest, PushRequest, TransferProgress } from '../../worker/protocol.ts';
import { type Core, messageOf } from '../core.ts';
import { bytes } from '../parts/format.ts';
import type { Transfer } from '../state.ts';
import { text } from '../text.ts';

const t = text.runs.handOver;

/** Browsers read a download's file after the click, and say nothing when they are done. */
const downloadMs = 10 * 60_000;

type Picker = (options: { mode: 'readwrite' }) => Promise<FileSystemDirectoryHandle>;
const picker = () => (globalThis as { showDirectoryPicker?: Picker }).showDirectoryPicker;

export class HandOver {
  /** The one whose progress is shown. */
  private current = 0;

  constructor(private readonly core: Core) {}

  get canPickFolder(): boolean {
    return picker() !== undefined;
  }

  async zip(request: ExportRequest): Promise<void> {
    await this.show(async (onProgress) => {
      const file = await this.core.service.exportZip(request, onProgress);
      const url = URL.createObjectURL(file);
      const link = document.createElement('a');
      link.href = url;
      link.download = file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), downloadMs);
      return { message: t.wentTo(file.name, bytes(file.size)) };
    });
  }

  async folder(request: ExportRequest): Promise<void> {
    let folder: FileSystemDirectoryHandle;
    try {
      folder = await picker()!({ mode: 'readwrite' });
    } catch (error) {
      // Closing the browser's dialog is no mistake.
      if ((error as Error).name !== 'AbortError')
        this.core.set({ transfer: { state: 'failed', message: messageOf(error) } });
      return;
    }
    await this.show(async (onProgress) => {
      await this.core.service.exportFolder(request, folder, onProgress);
      return { message: t.written(folder.name) };
    });
  }

  async push(request: PushRequest): Promise<void> {
    await this.show(async (onProgress) => {
      const url = await this.core.service.push(request, onProgress);
      return { message: t.pushed, url };
    });
  }

  cancel(): void {
    void this.core.service.cancelTransfer();
  }

  /** Forgets what came of the last one; one that goes on is cancelled. */
  close(): void {
    if (this.core.state.transfer?.state === 'going') this.cancel();
    this.current++;
    this.core.set({ transfer: undefined });
  }

  private async show(
    work: (onProgress: (progress: TransferProgress) => void) => Promise<Omit<Transfer, 'state'>>,
  ): Promise<void> {
    const number = ++this.current;
    const tell = (transfer: Transfer) => {
      if (number === this.current) this.core.set({ transfer });
    };
    tell({ state: 'going' });
    try {
      const done = await work(
        callback((progress: TransferProgress) => {
          if (this.core.state.transfer?.state === 'going') tell({ state: 'going', progress });
        }),
      );
      tell({ state: 'done', ...done });
    } catch (error) {
      tell({ state: 'failed', message: messageOf(error) });
    }
  }
}
