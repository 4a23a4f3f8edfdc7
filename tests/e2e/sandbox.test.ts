/** Reward code in the page: the interpreter in the origin-less frame, and the frame as a wall of its own. */
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Harness } from './sandbox/harness.ts';
import { launchChromium, type Served, serve } from './served.ts';

declare const harness: Harness;

let served: Served;
let browser: Browser;

beforeAll(async () => {
  served = await serve('harness');
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await served?.close();
});

const path = 'tests/e2e/sandbox/index.html';
async function openPage(url: string): Promise<{ page: Page }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url + path);
  await page.waitForFunction(() => 'harness' in globalThis);
  return { page };
}

const reward = (page: Page, code: string, ms?: number) =>
  page.evaluate(([text, limit]) => harness.reward(text as string, limit as number | undefined), [
    code,
    ms,
  ] as const);
const lengths = 'function reward({ completions }) { return completions.map((c) => c.length) }';

describe.each([
  ['isolated, as npm start serves it', () => served.url, true],
  ['on a static host that sends no headers', () => served.plainUrl, false],
] as const)('reward code in the page, %s', (_, url, isolated) => {
  it('computes, fails with its line, hangs and is terminated, and the next call works', async () => {
    const { page } = await openPage(url());
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(isolated);
    await page.evaluate(() => harness.open());
    expect(await reward(page, lengths)).toEqual({ rewards: [1, 2] });
    expect(await reward(page, 'function reward() {\n  return nowhere }')).toEqual({
      error: 'RewardCodeError: reward "mine", line 2: ReferenceError: \'nowhere\' is not defined',
    });
    expect((await reward(page, 'function reward() { while (true); }', 300)).error).toMatch(
      /more than 300 ms$/,
    );
    // What the interpreter cannot interrupt; the frame's worker is terminated.
    const native = 'function reward() { [1].concat(new Array(1e9)).sort() }';
    expect((await reward(page, native, 300)).error).toMatch(/had to be terminated/);
    expect(await reward(page, lengths)).toEqual({ rewards: [1, 2] });
    for (const deep of [
      'const f = () => f() + 1; f()',
      'eval("[".repeat(1e5))',
      'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)',
    ]) {
      expect((await reward(page, `function reward() { ${deep} }`, 5000)).error).toMatch(/stack overflow/);
    }
    const memory = 'function reward() { const a = []; while (true) a.push(new Uint8Array(1e6)); }';
    expect((await reward(page, memory, 5000)).error).toMatch(/more than the 64 MiB/);
    expect(await reward(page, lengths)).toEqual({ rewards: [1, 2] });
    await page.context().close();
  });

  it('finds none of the browser inside', async () => {
    const { page } = await openPage(url());
    await page.evaluate(() => harness.open());
    const names = [
      'fetch',
      'XMLHttpRequest',
      'WebSocket',
      'Worker',
      'indexedDB',
      'caches',
      'navigator',
      'self',
      'importScripts',
      'postMessage',
      'WebAssembly',
      'close',
    ];
    const code = `function reward() {
      const found = ${JSON.stringify(names)}.filter((n) => n in Function('return this')() || n in globalThis.constructor.constructor('return this')());
      if (found.length) throw new Error(found.join());
      return [1, 1];
    }`;
    expect(await reward(page, code)).toEqual({ rewards: [1, 1] });
    const before = served.arrived.length;
    const dynamic = `async function reward() { await import('${url()}'); }`;
    expect((await reward(page, dynamic)).error).toMatch(/could not load module/);
    expect(served.arrived.slice(before)).toEqual([]);
    await page.context().close();
  });

  // The second wall alone: this script runs in the frame's worker itself, as if the interpreter had been escaped.
  it('the frame lets even raw code reach nothing', async () => {
    const { page } = await openPage(url());
    await page.evaluate(async () => {
      const opened = indexedDB.open('secret');
      await new Promise((resolve) => {
        opened.onsuccess = resolve;
      });
    });
    const script = `
      const attempt = async (f) => { try { return 'got ' + String(await f()) } catch (e) { return 'refused: ' + e.name } };
      const open = (f) => new Promise((ok, no) => { const r = f(); r.onsuccess = () => ok('open'); r.onerror = () => no(r.error) });
      const socket = (s) => new Promise((ok, no) => { s.onopen = () => ok('open'); s.onerror = () => no(new Error('closed')) });
      (async () => postMessage({
        origin: self.origin,
        isolated: typeof SharedArrayBuffer,
        fetchPage: await attempt(() => fetch(${JSON.stringify(url())})),
        fetchOther: await attempt(() => fetch(${JSON.stringify(served.plainUrl)} + 'stranger')),
        fetchNoCors: await attempt(() => fetch(${JSON.stringify(url())}, { mode: 'no-cors' })),
        fetchData: await attempt(() => fetch('data:text/plain,1')),
        fetchBlob: await attempt(() => fetch(URL.createObjectURL(new Blob(['1'])))),
        xhr: await attempt(() => new Promise((ok, no) => { const x = new XMLHttpRequest(); x.open('GET', ${JSON.stringify(url())}); x.onload = ok; x.onerror = () => no(new Error('xhr')); x.send() })),
        socket: await attempt(() => socket(new WebSocket(${JSON.stringify(served.plainUrl)}.replace('http', 'ws')))),
        events: await attempt(() => socket(new EventSource(${JSON.stringify(url())}))),
        scripts: await attempt(() => importScripts(${JSON.stringify(url())} + 'sandbox.html')),
        scriptsData: await attempt(() => importScripts('data:text/javascript,1')),
        scriptsBlob: await attempt(() => importScripts(URL.createObjectURL(new Blob(['self.x = 1'])))),
        module: await attempt(() => import(${JSON.stringify(url())} + 'nothing.js')),
        moduleData: await attempt(() => import('data:text/javascript,1')),
        evaluation: await attempt(() => eval('1')),
        evaluationFunction: await attempt(() => Function('return 1')()),
        indexedDB: await attempt(() => open(() => indexedDB.open('secret'))),
        caches: await attempt(() => caches.open('x')),
        opfs: await attempt(() => navigator.storage.getDirectory()),
        locks: await attempt(() => navigator.locks.request('x', () => 1)),
        localStorage: typeof localStorage,
        document: typeof document,
        parent: typeof parent,
        beacon: typeof navigator.sendBeacon,
      }))()`;
    const before = served.arrived.length;
    const found = (await page.evaluate((text) => harness.raw(text), script)) as Record<string, string>;
    const { origin, localStorage, document, parent, beacon, isolated: _isolated, ...attempts } = found;
    expect({ origin, localStorage, document, parent, beacon }).toEqual({
      origin: 'null',
      localStorage: 'undefined',
      document: 'undefined',
      parent: 'undefined',
      beacon: 'undefined',
    });
    for (const [name, outcome] of Object.entries(attempts)) expect.soft(outcome, name).toMatch(/^refused: /);
    expect(Object.keys(attempts)).toHaveLength(19);
    expect(served.arrived.slice(before)).toEqual(['/sandbox.html']);
    await page.context().close();
  });

  it('a worker that closed, and a frame that is gone, are time limits', async () => {
    const { page } = await openPage(url());
    await page.evaluate(() => harness.open());
    expect(await reward(page, lengths)).toEqual({ rewards: [1, 2] });
    await page.evaluate(() => harness.close());
    expect((await reward(page, lengths, 100)).error).toMatch(/RewardTimeoutError: .*had to be terminated/);
    await page.context().close();
  });
});

it('the frame document does nothing where it has an origin', async () => {
  const { page } = await openPage(served.plainUrl);
  // What an embedder could do who leaves the sandbox attribute out.
  const outcome = await page.evaluate(async () => {
    const frame = document.createElement('iframe');
    frame.src = '/sandbox.html';
    document.body.append(frame);
    await new Promise((resolve) => {
      frame.onload = resolve;
    });
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
      setTimeout(() => resolve('silence'), 1000);
    });
    frame.contentWindow!.postMessage({ source: 'postMessage(self.origin)', port: port2 }, '*', [port2]);
    return answer;
  });
  expect(outcome).toBe('silence');
  await page.context().close();
});
