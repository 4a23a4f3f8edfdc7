/** The trainer's side of the sandbox: a reward function whose code runs at the other end of a MessagePort. */
import { UserError } from '../../errors.ts';
import { RewardTimeoutError } from '../guard.ts';
import { Junk, type RewardArgs, type RewardFunction } from '../rewards.ts';
import { plainJavaScript } from './plain-javascript.ts';
import {
  READY,
  RESTART,
  type SandboxFailure,
  type SandboxReply,
  type SandboxRequest,
  type SandboxValue,
} from './protocol.ts';

export interface RewardCode {
  /** From `openSandbox` (page) or `openNodeSandbox`; one port serves any number of rewards, one call at a time. */
  readonly port: MessagePort;
  /** JavaScript or TypeScript that defines `function reward({ prompts, completions, ...columns })`, exported or not. */
  readonly code: string;
  /** For messages. */
  readonly name: string;
  /** Of one call. Default 10,000. */
  readonly timeLimitMs?: number;
  /** Of one call, its arguments included. Default 64 MiB. */
  readonly memoryLimitBytes?: number;
  /** What the code gave to console.log in one call: at most 200 lines of 500 characters, and a count of the rest. */
  readonly onLog?: (lines: string[]) => void;
}

/** Reward code failed. `line` is in the user's code, from 1. */
export class RewardCodeError extends Error {
  override name = 'RewardCodeError';
  constructor(
    message: string,
    readonly line: number | null,
  ) {
    super(message);
  }
}

/** Beyond the time limit, before the worker is terminated. */
const GRACE_MS = 1000;
const START_MS = 30_000;

/**
 * A reward function that runs `code` in the sandbox. Columns that are not JSON (images) are not passed. It throws a
 * RewardTimeoutError past the time limit, a UserError where the code does not load, else a RewardCodeError.
 */
export function sandboxedReward(options: RewardCode): RewardFunction {
  return async (args) => {
    const values = await call(options, JSON.stringify(jsonColumns(args)), args.completions.length);
    // What is no reward stays recognisable; whoever computes rewards refuses it by row.
    return values.map((value) =>
      typeof value === 'object' && value !== null ? new Junk(value.junk) : value,
    ) as (number | null)[];
  };
}

/** Evaluates the code without calling its function. Throws a UserError that says what is wrong, and in which line. */
export async function checkRewardCode(options: RewardCode): Promise<void> {
  try {
    await call(options, null, 0);
  } catch (error) {
    throw error instanceof UserError ? error : new UserError((error as Error).message);
  }
}

/** Everything that one call of the code came to, for whoever shows it. */
export async function tryRewardCode(
  options: RewardCode,
  args: RewardArgs,
): Promise<Omit<SandboxReply, 'id'>> {
  return send(options, JSON.stringify(jsonColumns(args)), args.completions.length);
}

async function send(
  { port, code, timeLimitMs = 10_000, memoryLimitBytes = 64 * 1024 ** 2 }: RewardCode,
  args: string | null,
  count: number,
): Promise<Omit<SandboxReply, 'id'>> {
  const plain = await plainJavaScript(code);
  if ('failure' in plain) return { logs: [], failure: plain.failure };
  return Client.of(port).call({ code: plain.code, args, count, timeLimitMs, memoryLimitBytes });
}

async function call(options: RewardCode, args: string | null, count: number): Promise<SandboxValue[]> {
  const { name, onLog } = options;
  const reply = await send(options, args, count);
  if (reply.logs.length) onLog?.(reply.logs);
  if (reply.failure) throw errorOf(name, reply.failure);
  const { values } = reply;
  if (!values || values.length !== count) throw new RewardCodeError(`reward "${name}": no answer came`, null);
  return values;
}

function errorOf(name: string, { kind, message, line }: SandboxFailure): Error {
  const text = `reward "${name}"${line === null ? '' : `, line ${line}`}: ${message}`;
  if (kind === 'time') return new RewardTimeoutError(text);
  return kind === 'load' ? new UserError(text) : new RewardCodeError(text, line);
}

/** One a port: numbers the calls, sends one at a time, and has the worker replaced when it hangs. */
class Client {
  private static readonly clients = new WeakMap<MessagePort, Client>();
  private last: Promise<unknown> = Promise.resolve();
  private id = 0;
  private ready!: Promise<void>;
  private onReady!: () => void;
  private waiting: { id: number; resolve: (reply: SandboxReply) => void } | null = null;

  static of(port: MessagePort): Client {
    const known = Client.clients.get(port);
    if (known) return known;
    const client = new Client(port);
    Client.clients.set(port, client);
    return client;
  }

  private constructor(private readonly port: MessagePort) {
    this.expectWorker();
    port.addEventListener('message', ({ data }: MessageEvent<unknown>) => this.receive(data));
    port.start();
  }

  call(request: Omit<SandboxRequest, 'id'>): Promise<SandboxReply> {
    const result = this.last.then(() => this.send({ ...request, id: this.id++ }));
    this.last = result.catch(() => undefined);
    return result;
  }

  private async send(request: SandboxRequest): Promise<SandboxReply> {
    if ((await before(START_MS, this.ready)) === LATE) {
      this.restart();
      throw new RewardTimeoutError('the sandbox of reward code does not start');
    }
    const answer = new Promise<SandboxReply>((resolve) => {
      this.waiting = { id: request.id, resolve };
    });
    this.port.postMessage(request);
    const reply = await before(request.timeLimitMs + GRACE_MS, answer);
    this.waiting = null;
    if (reply !== LATE) return reply;
    this.restart();
    const message = `it took more than ${request.timeLimitMs} ms, and had to be terminated`;
    return { id: request.id, logs: [], failure: { kind: 'time', message, line: null } };
  }

  private receive(data: unknown): void {
    if (data === READY) this.onReady();
    else if (this.waiting && isReply(data) && data.id === this.waiting.id) this.waiting.resolve(data);
  }

  private restart(): void {
    this.expectWorker();
    this.port.postMessage(RESTART);
  }

  private expectWorker(): void {
    this.ready = new Promise((resolve) => {
      this.onReady = resolve;
    });
  }
}

const LATE = Symbol('late');

async function before<T>(ms: number, promise: Promise<T>): Promise<T | typeof LATE> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whatever got out of the interpreter could send anything. */
function isReply(data: unknown): data is SandboxReply {
  if (typeof data !== 'object' || data === null) return false;
  const { id, logs, values, failure } = data as Partial<SandboxReply>;
  const isFailure = (f: SandboxFailure) =>
    typeof f?.message === 'string' && (f.line === null || typeof f.line === 'number');
  const isValue = (v: unknown) =>
    v === null ||
    typeof v === 'number' ||
    typeof v === 'boolean' ||
    (typeof v === 'object' && typeof (v as { junk?: unknown }).junk === 'string');
  return (
    typeof id === 'number' &&
    Array.isArray(logs) &&
    logs.every((line) => typeof line === 'string') &&
    (values === undefined || (Array.isArray(values) && values.every(isValue))) &&
    (failure === undefined || isFailure(failure)) &&
    (values === undefined) !== (failure === undefined)
  );
}

/** The columns that JSON can carry. */
function jsonColumns(args: RewardArgs): Record<string, readonly unknown[]> {
  return Object.fromEntries(Object.entries(args).filter(([, values]) => values.every(isJson)));
}

function isJson(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value !== 'object') return ['string', 'number', 'boolean'].includes(typeof value);
  if (Array.isArray(value)) return value.every(isJson);
  const prototype = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isJson);
}
