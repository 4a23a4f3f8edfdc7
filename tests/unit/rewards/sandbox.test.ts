/** Reward code in the interpreter: what it may be, what it may not reach, and what stops it. */
import { describe, expect, it } from 'vitest';
import type { SandboxReply } from '../../../src/rewards/sandbox/protocol.ts';
import { runRewardCode } from '../../../src/rewards/sandbox/run.ts';

const MiB = 1024 ** 2;

function run(code: string, { completions = ['a', 'b'], ms = 1000, bytes = 40 * MiB, args = {} } = {}) {
  const columns = { prompts: completions.map(() => 'q'), completions, ...args };
  return runRewardCode({
    id: 0,
    code,
    args: JSON.stringify(columns),
    count: completions.length,
    timeLimitMs: ms,
    memoryLimitBytes: bytes,
  });
}

const failure = (reply: SandboxReply) => reply.failure ?? expect.fail(`it gave ${JSON.stringify(reply)}`);
/** Code whose function returns 1 where `expression` holds, for both completions. */
const holds = (expression: string) => `function reward() { return [${expression} ? 1 : 0, 1] }`;

describe('reward code', () => {
  it.each([
    ['a plain function', 'function reward({ completions }) { return completions.map((c) => c.length) }'],
    ['an exported function', 'export function reward({ completions }) { return [1, 1] }'],
    ['a default export', 'export default function ({ completions }) { return [1, 1] }'],
    ['a named default export', 'export default function score() { return [1, 1] }'],
    ['an arrow', 'const reward = () => [1, 1]'],
    ['an async function', 'async function reward() { await null; return [1, 1] }'],
    ['a comment at the end', 'function reward() { return [1, 1] } // done'],
    ['a byte order mark', '\uFEFFfunction reward() { return [1, 1] }'],
  ])('may be %s', async (_, code) => {
    expect(await run(code)).toEqual({ id: 0, logs: [], values: [1, 1] });
  });

  it('gets prompts, completions and every column', async () => {
    const code = `function reward({ prompts, completions, answer, tags }) {
      return completions.map((c, i) => (c === answer[i] && prompts[i] === 'q' ? tags[i].length : null));
    }`;
    const reply = await run(code, { args: { answer: ['a', 'x'], tags: [['s', 't'], []] } });
    expect(reply.values).toEqual([2, null]);
  });

  it('gives what it returns as it is: junk is described, nothing is guessed', async () => {
    const code =
      'function reward() { return [1.5, -0, true, null, undefined, NaN, -Infinity, "1", {}, 1n, Symbol("x"), , 1e300] }';
    const { values } = await run(code, { completions: Array(13).fill('a') });
    const junk = (text: string) => ({ junk: text });
    expect(values).toEqual([
      ...[1.5, 0, true, null, null, junk('NaN'), junk('-Infinity'), junk('a value of type string')],
      ...[junk('a value of type object'), junk('a value of type bigint'), junk('a value of type symbol')],
      ...[null, 1e300],
    ]);
  });

  it('is refused with message and line', async () => {
    expect(failure(await run('let a = 1;\nlet b = a..;'))).toMatchObject({ kind: 'load', line: 2 });
    expect(failure(await run('\n\nthrow new TypeError("no")'))).toEqual({
      kind: 'load',
      message: 'TypeError: no',
      line: 3,
    });
    expect(failure(await run('function reward(a) {\n  return a.b.c;\n}'))).toMatchObject({
      kind: 'throw',
      message: expect.stringMatching(/^TypeError: cannot read property 'c' of undefined/),
      line: 2,
    });
    expect(failure(await run('async function reward() {\n\n  throw new Error("later") }'))).toEqual({
      kind: 'throw',
      message: 'Error: later',
      line: 3,
    });
    expect(failure(await run('const score = 1'))).toMatchObject({ kind: 'load' });
    expect(failure(await run('const score = 1')).message).toMatch(/defines no function `reward`/);
    expect(failure(await run('export default 3')).message).toMatch(/defines no function `reward`/);
    expect(failure(await run('const reward = 3')).message).toMatch(/defines no function `reward`/);
    expect(failure(await run('function reward() { return new Promise(() => {}) }')).message).toMatch(
      /nothing will ever settle/,
    );
  });

  it.each([
    ['nothing', '', /returned nothing; expected a list of 2 numbers/],
    ['a string', 'return "ab"', /returned a value of type string/],
    ['too few', 'return [1]', /returned 1 values; expected a list of 2/],
    ['an object that looks like a list', 'return { length: 2, 0: 1, 1: 1 }', /type object/],
    ['a huge list', 'return new Array(4294967295)', /returned 4294967295 values/],
  ])('that returns %s is told so', async (_, body, message) => {
    expect(failure(await run(`function reward() { ${body} }`))).toMatchObject({
      kind: 'result',
      message: expect.stringMatching(message),
    });
  });

  it('may log, to a limit', async () => {
    const code = `function reward() {
      console.log('a', 1, { b: [2] }, undefined, NaN);
      for (let i = 0; i < 1000; i++) console.info('x'.repeat(10000));
      return [1, 1];
    }`;
    const { logs, values } = await run(code);
    expect(values).toEqual([1, 1]);
    expect(logs[0]).toBe('a 1 {"b":[2]} undefined null');
    expect(logs).toHaveLength(201);
    expect(logs[1]).toHaveLength(501);
    expect(logs[200]).toBe('… 801 more lines');
  });
});

describe('what is not there', () => {
  it.each([
    ...['fetch', 'XMLHttpRequest', 'WebSocket', 'EventSource', 'WebTransport', 'RTCPeerConnection'],
    ...['importScripts', 'Worker', 'SharedWorker', 'BroadcastChannel', 'MessageChannel', 'postMessage'],
    ...['indexedDB', 'localStorage', 'sessionStorage', 'caches', 'cookieStore', 'navigator', 'location'],
    ...['self', 'window', 'document', 'parent', 'top', 'process', 'require', 'module', 'Buffer', 'Deno'],
    ...['WebAssembly', 'Atomics', 'setTimeout', 'queueMicrotask', 'performance', 'crypto', 'close'],
  ])('%s', async (name) => {
    const inFunction = `(function () { return this })() ?? globalThis`;
    const { values } = await run(
      holds(`typeof ${name} === 'undefined' && !('${name}' in globalThis) &&
        typeof Function('return this')().${name} === 'undefined' &&
        typeof globalThis.constructor.constructor('return this')().${name} === 'undefined' &&
        typeof (0, eval)('this').${name} === 'undefined' && !('${name}' in (${inFunction}))`),
    );
    expect(values).toEqual([1, 1]);
  });

  it('any other module', async () => {
    expect(failure(await run('import fs from "node:fs"; function reward() { return [1, 1] }'))).toMatchObject(
      {
        kind: 'load',
        message: expect.stringMatching(/could not load module 'node:fs'/),
      },
    );
    const dynamic = 'async function reward() { await import("data:text/javascript,1"); return [1, 1] }';
    expect(failure(await run(dynamic)).message).toMatch(/could not load module/);
  });

  it('anything of an earlier call', async () => {
    await run(
      'globalThis.left = 1; Array.prototype.map = () => { throw 1 }; function reward() { return [1, 1] }',
    );
    expect((await run(holds('typeof left === "undefined" && [1].map((x) => x)[0] === 1'))).values).toEqual([
      1, 1,
    ]);
  });

  it('a way to the host through what it polluted', async () => {
    const code = `
      Object.prototype.toJSON = () => ({ values: [9, 9] });
      Array.prototype.toJSON = () => 'x';
      Number.prototype.toString = () => '"]}';
      String.prototype.concat = Array.prototype.join = () => '"]}';
      Array.isArray = () => true; JSON.stringify = () => '{'; JSON.parse = () => ({});
      globalThis.String = () => '"]}';
      Object.defineProperty(Object.prototype, 'values', { get() { return [7, 7] }, set() {} });
      Object.prototype.junk = 'j';
      function reward() { console.log('here'); return [0.5, NaN] }`;
    const reply = await run(code);
    expect(reply.values).toEqual([0.5, { junk: 'NaN' }]);
    expect(reply.logs).toEqual(['here']);
    expect(({} as Record<string, unknown>).junk).toBeUndefined();
  });
});

describe('what stops it', () => {
  const limit = /took more than 200 ms/;

  it.each([
    ['a loop', 'function reward() { while (true); }'],
    ['a loop at the top', 'while (true);'],
    ['a loop that catches', 'function reward() { while (true) try { while (true); } catch {} finally { } }'],
    ['a regular expression', 'function reward() { /(a+)+$/.test("a".repeat(60) + "b") }'],
    [
      'exponential recursion',
      'const f = (n) => n < 2 ? 1 : f(n - 1) + f(n - 2); function reward() { f(60) }',
    ],
    ['endless promises', 'async function reward() { while (true) await null; }'],
    ['a generator', 'function reward() { for (const x of (function* () { while (true) yield 1 })()); }'],
    ['a getter of the list', 'function reward() { return new Proxy([1, 1], { get() { while (true); } }) }'],
    ['a toJSON of what it logs', 'function reward() { console.log({ toJSON() { while (true); } }) }'],
    ['a message of what it throws', 'function reward() { throw { get message() { while (true); } } }'],
  ])('the time limit: %s', async (_, code) => {
    const start = performance.now();
    expect(failure(await run(code, { ms: 200 }))).toMatchObject({
      kind: 'time',
      message: expect.stringMatching(limit),
    });
    expect(performance.now() - start).toBeLessThan(1500);
    expect((await run(holds('true'))).values).toEqual([1, 1]);
  });

  it.each([
    ['a string', 'const a = []; while (true) a.push("xy".repeat(1e6));'],
    ['a list', 'const a = []; while (true) a.push([a.length]);'],
    ['a buffer', 'const a = []; while (true) a.push(new Uint8Array(1e6));'],
    ['one allocation', 'new Uint8Array(1e9)'],
    ['a full list', 'new Array(1e8).fill(1)'],
  ])('the memory limit: %s', async (_, code) => {
    const found = failure(await run(`function reward() { ${code} }`, { ms: 8000 }));
    expect(found.message).toMatch(/more than the 40 MiB of memory/);
    expect((await run(holds('true'))).values).toEqual([1, 1]);
  });

  it('the memory limit counts its arguments', async () => {
    const reply = await run('function reward() { return [1, 1] }', {
      completions: ['x'.repeat(20 * MiB), 'y'],
      bytes: 20 * MiB,
    });
    expect(failure(reply).kind).toMatch(/memory/);
  });

  it.each([
    ['a function', 'const f = () => f() + 1; f()'],
    ['JSON', 'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)'],
    ['a getter', 'const o = { get a() { return o.a } }; o.a'],
    ['a proxy', 'let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x'],
    ['a pattern', 'new RegExp("(?:".repeat(1e5) + ")".repeat(1e5))'],
    ['source text', 'eval("[".repeat(1e5) + "]".repeat(1e5))'],
  ])('the stack limit: %s', async (_, code) => {
    const found = failure(await run(`function reward() { ${code} }`, { ms: 5000 }));
    expect(found.message).toMatch(/stack overflow/);
    expect((await run(holds('true'))).values).toEqual([1, 1]);
  });

  it.each([
    ['null', 'throw null', /null/],
    ['a string', 'throw "plain"', /^plain$/],
    ['a symbol', 'throw Symbol("s")', /cannot be read/],
    ['a proxy', 'throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 1 } })', /cannot be read/],
    [
      'a revoked proxy',
      'const r = Proxy.revocable({}, {}); r.revoke(); throw r.proxy',
      /cannot be read|revoked/,
    ],
    ['getters that throw', 'throw { get name() { throw 1 }, get message() { throw 2 } }', /cannot be read/],
    ['a long message', 'throw new Error("x".repeat(1e6))', /^Error: x{493}…$/],
    ['a message that is a function', 'throw { message() {} }', /cannot be read/],
  ])('an exotic throw: %s', async (_, code, message) => {
    const found = failure(await run(`function reward() { ${code} }`));
    expect(found.kind).toBe('throw');
    expect(found.message).toMatch(message);
  });

  it('a getter that throws on the returned list', async () => {
    const code = `function reward() {
      return Object.defineProperty([1, 1], 1, { get() { throw new Error('mine') } }) }`;
    expect(failure(await run(code)).message).toBe('Error: mine');
  });
});
