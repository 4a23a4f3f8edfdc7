/**
 * Runs reward code in QuickJS: a fresh runtime for every call, under a memory limit, a stack limit and a time limit,
 * and no object of the host inside. One native call of the interpreter (a sort of a huge array) cannot be interrupted
 * from here; whoever calls this in a worker also terminates the worker when the time is long past.
 */
import { type QuickJSContext, type QuickJSHandle, type QuickJSRuntime, Scope } from 'quickjs-emscripten-core';
import { type Engine, openEngine } from './engine.ts';
import { MAX_LOG_LINE, MAX_LOG_LINES, prelude } from './prelude.ts';
import type { FailureKind, SandboxFailure, SandboxReply, SandboxRequest, SandboxValue } from './protocol.ts';

/** What the WASM module starts with, and never goes below. */
const INITIAL_MEMORY = 16 * 1024 ** 2;
const MAX_STACK = 256 * 1024;
const MAX_MESSAGE = 500;
const FILE = 'reward.js';
const TOO_DEEP = 'it calls itself too deeply (stack overflow)';
const EXPORTED = 'papoReward';

/** Thrown inside `runRewardCode` to end it with this failure. */
class Failure extends Error {
  constructor(
    readonly kind: FailureKind,
    message: string,
    readonly line: number | null = null,
  ) {
    super(message);
  }
}

let engine: Promise<Engine> | undefined;

/** Loads the interpreter, so that the first call does not pay for it. */
export function loadEngine(): Promise<Engine> {
  engine ??= openEngine();
  return engine;
}

/** The interpreter under this memory limit: a fresh one where an earlier call made it grow beyond. */
async function engineWithin(memoryLimitBytes: number): Promise<Engine> {
  let opened = await loadEngine();
  if (opened.memoryBytes > Math.max(memoryLimitBytes, INITIAL_MEMORY)) {
    engine = undefined;
    opened = await loadEngine();
  }
  opened.memoryLimitBytes = memoryLimitBytes;
  opened.refused = false;
  return opened;
}

/** Evaluates `code` and calls its `reward` function with `args`; everything that can go wrong is in the reply. */
export async function runRewardCode(request: SandboxRequest): Promise<SandboxReply> {
  const logs: string[] = [];
  const failed = ({ kind, message, line }: SandboxFailure): SandboxReply => ({
    id: request.id,
    logs,
    failure: { kind, message, line },
  });
  let used: Engine | undefined;
  try {
    used = await engineWithin(request.memoryLimitBytes);
    const runtime = used.quickjs.newRuntime();
    // Not in a `finally`: an interpreter that broke down cannot be disposed of, and is dropped whole below.
    const values = new Call(used, runtime, request, logs).run();
    runtime.dispose();
    return values instanceof Failure ? failed(values) : { id: request.id, logs, values };
  } catch (error) {
    // Whatever broke the interpreter, the next call gets another one.
    engine = undefined;
    if (used?.refused) return failed(outOfMemory(request));
    const tooDeep = error instanceof RangeError && /call stack/.test(error.message);
    const message = tooDeep ? TOO_DEEP : `it broke the interpreter (${messageOf(error)})`;
    return failed({ kind: 'throw', message, line: null });
  }
}

function outOfMemory({ memoryLimitBytes }: SandboxRequest, line: number | null = null): Failure {
  const mib = Math.round(memoryLimitBytes / 1024 ** 2);
  return new Failure('memory', `it needs more than the ${mib} MiB of memory it may use`, line);
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** One call: its context, its limits. */
class Call {
  private late = false;
  private readonly context: QuickJSContext;
  private readonly deadline: number;
  private readonly helpers: QuickJSHandle;

  constructor(
    private readonly engine: Engine,
    private readonly runtime: QuickJSRuntime,
    private readonly request: SandboxRequest,
    private readonly logs: string[],
  ) {
    this.context = runtime.newContext();
    this.helpers = this.context.unwrapResult(this.context.evalCode(prelude, 'prelude.js'));
    runtime.setMaxStackSize(MAX_STACK);
    this.deadline = performance.now() + request.timeLimitMs;
    runtime.setInterruptHandler(() => {
      this.late ||= performance.now() > this.deadline;
      return this.late;
    });
  }

  run(): SandboxValue[] | Failure {
    const outcome = this.outcome();
    this.collectLogs();
    this.helpers.dispose();
    this.context.dispose();
    return outcome;
  }

  private outcome(): SandboxValue[] | Failure {
    try {
      return Scope.withScope((scope) => this.values(scope));
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  }

  private values(scope: Scope): SandboxValue[] {
    const { args, count } = this.request;
    const reward = this.rewardFunction(scope);
    if (args === null) return [];
    const json = scope.manage(this.context.newString(args));
    const columns = this.helper(scope, 'parse', [json]);
    const called = this.context.callFunction(reward, this.context.undefined, columns);
    const returned = this.settled(scope, this.value(scope, called, 'throw'));
    const wanted = scope.manage(this.context.newNumber(count));
    const text = this.context.getString(this.helper(scope, 'results', [returned, wanted]));
    return readResults(text, count);
  }

  /** `export default`, `export function reward`, or a plain `function reward`. */
  private rewardFunction(scope: Scope): QuickJSHandle {
    const { context } = this;
    const code = this.request.code.replace(/^\uFEFF/, '');
    // Behind the user's text, so that its lines keep their numbers. Where it declares no `reward` this does not
    // compile, and nothing has run yet.
    let result = context.evalCode(`${code}\nexport { reward as ${EXPORTED} };`, FILE, { type: 'module' });
    let name = EXPORTED;
    if (result.error && !this.late) {
      const error = scope.manage(result.error);
      const { message, line } = this.describe(error);
      const isOurs =
        /exported variable 'reward' does not exist/.test(message) || Number(line) > code.split('\n').length;
      if (!isOurs) throw this.failure(error, 'load');
      name = 'default';
      result = context.evalCode(code, FILE, { type: 'module' });
    }
    const exports = this.settled(scope, this.value(scope, result, 'load'), 'load');
    const reward = scope.manage(context.getProp(exports, name));
    if (context.typeof(reward) === 'function') return reward;
    throw new Failure(
      'load',
      'the code defines no function `reward`; expected `function reward({ prompts, completions, ...columns }) { … }` ' +
        'that returns a list of numbers',
    );
  }

  /** What a promise comes to; anything else as it is. */
  private settled(scope: Scope, handle: QuickJSHandle, kind: FailureKind = 'throw'): QuickJSHandle {
    const { context } = this;
    while (true) {
      const state = context.getPromiseState(handle);
      if (state.type === 'fulfilled') return state.notAPromise ? handle : scope.manage(state.value);
      if (state.type === 'rejected') throw this.failure(scope.manage(state.error), kind);
      if (!this.runtime.hasPendingJob()) {
        throw new Failure(kind, 'it returned a promise that nothing will ever settle');
      }
      const jobs = this.runtime.executePendingJobs(1000);
      if (jobs.error) throw this.failure(scope.manage(jobs.error), kind);
      jobs.dispose();
      if (performance.now() > this.deadline) this.late = true;
      if (this.late) throw this.timeout();
    }
  }

  private helper(scope: Scope, name: string, args: QuickJSHandle[]): QuickJSHandle {
    const f = scope.manage(this.context.getProp(this.helpers, name));
    return this.value(scope, this.context.callFunction(f, this.context.undefined, args), 'result');
  }

  private value(
    scope: Scope,
    result: ReturnType<QuickJSContext['callFunction']>,
    kind: FailureKind,
  ): QuickJSHandle {
    if (result.error) throw this.failure(scope.manage(result.error), kind);
    return scope.manage(result.value);
  }

  private timeout(): Failure {
    return new Failure('time', `it took more than ${this.request.timeLimitMs} ms`);
  }

  private failure(error: QuickJSHandle, kind: FailureKind): Failure {
    if (this.late) return this.timeout();
    const { name, message, line, stack } = this.describe(error);
    if (this.late) return this.timeout();
    const at = Number(line) || Number(new RegExp(`${FILE}:(\\d+)`).exec(stack)?.[1]) || null;
    // Without memory for an error, the interpreter throws null.
    const isMemory = name === 'InternalError' ? message === 'out of memory' : !name && message === 'null';
    if (isMemory && this.engine.refused) return outOfMemory(this.request, at);
    if (name === 'InternalError' && message === 'stack overflow') {
      return new Failure(kind, TOO_DEEP, at);
    }
    const text = [name, message].filter(Boolean).join(': ') || 'it threw a value that cannot be read';
    return new Failure(kind, text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text, at);
  }

  private describe(error: QuickJSHandle): { name: string; message: string; line: string; stack: string } {
    const unreadable = { name: '', message: '', line: '', stack: '' };
    return Scope.withScope((scope) => {
      const f = scope.manage(this.context.getProp(this.helpers, 'describe'));
      const result = this.context.callFunction(f, this.context.undefined, error);
      // A getter that never returns, or no memory left to describe an error with.
      if (result.error) {
        result.error.dispose();
        return unreadable;
      }
      return JSON.parse(this.context.getString(scope.manage(result.value)));
    });
  }

  private collectLogs(): void {
    Scope.withScope((scope) => {
      const f = scope.manage(this.context.getProp(this.helpers, 'collected'));
      const result = this.context.callFunction(f, this.context.undefined);
      if (result.error) return result.error.dispose();
      const { count, lines } = JSON.parse(this.context.getString(scope.manage(result.value)));
      for (const line of lines as string[]) {
        this.logs.push(line.length > MAX_LOG_LINE ? `${line.slice(0, MAX_LOG_LINE)}…` : line);
      }
      if (count > MAX_LOG_LINES) this.logs.push(`… ${count - MAX_LOG_LINES} more lines`);
    });
  }
}

function readResults(text: string, count: number): SandboxValue[] {
  const read = JSON.parse(text) as { type?: string; length?: number; values?: SandboxValue[] };
  if (read.values) return read.values;
  const got = read.type === undefined ? `${read.length} values` : kindOfValue(read.type);
  throw new Failure('result', `it returned ${got}; expected a list of ${count} numbers, one per completion`);
}

const kindOfValue = (type: string) =>
  type === 'undefined' ? 'nothing' : type === 'null' ? type : `a value of type ${type}`;
