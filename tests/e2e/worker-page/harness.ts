/** The page's own worker without the page: starts a run or goes on with it, and tells what is kept of it. */

import { openRuns } from '../../../src/store/idb-runs.ts';
import { type Client, callback, startWorker } from '../../../src/worker/client.ts';
import type { DeviceChoice, RunEvent, RunRequest } from '../../../src/worker/protocol.ts';

export class Harness {
  private client: Client = startWorker((message) => this.failures.push(message));
  /** Steps of this life, and how the run stands. */
  steps = 0;
  state = 'none';
  readonly failures: string[] = [];
  readonly warnings: string[] = [];
  /** Milliseconds for which each save held the training. */
  readonly pauses: number[] = [];

  async load(device: DeviceChoice): Promise<void> {
    const [file] = document.querySelector('input')!.files!;
    await this.client.service.load(
      { kind: 'files', files: [{ path: file.name, file }] },
      device,
      callback(() => {}),
    );
  }

  /** papo-nano itself, from the page's own origin. */
  async loadNano(): Promise<void> {
    await this.client.service.load(
      { kind: 'built-in', url: '/models/papo-nano/' },
      'cpu',
      callback(() => {}),
    );
  }

  async start(request: RunRequest): Promise<string[]> {
    const { problems } = await this.client.service.start(request, this.listener());
    return problems.map(({ message }) => message);
  }

  async resume(): Promise<void> {
    this.failures.length = 0;
    this.state = 'none';
    const [run] = await this.client.service.runs();
    await this.client.service.resumeRun(run.id, this.listener());
  }

  /** How this tab fares with a run that another tab has open. */
  async readOnly(): Promise<{ isOpenElsewhere: boolean; rows: number; refusal: string }> {
    const [run] = await this.client.service.runs();
    const { rows } = await this.client.service.history(run.id);
    const refusal = await this.client.service.resumeRun(run.id, this.listener()).then(
      () => 'none',
      (error: Error) => error.message,
    );
    return { isOpenElsewhere: run.isOpenElsewhere, rows: rows.length, refusal };
  }

  async isOpenElsewhere(): Promise<boolean> {
    return (await this.client.service.runs())[0].isOpenElsewhere;
  }

  setVisible(visible: boolean): Promise<void> {
    return this.client.service.setVisible(visible);
  }

  stop(): Promise<void> {
    return this.client.service.stop();
  }

  crashWorker(): void {
    this.client.terminate();
    this.client = startWorker((message) => this.failures.push(message));
  }

  /**
   * Of the newest run, or of the one before it: digests of all tensors of its last checkpoint and of its rollouts, and
   * its history without what a clock says.
   */
  async kept(
    number: number,
  ): Promise<{ step: number; digest: string; rows: string[]; checkpoints: number[]; rollouts: string[] }> {
    const runs = openRuns();
    const { id } = (await runs.list())[number];
    const run = await runs.read(id);
    const checkpoints = (await run.checkpoints()).map(({ step }) => step);
    const last = await run.openCheckpoint(checkpoints.at(-1)!);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (const name of [...last.tensors.keys()].sort()) {
      const { data, shape } = await last.read(name);
      parts.push(new TextEncoder().encode(`${name} ${shape}`));
      parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice());
    }
    const hash = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer());
    const rows = (await run.readLog()).map(({ metrics, ...row }) => {
      const { step_time: _, eval_runtime: __, ...numbers } = metrics;
      return JSON.stringify({ ...row, metrics: numbers });
    });
    const rollouts = await Promise.all(
      (await run.rollouts()).map(async ({ step }) => {
        const bytes = Uint8Array.from(await run.readRollout(step));
        return `${step} ${new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).join()}`;
      }),
    );
    return { step: last.step, digest: new Uint8Array(hash).join(), rows, checkpoints, rollouts };
  }

  /** Keys in the database that no commit record, log or run speaks for. */
  async orphans(): Promise<number> {
    const runs = openRuns();
    const count = () =>
      new Promise<number>((resolve, reject) => {
        const request = indexedDB.open('papo-web-runs');
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const database = request.result;
          const keys = database.transaction('runs').objectStore('runs').count();
          keys.onsuccess = () => {
            database.close();
            resolve(keys.result);
          };
        };
      });
    const before = await count();
    await runs.sweep();
    return before - (await count());
  }

  private listener() {
    return callback((event: RunEvent) => {
      if (event.type === 'step') this.steps++;
      if (event.type === 'warning') this.warnings.push(event.message);
      if (event.type === 'saved') this.pauses.push(event.pauseMs);
      if (event.type === 'state') {
        this.state = event.state;
        if (event.message) this.failures.push(event.message);
      }
    });
  }
}

Object.assign(globalThis, { harness: new Harness() });
