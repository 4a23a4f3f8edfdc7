/** The page's Content-Security-Policy: what it forbids, and that nothing of the page's own needs more. */
import type { Browser, Page } from 'playwright';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentSecurityPolicy } from '../../build/csp.ts';
import { launchChromium, type Served, serve } from './served.ts';

let served: Served;
let browser: Browser;

beforeAll(async () => {
  served = await serve('site');
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await served?.close();
});

interface Opened {
  readonly page: Page;
  /** Violations that the page or a worker of its own reports, and whatever the console calls an error. */
  readonly complaints: string[];
}

async function open(url: string): Promise<Opened> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || /Content Security Policy/.test(message.text())) {
      complaints.push(message.text());
    }
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.exposeFunction('complain', (text: string) => complaints.push(text));
  const listen = () =>
    addEventListener('securitypolicyviolation', (event) => {
      (globalThis as unknown as { complain(text: string): void }).complain(
        `${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`,
      );
    });
  await page.addInitScript(listen);
  page.on('worker', (worker) => {
    // A worker's own violations do not reach the page.
    worker
      .evaluate(() => {
        addEventListener('securitypolicyviolation', (event) => {
          const { effectiveDirective, blockedURI, sourceFile } = event as SecurityPolicyViolationEvent;
          console.error(`in a worker: ${effectiveDirective} ${blockedURI} ${sourceFile}`);
        });
      })
      .catch(() => undefined);
  });
  await page.goto(url);
  return { page, complaints };
}

const status = (page: Page) => page.getByTestId('status');
const ready = (page: Page) =>
  status(page)
    .filter({ hasText: /^Ready/ })
    .waitFor({ timeout: 60_000 });

describe.each([
  ['with the headers of npm start', () => served.url],
  ['on a static host that sends no headers', () => served.plainUrl],
] as const)('the page %s', (_, url) => {
  it('trains without one violation', async () => {
    const { page, complaints } = await open(url());
    await ready(page);
    await page.evaluate(() => {
      for (const details of document.querySelectorAll('.settings details')) details.setAttribute('open', '');
    });
    const small = {
      per_device_train_batch_size: '16',
      num_eval_samples: '8',
      eval_steps: '1',
      max_steps: '2',
    };
    for (const [name, value] of Object.entries(small)) {
      await page.getByLabel(name, { exact: true }).fill(value);
    }
    await page.getByRole('button', { name: 'Train with PAPO', exact: true }).click();
    await status(page)
      .filter({ hasText: /^Step 2 of 2, finished/ })
      .waitFor({ timeout: 90_000 });
    // Curves and inline styles are drawn, a download by a blob's address works.
    await page.locator('.plot').first().scrollIntoViewIfNeeded();
    await page.locator('.plot canvas').first().waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.evaluate(() => {
        const link = document.createElement('a');
        link.href = URL.createObjectURL(new Blob(['text']));
        link.download = 'run.txt';
        link.click();
      }),
    ]);
    expect(download.suggestedFilename()).toBe('run.txt');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('runs no script but its own, and talks to no stranger', async () => {
    const { page, complaints } = await open(url());
    await ready(page);
    const found = await page.evaluate(async () => {
      // While it evaluates, the debugger lets eval through.
      await new Promise((resolve) => setTimeout(resolve, 50));
      const outcome = async (f: () => unknown) => {
        try {
          return `allowed: ${String(await f())}`;
        } catch (error) {
          return (error as Error).name;
        }
      };
      const ran = (element: HTMLElement) =>
        new Promise<string>((resolve) => {
          document.body.append(element);
          setTimeout(() => resolve('injected' in globalThis ? 'ran' : 'silent'), 200);
        });
      const script = (text: string, src = '') => {
        const element = document.createElement('script');
        element.text = text;
        if (src) element.src = src;
        return element;
      };
      const markup = document.createElement('div');
      return {
        // biome-ignore lint/security/noGlobalEval: that it throws is the test
        eval: await outcome(() => globalThis.eval('1')),
        function: await outcome(() => Function('return 1')()),
        timeout: await outcome(() => setTimeout('globalThis.injected = 1')),
        inline: await ran(script('globalThis.injected = 1')),
        blob: await ran(script('', URL.createObjectURL(new Blob(['globalThis.injected = 1'])))),
        data: await ran(script('', 'data:text/javascript,globalThis.injected=1')),
        handler: await (() => {
          markup.innerHTML = '<img src="x:" onerror="globalThis.injected = 1">';
          return ran(markup);
        })(),
        fetch: await outcome(() => fetch('http://127.0.0.1:9/')),
        https: await outcome(() => fetch('https://example.com/', { mode: 'no-cors' })),
        beacon: await outcome(() => navigator.sendBeacon('https://example.com/', 'x')),
        worker: await outcome(
          () =>
            new Promise((resolve, reject) => {
              const worker = new Worker(URL.createObjectURL(new Blob(['postMessage(1)'])));
              worker.onmessage = resolve;
              worker.onerror = () => reject(new DOMException('', 'blocked'));
            }),
        ),
        wasm: await outcome(() => WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))),
        own: await outcome(async () => (await fetch('favicon.svg')).status),
      };
    });
    expect({ ...found, worker: undefined }).toEqual({
      ...{ eval: 'EvalError', function: 'EvalError', timeout: expect.stringMatching(/allowed|EvalError/) },
      ...{ inline: 'silent', blob: 'silent', data: 'silent', handler: 'silent' },
      ...{ fetch: 'TypeError', https: 'TypeError', beacon: expect.any(String), worker: undefined },
      ...{ wasm: 'allowed: [object WebAssembly.Module]', own: 'allowed: 200' },
    });
    expect(found.worker).not.toMatch(/allowed/);
    // Each of them was refused by the policy, not by chance.
    const refused = complaints.join('\n');
    for (const directive of [
      'script-src eval',
      'script-src-elem inline',
      'script-src-elem blob',
      'script-src-elem data',
      'script-src-attr inline',
      'connect-src http://127.0.0.1:9',
      'connect-src https://example.com',
      'worker-src blob',
    ]) {
      expect.soft(refused, directive).toContain(directive);
    }
    expect(await page.evaluate(() => 'injected' in globalThis)).toBe(false);
    await page.close();
  });
});

it("the trainer's worker is under the policy too where the server sends it", async () => {
  const { page, complaints } = await open(served.url);
  await ready(page);
  const worker = page.workers()[0];
  const outcomes = await worker.evaluate(async () => {
    // While it evaluates, the debugger lets eval through.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const outcome = async (f: () => unknown) => {
      try {
        return `allowed: ${String(await f())}`;
      } catch (error) {
        return (error as Error).name;
      }
    };
    return [
      await outcome(() => Function('return 1')()),
      await outcome(() => fetch('https://example.com/', { mode: 'no-cors' })),
    ];
  });
  expect(outcomes).toEqual(['EvalError', 'TypeError']);
  // So a violation in a worker would have been a complaint in the runs above.
  await expect.poll(() => complaints.join('\n')).toMatch(/in a worker: script-src eval/);
  expect(complaints.join('\n')).toMatch(/in a worker: connect-src https:\/\/example/);
  await page.close();
});

it('the policy names the own origin and the Hub, and nothing wider', () => {
  const directives = Object.fromEntries(
    contentSecurityPolicy.split('; ').map((d) => [d.split(' ')[0], d.split(' ').slice(1)]),
  );
  expect(directives['default-src']).toEqual(["'none'"]);
  expect(directives['script-src']).toEqual(["'self'", "'wasm-unsafe-eval'"]);
  expect(directives['style-src']).toEqual(["'self'"]);
  const [own, ...hub] = directives['connect-src'];
  expect(own).toBe("'self'");
  expect(hub).toHaveLength(3);
  for (const source of hub) expect(source).toMatch(/^https:\/\/(\*\.)?[a-z]+\.[a-z]+$/);
});

it('a development server has the policy too, looser by inline scripts and styles', async () => {
  let server: ViteDevServer | undefined;
  try {
    server = await createServer({ logLevel: 'silent', server: { port: 0, strictPort: false } });
    await server.listen();
    const html = await (await fetch(server.resolvedUrls!.local[0])).text();
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1].replaceAll('&#39;', "'");
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval' 'unsafe-inline';");
    expect(policy).not.toContain("'unsafe-eval'");
    // The sandbox's frame and worker are there.
    const frame = await (await fetch(`${server.resolvedUrls!.local[0]}sandbox.html`)).text();
    expect(frame).toContain("default-src 'none'");
    expect(frame).not.toContain('@vite/client');
    const worker = await (await fetch(`${server.resolvedUrls!.local[0]}sandbox-worker.js`)).text();
    expect(worker).toMatch(/^\(?\(?function|^\(\(\)/);
  } finally {
    await server?.close();
  }
});
