/** Choosing a model: what is offered, what the Hub says of another, what is kept here, what the site has. */
import type { CachedModelView, HubModelView, ModelChoice, ModelNeeds } from '../../worker/model-protocol.ts';
import { type Core, messageOf } from '../core.ts';
import { Store } from '../store.ts';
import { offers } from './offers.ts';

/** A model of the Hub as it was typed. The token is in the dialog alone, and goes with it. */
export interface Typed {
  readonly id: string;
  readonly revision: string;
  readonly token: string;
}

export interface ModelsState {
  readonly isOpen: boolean;
  /** By offer; a sentence where it could not be planned. */
  readonly needs: Readonly<Record<string, ModelNeeds | string>>;
  readonly cached: readonly CachedModelView[];
  /** Folders that the site lists. */
  readonly site: readonly string[];
  readonly isLookingUp: boolean;
  readonly found?: HubModelView;
  /** What went wrong here: of a look-up, a list, a deletion. */
  readonly problem?: string;
}

export class Models {
  readonly store = new Store<ModelsState>({
    isOpen: false,
    needs: {},
    cached: [],
    site: [],
    isLookingUp: false,
  });
  /** The device for which the needs are. */
  private device?: string;

  constructor(
    private readonly core: Core,
    private readonly loadModel: (choice: ModelChoice, token?: string) => Promise<boolean>,
  ) {}

  async open(): Promise<void> {
    this.store.set({ isOpen: true, problem: undefined, found: undefined });
    await Promise.all([this.refresh(), this.listSite(), this.plan()]);
  }

  close(): void {
    this.store.set({ isOpen: false, found: undefined, isLookingUp: false });
  }

  async load(choice: ModelChoice, token?: string): Promise<void> {
    this.close();
    await this.loadModel(choice, token);
  }

  async lookUp({ id, revision, token }: Typed): Promise<void> {
    this.store.set({ isLookingUp: true, found: undefined, problem: undefined });
    try {
      const found = await this.core.service.lookUpModel(
        id,
        revision.trim() || undefined,
        token.trim() || undefined,
      );
      if (this.store.snapshot().isOpen) this.store.set({ found });
    } catch (error) {
      this.store.set({ problem: messageOf(error) });
    } finally {
      this.store.set({ isLookingUp: false });
    }
  }

  async delete(key: string): Promise<void> {
    this.store.set({ problem: undefined });
    try {
      await this.core.service.deleteCachedModel(key);
    } catch (error) {
      this.store.set({ problem: messageOf(error) });
    }
    await this.refresh();
  }

  private async refresh(): Promise<void> {
    try {
      this.store.set({ cached: await this.core.service.cachedModels() });
    } catch (error) {
      this.store.set({ problem: messageOf(error) });
    }
  }

  /** Sites that list no models have none to offer; one may still be typed. */
  private async listSite(): Promise<void> {
    try {
      const response = await fetch(new URL('models/index.json', document.baseURI));
      const list: unknown = response.ok ? await response.json() : [];
      const isName = (name: unknown): name is string => typeof name === 'string' && /^[\w.-]+$/.test(name);
      this.store.set({ site: Array.isArray(list) ? list.filter(isName) : [] });
    } catch {
      this.store.set({ site: [] });
    }
  }

  /** What each would take on the device that is there, one after the other: the small ones are known first. */
  private async plan(): Promise<void> {
    const { loaded } = this.core.state;
    if (!loaded) return;
    if (this.device !== loaded.device.label) this.store.set({ needs: {} });
    this.device = loaded.device.label;
    for (const { id, choice } of offers()) {
      if (this.store.snapshot().needs[id] !== undefined) continue;
      const of = choice.kind === 'built-in' ? { url: choice.url } : (id as 'smolvlm-256m');
      const needs = await this.core.service.modelNeeds(of).catch(messageOf);
      if (this.device !== loaded.device.label) return;
      this.store.set({ needs: { ...this.store.snapshot().needs, [id]: needs } });
    }
  }
}
