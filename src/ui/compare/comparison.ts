/** Runs the two settings of a comparison one after the other, measures each, and says what differs. */
import { callback } from '../../worker/client.ts';
import type { EvaluationProgress } from '../../worker/evaluation-protocol.ts';
import type { Problem, RunRequest, RunState } from '../../worker/protocol.ts';
import { messageOf } from '../core.ts';
import { type History, historyOf } from '../curves/history.ts';
import { ChartsView } from '../curves/view.ts';
import { whileWorkerLives } from '../parts/worker-lives.ts';
import type { Session } from '../session.ts';
import { isGoing, requestOf } from '../state.ts';
import { Store } from '../store.ts';
import { text } from '../text.ts';
import { armsOf, type PairId, requestOfRun, sharedBy } from './pairs.ts';
import {
  forgetPlan,
  keepPlan,
  keptPlan,
  measuredPairs,
  type Plan,
  type PlannedRun,
  plannedRuns,
} from './plan.ts';

export interface CompareChoice {
  readonly pair: PairId;
  readonly own: readonly [string, string];
  readonly seeds: number;
  readonly steps: string;
  readonly questions: number;
  readonly samples: number;
}

export interface CompareState {
  readonly choice: CompareChoice;
  readonly plan?: Plan;
  readonly phase: 'idle' | 'training' | 'measuring';
  /** The place of the run in progress. */
  readonly at: number;
  readonly measuring?: EvaluationProgress;
  readonly stopping: boolean;
  /** Seconds that each run done in this visit took, its measurement included. */
  readonly seconds: readonly number[];
  readonly histories: ReadonlyMap<string, History>;
  readonly error?: string;
}

const hiddenCharts = ['loss', 'clipRatio', 'referenceKl', 'noSpread', 'length', 'errors', 'speed'] as const;
const t = text.compare;

const inWords = ({ field, message }: Problem) =>
  field === undefined ? message : text.train.problemOf(field, message);

class Stopped extends Error {}

export class Comparison {
  readonly store = new Store<CompareState>({
    choice: { pair: 'papo', own: ['', ''], seeds: 1, steps: '40', questions: 256, samples: 1 },
    phase: 'idle',
    at: 0,
    stopping: false,
    seconds: [],
    histories: new Map(),
  });
  readonly view = new ChartsView();

  constructor(private readonly session: Session) {
    this.view.store.set({ hidden: [...hiddenCharts] });
    void keptPlan().then((plan) => {
      if (plan && !this.state.plan) this.store.set({ plan });
    });
  }

  get isGoing(): boolean {
    return this.state.phase !== 'idle';
  }

  choose(change: Partial<CompareChoice>): void {
    this.store.set({ choice: { ...this.state.choice, ...change }, error: undefined });
  }

  /** Plans the runs and begins with the first. */
  async start(): Promise<void> {
    const { session } = this;
    const { choice } = this.state;
    const { loaded } = session.state;
    if (!loaded || isGoing(session.state) || this.isGoing) return;
    this.store.set({ error: undefined });
    try {
      const arms = armsOf(choice.pair, choice.own);
      const steps = Number(choice.steps);
      if (!Number.isInteger(steps) || steps < 1) throw new Error(t.badSteps(choice.steps));
      const plan: Plan = {
        arms,
        shared: sharedBy(requestOf(session.state.form), arms),
        steps,
        seeds: choice.seeds,
        questions: choice.questions,
        samples: choice.samples,
        model: loaded.model,
        runs: plannedRuns(choice.seeds),
      };
      await this.check(plan);
      this.keep(plan);
      this.store.set({ seconds: [], histories: new Map() });
    } catch (error) {
      this.store.set({ error: messageOf(error) });
      return;
    }
    await this.goOn();
  }

  /** What is missing is run: the rest of a run that was cut off, and those that did not begin. */
  async goOn(): Promise<void> {
    const { session } = this;
    const { plan } = this.state;
    if (!plan || this.isGoing || isGoing(session.state)) return;
    const { loaded } = session.state;
    if (loaded?.model !== plan.model) {
      this.store.set({ error: t.otherModel(plan.model) });
      return;
    }
    this.store.set({ phase: 'training', stopping: false, error: undefined });
    try {
      for (const [at, { measure }] of plan.runs.entries()) if (!measure) await this.runOne(at);
      const pairs = measuredPairs(this.plan);
      this.keep({ ...this.plan, result: await session.service.compareRuns(pairs) });
    } catch (error) {
      if (!(error instanceof Stopped)) this.store.set({ error: messageOf(error) });
    } finally {
      this.store.set({ phase: 'idle', measuring: undefined, stopping: false });
    }
  }

  /** Ends the run in progress; what was done is kept, and the comparison can go on. */
  async stop(): Promise<void> {
    this.store.set({ stopping: true });
    if (this.state.phase === 'measuring') await this.session.service.cancelEvaluation();
    else if (isGoing(this.session.state)) await this.session.stop();
  }

  /** Forgets the comparison; its runs stay among the kept ones. */
  async forget(): Promise<void> {
    await forgetPlan();
    this.store.set({ plan: undefined, error: undefined, histories: new Map(), seconds: [] });
  }

  /** Reads the numbers of runs that were trained before, once. */
  async readHistories(): Promise<void> {
    const { session } = this;
    for (const { run } of this.state.plan?.runs ?? []) {
      if (!run || this.state.histories.has(run) || run === session.state.keptId) continue;
      // A run may have been deleted: there is nothing to draw then.
      const found = await session.service.history(run).catch(() => undefined);
      if (found) this.setHistory(run, historyOf(found.rows));
    }
  }

  private get state(): CompareState {
    return this.store.snapshot();
  }

  private get plan(): Plan {
    return this.state.plan!;
  }

  private keep(plan: Plan): void {
    this.store.set({ plan });
    void keepPlan(plan);
  }

  private change(at: number, change: Partial<PlannedRun>): void {
    const { plan } = this;
    this.keep({ ...plan, runs: plan.runs.with(at, { ...plan.runs[at], ...change }) });
  }

  private setHistory(run: string, history: History): void {
    this.store.set({ histories: new Map([...this.state.histories, [run, history]]) });
  }

  /** Settings that cannot be used, or that are the same twice, are told before anything runs. */
  private async check(plan: Plan): Promise<void> {
    const values: string[] = [];
    for (const arm of [0, 1] as const) {
      const found = await this.session.service.validate(requestOfRun(plan, { arm, seed: 1 }));
      if (found.problems.length > 0)
        throw new Error(t.badArm(plan.arms[arm].name, found.problems.map(inWords).join(' ')));
      const { run_name: _, ...rest } = found.values;
      values.push(JSON.stringify(rest));
    }
    if (values[0] === values[1]) throw new Error(t.sameArms(plan.shared.preset));
  }

  private async runOne(at: number): Promise<void> {
    const { session } = this;
    const started = performance.now();
    this.store.set({ at, phase: 'training' });
    await this.train(at);
    if (this.state.stopping) throw new Stopped();
    const { run: id } = this.plan.runs[at];
    if (!id) throw new Error(t.notKept);
    this.setHistory(id, historyOf((await session.service.history(id)).rows));
    this.store.set({ phase: 'measuring' });
    const { plan } = this;
    const { questions, samples } = plan;
    // Both are measured behind the mask of the first, at its temperature.
    const run = requestOfRun(plan, { ...plan.runs[at], arm: 0 });
    const measure = await whileWorkerLives(session, (service) =>
      service.measureRun(
        { id, run, questions, samples },
        callback((measuring: EvaluationProgress) => this.store.set({ measuring })),
      ),
    );
    if (!measure) throw new Stopped();
    this.change(at, { measure });
    this.store.set({
      seconds: [...this.state.seconds, (performance.now() - started) / 1000],
      measuring: undefined,
    });
  }

  /** From its start, or from where it was cut off, to its end. */
  private async train(at: number): Promise<void> {
    const { session } = this;
    const { run: id } = this.plan.runs[at];
    const kept = id && (await session.service.runs()).find((run) => run.id === id);
    if (kept && kept.step >= this.plan.steps && kept.checkpoints.at(-1) === kept.step) return;
    const isGoingHere = isGoing(session.state) && id !== undefined && session.state.keptId === id;
    if (isGoing(session.state) && !isGoingHere) throw new Error(t.anotherRun);
    if (kept && !isGoingHere) await this.resume(kept.id);
    else if (!isGoingHere) await this.begin(requestOfRun(this.plan, this.plan.runs[at]));
    const end = await this.end((keptId) => {
      if (keptId !== this.plan.runs[at].run) this.change(at, { run: keptId });
    });
    if (end === 'failed') throw new Error(t.runFailed(session.state.error ?? ''));
    if (end !== 'finished') throw new Stopped();
  }

  private async begin(request: RunRequest): Promise<void> {
    if (await this.session.start(undefined, request)) return;
    throw new Error(t.runFailed(this.session.state.error ?? ''));
  }

  /** Settings on show stay the user's. */
  private async resume(id: string): Promise<void> {
    const { session } = this;
    const { device: _, ...form } = session.state.form;
    await session.resumeRun(id);
    if (!isGoing(session.state)) throw new Stopped();
    await session.choose(form);
  }

  /** Waits until the run is over; tells its place among the kept runs as soon as there is one. */
  private end(onKept: (id: string) => void): Promise<RunState | 'none'> {
    const { session } = this;
    return new Promise((resolve) => {
      const look = () => {
        const { run, keptId, pending } = session.state;
        if (keptId) onKept(keptId);
        if (isGoing(session.state) || pending === 'start') return;
        leave();
        resolve(run);
      };
      const leave = session.subscribe(look);
      queueMicrotask(look);
    });
  }
}
