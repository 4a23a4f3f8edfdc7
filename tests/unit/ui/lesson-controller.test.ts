/** The lesson drives a page, watches it, and gives back what it changed: here over a page without a worker. */
import { beforeEach, expect, it, vi } from 'vitest';
import { emptyHistory, withRow } from '../../../src/ui/curves/history.ts';
import { Lesson, type Page } from '../../../src/ui/lesson/lesson-controller.ts';
import { initialState, type State } from '../../../src/ui/state.ts';
import { Store } from '../../../src/ui/store.ts';
import type { HeldOut, Validation } from '../../../src/worker/protocol.ts';

beforeEach(() => {
  const items = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
  });
});

class FakePage {
  state: State = { ...initialState, lessonIsOpen: true };
  readonly calls: string[] = [];
  readonly looking = { store: new Store<object>({}), edit: () => this.calls.push('mask') };
  private readonly listeners: (() => void)[] = [];

  subscribe(listener: () => void) {
    this.listeners.push(listener);
    return () => undefined;
  }
  set(change: Partial<State>) {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
  async choose(change: Partial<State['form']>) {
    this.calls.push('choose');
    this.set({ form: { ...this.state.form, ...change } });
  }
  goTo(panel: State['panel']) {
    this.set({ panel });
  }
  async begin(start: () => Promise<boolean>) {
    await start();
  }
  async start(steps?: number) {
    this.calls.push(`start ${steps ?? 'to the end'}`);
    const values = this.state.form.settings;
    this.set({ run: 'running', history: emptyHistory(), heldOut: [], keptId: `run ${this.calls.length}` });
    this.set({ validation: { problems: [], warnings: [], values } as unknown as Validation });
    return true;
  }
  async stop() {
    this.calls.push('stop');
    this.set({ run: 'stopped' });
  }
}

function opened(fake = new FakePage()): { fake: FakePage; lesson: Lesson } {
  const lesson = new Lesson(fake as unknown as Page);
  lesson.open();
  return { fake, lesson };
}

const heldOut = (step: number, accuracy: number, format: number): HeldOut => ({
  step,
  questions: 256,
  accuracy,
  accuracyError: 0.03,
  shares: { sound: accuracy, perception: 0, reasoning: 0, format },
});

/** A run goes to its end with these perception KLs. */
function finish(fake: FakePage, kl: number[], evaluations: HeldOut[]): void {
  const history = kl.reduce(
    (all, value, i) => withRow(all, i + 1, { perception_kl: value }),
    fake.state.history,
  );
  fake.set({ history, heldOut: evaluations, run: 'finished' });
}
const rising = [0.04, 0.04, 0.04, 0.05, 0.05, 0.5, 1, 2, 3, 4];

it('sets its settings, shows a panel, starts a run, and keeps what was set before', async () => {
  const { fake, lesson } = opened();
  fake.set({ form: { ...fake.state.form, task: 'counting', settings: { seed: '7' } } });
  await lesson.drive();
  expect(fake.calls).toEqual(['choose', 'start 1']);
  expect(fake.state.panel).toBe('rollouts');
  expect(fake.state.form).toMatchObject({ task: 'shapes', settings: { per_device_train_batch_size: '64' } });
  // What the lesson set itself is not the visitor's.
  await lesson.drive();
  await lesson.giveBack();
  expect(fake.state.form).toMatchObject({ task: 'counting', settings: { seed: '7' } });
  expect(lesson.store.snapshot().before).toBeUndefined();
});

it('stops a run before it starts one, and tells its own from another', async () => {
  const { fake, lesson } = opened();
  await fake.start();
  expect(lesson.wouldStop()).toBe(true);
  await lesson.drive();
  expect(fake.calls.slice(1)).toEqual(['stop', 'choose', 'start 1']);
  expect(lesson.wouldStop()).toBe(false);
});

it('turns to a tick when it happened, also where the visitor set it', async () => {
  const { fake, lesson } = opened();
  lesson.goTo(4);
  expect(lesson.store.snapshot().finding).toBeUndefined();
  await fake.choose({ settings: { perception_loss_weight: '0.5' } });
  await fake.start();
  finish(fake, rising, [heldOut(0, 0.4, 0), heldOut(25, 0.7, 0), heldOut(50, 0.2, 0.8)]);
  expect(lesson.store.snapshot().met.hacking).toContain('20 % ± 3 % at step 50');
  expect(lesson.store.snapshot().runs.hacked).toMatchObject({
    gamma: 0.5,
    accuracy: 0.2,
    format: 0.8,
    kl: 2.1,
  });
});

it('goes by the settings of the run, not by those of the form after it', async () => {
  const { fake, lesson } = opened();
  lesson.goTo(3);
  await fake.choose({
    settings: { perception_loss_weight: '0.005', der_loss_weight1: '0.03', der_loss_weight2: '0.03' },
  });
  await fake.start();
  fake.set({ run: 'stopped' });
  const values = { perception_loss_weight: '0.3' };
  fake.set({ validation: { problems: [], warnings: [], values } as unknown as Validation });
  finish(fake, rising, [heldOut(0, 0.4, 0), heldOut(40, 0.7, 0)]);
  expect(Object.keys(lesson.store.snapshot().runs)).toEqual(['papo']);
  expect(lesson.store.snapshot().met.term).toBeDefined();
});

it('says what did not happen, and does not tick it', async () => {
  const { fake, lesson } = opened();
  lesson.goTo(4);
  await lesson.drive();
  finish(fake, rising, [heldOut(0, 0.4, 0), heldOut(50, 0.7, 0.02)]);
  expect(lesson.store.snapshot().finding?.state).toBe('missed');
  expect(lesson.store.snapshot().met.hacking).toBeUndefined();
});

it('goes on after a reload where it was left', async () => {
  const { lesson, fake } = opened();
  lesson.goTo(4);
  await lesson.drive();
  finish(fake, rising, [heldOut(0, 0.4, 0), heldOut(50, 0.2, 0.8)]);
  const again = new FakePage();
  again.state = { ...again.state, lessonIsOpen: false };
  const { lesson: later } = opened(again);
  expect(again.state.lessonIsOpen).toBe(true);
  expect(later.store.snapshot()).toMatchObject({ step: 4, met: { hacking: expect.any(String) } });
  expect(later.store.snapshot().runs.hacked?.accuracy).toBe(0.2);
  expect(later.store.snapshot().before).toBeDefined();
});

it('watches nothing while it is closed, and stays closed after a reload', async () => {
  const { fake, lesson } = opened();
  fake.set({ lessonIsOpen: false });
  lesson.goTo(4);
  await fake.choose({ settings: { perception_loss_weight: '0.5' } });
  await fake.start();
  finish(fake, rising, [heldOut(0, 0.4, 0), heldOut(50, 0.2, 0.8)]);
  expect(lesson.store.snapshot().met).toEqual({});
  const again = new FakePage();
  again.state = { ...again.state, lessonIsOpen: false };
  opened(again);
  expect(again.state.lessonIsOpen).toBe(false);
});

it('ends by giving the settings back', async () => {
  const { fake, lesson } = opened();
  await lesson.drive();
  await fake.stop();
  await lesson.finish();
  expect(fake.state.lessonIsOpen).toBe(false);
  expect(fake.state.form.settings).toEqual({});
});

it('opens the door to real models where one fits, says why where none does, and trains the one that is loaded', async () => {
  const { fake, lesson } = opened();
  let fits = false;
  Object.assign(fake, {
    guarded: (work: () => Promise<void>) => work(),
    service: { modelNeeds: async () => ({ lora: { bytes: 2.2e9, fits }, limit: 1e9 }) },
    models: { open: async () => fake.calls.push('picker') },
  });
  lesson.goTo(8);
  await lesson.drive();
  expect(fake.calls).toEqual([]);
  expect(lesson.store.snapshot().finding?.say).toContain('needs 2.2 GB here');
  fits = true;
  await lesson.drive();
  expect(fake.calls).toEqual(['picker']);
  expect(lesson.store.snapshot().finding).toBeUndefined();
  fake.set({ loaded: { isLarge: true, name: 'own/smolvlm' } as State['loaded'] });
  await lesson.drive();
  expect(fake.calls.slice(1)).toEqual(['choose', 'start to the end']);
  expect(fake.state.form).toMatchObject({ preset: 'smolvlm-lora', settings: { max_steps: '1' } });
});
