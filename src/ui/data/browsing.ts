/** The panel Data: what is looked at, its samples and statistics, and pages of rows that cannot be used. */
import { callback } from '../../worker/client.ts';
import type { Counting, DataSource, DataStatistics, ProblemRow } from '../../worker/data-protocol.ts';
import type { DatasetView, GroupView, Loaded } from '../../worker/protocol.ts';
import { type Core, messageOf } from '../core.ts';
import type { Form } from '../state.ts';
import { Store } from '../store.ts';

export interface SourceView {
  readonly samples: readonly GroupView[];
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly statistics?: DataStatistics;
  readonly counting?: Counting & { readonly secondsLeft: number | null };
  /** Of an imported dataset. */
  readonly facts?: DatasetView;
  readonly error?: string;
}

export interface ProblemPage {
  readonly dataset: string;
  readonly from: number;
  /** undefined while they are read. */
  readonly rows?: readonly ProblemRow[];
  readonly error?: string;
}

export interface BrowsingState {
  /** undefined: what the form has chosen. */
  readonly shown?: DataSource;
  readonly views: Readonly<Record<string, SourceView>>;
  readonly problems?: ProblemPage;
}

export const keyOf = (source: DataSource): string =>
  'task' in source ? `task ${source.task}` : `dataset ${source.dataset}`;

export const chosenSource = ({ task, dataset }: Form): DataSource =>
  dataset === undefined ? { task } : { dataset };

/** Samples that come at once. */
const samplesAtOnce = 12;
export const problemsAPage = 5;
/** Progress says how long it will take once it knows. */
const knownAfterMs = 1000;

const fresh: SourceView = { samples: [], hasMore: false, isLoading: false };

export class Browsing {
  readonly store = new Store<BrowsingState>({ views: {} });
  /** The model with which each source was counted. */
  private readonly countedWith = new Map<string, Loaded | undefined>();

  constructor(private readonly core: Core) {}

  look(source: DataSource): void {
    this.store.set({ shown: source });
    // On a narrow screen it stands below the list.
    requestAnimationFrame(() =>
      document.getElementById('source-title')?.scrollIntoView({ block: 'nearest' }),
    );
  }

  /** Samples, statistics and facts of a source, unless they are there or on their way. */
  async follow(source: DataSource): Promise<void> {
    const key = keyOf(source);
    const { loaded } = this.core.state;
    const known = this.store.snapshot().views[key];
    await Promise.all([
      known?.samples.length || known?.isLoading ? undefined : this.more(source),
      // Another model has other tokens.
      this.countedWith.has(key) && this.countedWith.get(key) === loaded ? undefined : this.count(source),
      'dataset' in source && !known?.facts ? this.facts(source.dataset, key) : undefined,
    ]);
  }

  async more(source: DataSource): Promise<void> {
    const key = keyOf(source);
    await this.guarded(key, async () => {
      this.change(key, { isLoading: true });
      const { samples } = this.view(key);
      const next = await this.core.service.dataSamples(source, samples.length, samplesAtOnce);
      this.change(key, { samples: [...samples, ...next], hasMore: next.length === samplesAtOnce });
    });
    this.change(key, { isLoading: false });
  }

  /** Turns to the page of problem rows that begins at this number. */
  async turn(dataset: string, from: number): Promise<void> {
    const set = (page: Partial<ProblemPage>) => {
      const now = this.store.snapshot().problems;
      if (now?.dataset === dataset && now.from === from) this.store.set({ problems: { ...now, ...page } });
    };
    this.store.set({ problems: { dataset, from } });
    try {
      set({ rows: await this.core.service.problemRows(dataset, from, problemsAPage) });
    } catch (error) {
      set({ error: messageOf(error) });
    }
  }

  private async count(source: DataSource): Promise<void> {
    const key = keyOf(source);
    const { loaded } = this.core.state;
    this.countedWith.set(key, loaded);
    const started = performance.now();
    const onProgress = ({ done, total }: Counting) => {
      const passed = performance.now() - started;
      const secondsLeft = passed < knownAfterMs ? null : ((passed / done) * (total - done)) / 1000;
      this.change(key, { counting: { done, total, secondsLeft } });
    };
    await this.guarded(key, async () => {
      try {
        const statistics = await this.core.service.dataStatistics(source, callback(onProgress));
        this.change(key, { statistics });
      } catch (error) {
        this.countedWith.delete(key);
        throw error;
      }
    });
    this.change(key, { counting: undefined });
  }

  private async facts(dataset: string, key: string): Promise<void> {
    await this.guarded(key, async () => {
      this.change(key, { facts: await this.core.service.datasetView(dataset) });
    });
  }

  private view = (key: string): SourceView => this.store.snapshot().views[key] ?? fresh;

  private change(key: string, change: Partial<SourceView>): void {
    const { views } = this.store.snapshot();
    this.store.set({ views: { ...views, [key]: { ...this.view(key), ...change } } });
  }

  private async guarded(key: string, work: () => Promise<void>): Promise<void> {
    this.change(key, { error: undefined });
    try {
      await work();
    } catch (error) {
      this.change(key, { error: messageOf(error) });
    }
  }
}
