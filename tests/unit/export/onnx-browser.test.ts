// The export in a browser, as a page would use it: transformers.js's defaults there (WASM), and WebGPU by SwiftShader.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Tensor } from '@huggingface/transformers';
import { chromium } from 'playwright';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateExample } from '../../../src/data/examples.ts';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { Policy } from '../../../src/policy/policy.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { writeExport } from './onnx-sources.ts';

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
// vitest would rewrite an import in a function that is sent to the page.
const html =
  "<!doctype html><script type=module>import * as all from '/lib/transformers.js'; window.transformers = all</script>";
const maxTokens = 24;
const examples = [3, 4, 5].map((i) => generateExample(12, 'test', i, 'all'));
let directory: string;
let server: Server;
let expected: number[][];

beforeAll(async () => {
  const folder = await loadModelFolder(nodeFiles('public/models/papo-nano'));
  directory = await mkdtemp(join(tmpdir(), 'papo-onnx-'));
  await writeExport(folder, directory);
  const policy = Policy.create(new CpuDevice({ threads: 1 }), folder);
  const prompts = examples.map(({ prompt, image }) => policy.prompt(prompt, image));
  const sampling = { greedy: true, topK: 0, topP: 1, minP: 0, temperature: 1, uniform: () => 0 };
  const { ids, lengths } = await policy.generate(prompts, { group: 1, maxTokens, ...sampling });
  expected = prompts.map((_, i) => Array.from(ids.subarray(i * maxTokens, i * maxTokens + lengths[i])));
  policy.dispose();

  const folders: Record<string, string> = {
    lib: 'node_modules/@huggingface/transformers/dist',
    ort: 'node_modules/onnxruntime-web/dist',
    models: directory,
  };
  server = createServer(async ({ url = '' }, response) => {
    const [, first, ...rest] = url.split('/');
    const path = join(folders[first] ?? '', ...(first === 'models' ? rest.slice(1) : rest));
    const bytes = url === '/' ? html : await readFile(path).catch(() => null);
    if (bytes === null) return response.writeHead(404).end();
    const type = url === '/' ? 'text/html' : (types[extname(path)] ?? 'application/octet-stream');
    return response.writeHead(200, { 'Content-Type': type }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true, force: true });
});

/** Runs in the page. Returns the new tokens of each example. */
async function generate({ device, maxTokens, examples }: PageTask): Promise<number[][]> {
  const { env, AutoProcessor, AutoModelForImageTextToText, RawImage } = (window as unknown as PageWindow)
    .transformers;
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = '/models/';
  env.backends.onnx.wasm!.wasmPaths = `${location.origin}/ort/`;
  const processor = await AutoProcessor.from_pretrained('papo-nano');
  const model = await AutoModelForImageTextToText.from_pretrained('papo-nano', { device });
  const written: number[][] = [];
  for (const { prompt, width, height, rgb } of examples) {
    const text = processor.apply_chat_template(
      [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: prompt }] }],
      { add_generation_prompt: true },
    );
    const inputs = await processor(text, [new RawImage(Uint8ClampedArray.from(rgb), width, height, 3)]);
    const options = { max_new_tokens: maxTokens, do_sample: false };
    const output = (await model.generate({ ...inputs, ...options })) as Tensor;
    written.push(Array.from(output.data as BigInt64Array, Number).slice(inputs.input_ids.dims[1]));
  }
  return written;
}

interface PageWindow {
  transformers: typeof import('@huggingface/transformers');
}

interface PageTask {
  device?: 'webgpu';
  maxTokens: number;
  examples: { prompt: string; width: number; height: number; rgb: number[] }[];
}

// SwiftShader compiles every shader anew at each length: one example is enough.
it.each([
  [undefined, 3],
  ['webgpu', 1],
] as const)(
  'generates our tokens with device %s',
  async (device, count) => {
    const browser = await chromium.launch({
      executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--enable-unsafe-webgpu', '--disable-background-networking', '--no-first-run'],
    });
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await page.waitForFunction(() => 'transformers' in window);
      const task: PageTask = {
        device,
        maxTokens,
        examples: examples.slice(0, count).map(({ prompt, image: { width, height, data } }) => ({
          ...{ prompt, width, height },
          rgb: [...data],
        })),
      };
      expect(await page.evaluate(generate, task)).toEqual(expected.slice(0, count));
    } finally {
      await browser.close();
    }
  },
  240_000,
);
