/** The model picker's and the plan's controllers, over a page without a worker. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Models } from '../../../src/ui/models/models.ts';
import { Planned } from '../../../src/ui/models/planned.ts';
import { initialState, type State } from '../../../src/ui/state.ts';
import type { Loaded, ModelChoice, PlanView } from '../../../src/worker/model-protocol.ts';
import type { Validation } from '../../../src/worker/protocol.ts';

const loaded = (more: Partial<Loaded> = {}) =>
  ({
    name: 'papo-nano',
    mark: 'a',
    isLarge: false,
    device: { kind: 'cpu', label: 'CPU' },
    ...more,
  }) as Loaded;
const valid = { problems: [], warnings: [], values: {}, preset: {} } as unknown as Validation;

class FakePage {
  state: State = { ...initialState, loaded: loaded(), validation: valid };
  service: Record<string, (...args: never[]) => Promise<unknown>> = {};
  private readonly listeners: (() => void)[] = [];
  subscribe(listener: () => void) {
    this.listeners.push(listener);
    return () => undefined;
  }
  set(change: Partial<State>) {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
  guarded = (work: () => Promise<void>) => work();
}

let page: FakePage;
beforeEach(() => {
  page = new FakePage();
  vi.stubGlobal('document', { baseURI: 'https://own.test/papo/' });
  vi.stubGlobal('fetch', async () => Response.json(['papo-nano', 'my-smolvlm', '../elsewhere', 7]));
});

describe('the model picker', () => {
  const needs = { parameters: 1, lora: { bytes: 1, fits: true }, full: null, limit: null };
  function opened() {
    const calls: string[] = [];
    page.service = {
      cachedModels: async () => [],
      modelNeeds: async (of: unknown) => {
        calls.push(typeof of === 'string' ? of : (of as { url: string }).url);
        if (of === 'smolvlm-500m') throw new Error('too large to plan');
        return needs;
      },
    };
    const taken: [ModelChoice, string | undefined][] = [];
    const models = new Models(page as never, async (choice, token) => {
      taken.push([choice, token]);
      return true;
    });
    return { models, calls, taken };
  }

  it('lists the site’s folders by plain names, and plans what it offers once a device', async () => {
    const { models, calls } = opened();
    await models.open();
    const { isOpen, site, needs: planned } = models.store.snapshot();
    expect(isOpen).toBe(true);
    expect(site).toEqual(['papo-nano', 'my-smolvlm']);
    expect(calls).toEqual(['https://own.test/papo/models/papo-nano/', 'smolvlm-256m', 'smolvlm-500m']);
    expect(planned['smolvlm-256m']).toEqual(needs);
    expect(planned['smolvlm-500m']).toBe('too large to plan');
    models.close();
    await models.open();
    expect(calls).toHaveLength(3);
    page.set({ loaded: loaded({ device: { kind: 'webgpu', label: 'GPU' } }) });
    await models.open();
    expect(calls).toHaveLength(6);
  });

  it('keeps no token: it goes with the one call', async () => {
    const { models, taken } = opened();
    await models.open();
    const found = { id: 'own/model', commit: 'c' };
    let asked: unknown[] = [];
    page.service.lookUpModel = async (...args: unknown[]) => {
      asked = args;
      return found;
    };
    await models.lookUp({ id: 'own/model', revision: ' ', token: ' hf_secret ' });
    expect(asked).toEqual(['own/model', undefined, 'hf_secret']);
    expect(models.store.snapshot().found).toEqual(found);
    await models.load({ kind: 'hub', id: 'own/model' }, 'hf_secret');
    expect(taken).toEqual([[{ kind: 'hub', id: 'own/model' }, 'hf_secret']]);
    expect(JSON.stringify(models.store.snapshot())).not.toContain('hf_secret');
    expect(models.store.snapshot().isOpen).toBe(false);
  });

  it('says what went wrong with a look-up and a deletion, and lists what is left', async () => {
    const { models } = opened();
    await models.open();
    page.service.lookUpModel = () => Promise.reject(new Error('no such model'));
    await models.lookUp({ id: 'own/model', revision: '', token: '' });
    expect(models.store.snapshot()).toMatchObject({ problem: 'no such model', isLookingUp: false });
    page.service.deleteCachedModel = () => Promise.reject(new Error('it is being loaded'));
    page.service.cachedModels = async () => [{ key: 'k' }];
    await models.delete('k');
    expect(models.store.snapshot().cached).toEqual([{ key: 'k' }]);
  });
});

describe('the memory plan', () => {
  const plan = (total: number) => ({ total }) as PlanView;
  const later = () => vi.advanceTimersByTimeAsync(500);
  function opened() {
    vi.useFakeTimers();
    const asked: unknown[] = [];
    page.service = {
      plan: async (request: unknown) => plan(asked.push(request)),
      estimateStep: async () => ({ seconds: 3, rollout: 1, training: 2 }),
    };
    const planned = new Planned(page as never);
    planned.open();
    return { planned, asked };
  }

  it('is made while somebody looks, once for each form, and not while a run goes on', async () => {
    const { planned, asked } = opened();
    page.set({});
    await later();
    expect(asked).toHaveLength(0);
    planned.show(true);
    await later();
    expect(asked).toHaveLength(1);
    expect(planned.store.snapshot().plan?.total).toBe(1);
    page.set({ panel: 'runs' });
    await later();
    expect(asked).toHaveLength(1);
    const { form } = page.state;
    for (const typed of ['1', '12', '128'])
      page.set({ form: { ...form, settings: { max_completion_length: typed } } });
    await later();
    expect(asked).toHaveLength(2);
    expect(asked[1]).toMatchObject({ settings: { max_completion_length: '128' } });
    page.set({ run: 'running', form });
    await later();
    expect(asked).toHaveLength(2);
    // Of a small model nobody asks how long a step takes.
    expect(planned.store.snapshot().estimate).toBeUndefined();
    vi.useRealTimers();
  });

  it('says how long a step of a large model takes, and forgets all with the model', async () => {
    const { planned } = opened();
    page.set({ loaded: loaded({ isLarge: true }) });
    await later();
    expect(planned.store.snapshot().estimate?.seconds).toBe(3);
    planned.show(true);
    await later();
    expect(planned.store.snapshot().plan).toBeDefined();
    page.set({ loaded: undefined });
    expect(planned.store.snapshot()).toMatchObject({ plan: undefined, estimate: undefined });
    vi.useRealTimers();
  });

  it('shows a refusal, and the next plan in its place', async () => {
    const { planned } = opened();
    page.service.plan = () => Promise.reject(new Error('no such module'));
    planned.show(true);
    await later();
    expect(planned.store.snapshot()).toMatchObject({ problem: 'no such module', isAsking: false });
    page.service.plan = async () => plan(7);
    page.set({ form: { ...page.state.form, settings: { lora_r: '4' } } });
    await later();
    expect(planned.store.snapshot()).toMatchObject({ problem: undefined, plan: { total: 7 } });
    vi.useRealTimers();
  });
});
