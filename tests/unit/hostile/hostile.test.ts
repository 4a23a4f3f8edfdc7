/**
 * Hostile files: random bytes, valid files with changed, missing and added bytes, and structures that lie. Each case
 * gives a right result or a UserError with a message, soon, and without room for what the file merely claims.
 */

import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { nanoFiles } from '../../../src/data/nano-files.ts';
import { checkPattern } from '../../../src/data/pattern-check.ts';
import { TextProcessor } from '../../../src/data/tokenizer.ts';
import { UserError } from '../../../src/errors.ts';
import { readDataset } from '../../../src/import/dataset.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import { readParquet } from '../../../src/import/parquet.ts';
import { openZip } from '../../../src/import/zip-files.ts';
import { parseVlmConfig } from '../../../src/policy/config.ts';
import { checkWeights } from '../../../src/policy/parameters.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { openModelFolder } from '../../../src/store/open-folder.ts';
import {
  floatTensor,
  int32Tensor,
  readSafetensorsFile,
  writeSafetensors,
} from '../../../src/store/safetensors.ts';
import { base64, blobs, png } from '../import/data.ts';
import { makeZip } from '../import/make-zip.ts';
import {
  casesRun,
  Deep,
  hostile,
  mutated,
  mutatedJson,
  oddValues,
  outcome,
  seed,
  toJson,
} from './harness.ts';
import { checkParsed, headerFile, lyingHeader } from './safetensors-cases.ts';

const encode = (text: string) => new Uint8Array(new TextEncoder().encode(text));
const startRss = process.resourceUsage().maxRSS;

describe('safetensors', () => {
  const files = [
    writeSafetensors([
      floatTensor('a', [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)),
      int32Tensor('b', [2], Int32Array.of(1, 2)),
    ]),
    writeSafetensors([
      floatTensor('x', [4], Float32Array.of(1, 2, 3, 4), 'BF16'),
      floatTensor('empty', [0, 7], new Float32Array(0)),
    ]),
    writeSafetensors([]),
  ];
  const read = async (bytes: Uint8Array) => {
    const result = await outcome(() => readSafetensorsFile(bytes));
    if ('value' in result) checkParsed(bytes, result.value);
    return 'value' in result;
  };

  it('random bytes', async () => {
    await hostile(600, fc.uint8Array({ maxLength: 200 }), read);
  });
  it('valid files, changed', async () => {
    const { taken, refused } = await hostile(1500, mutated(...files), read);
    expect(Math.min(taken, refused)).toBeGreaterThan(10);
  });
  it('headers that lie', async () => {
    const { taken, refused } = await hostile(1800, lyingHeader, ({ header, dataBytes, length }) =>
      read(headerFile(toJson(header), dataBytes, length)),
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(10);
  });
  it('a shard index, changed', async () => {
    const index = {
      metadata: { total_size: 32 },
      weight_map: { a: 'one.safetensors', b: 'one.safetensors' },
    };
    await hostile(300, mutatedJson(index), async (value) => {
      const folder: Record<string, Uint8Array> = {
        'config.json': encode('{}'),
        'model.safetensors.index.json': encode(toJson(value)),
        'one.safetensors': files[0],
      };
      const place = {
        where: 'm',
        read: async (name: string) => (Object.hasOwn(folder, name) ? folder[name] : null),
      };
      const result = await outcome(() => loadModelFolder(place));
      const opened = await outcome(() => openModelFolder(place));
      expect('value' in opened).toBe('value' in result);
      if ('value' in result) expect(['', 'a']).toContain([...result.value.weights.keys()].join());
      return 'value' in result;
    });
  });
});

describe('config.json', () => {
  const config: unknown = JSON.parse(nanoFiles()['config.json']);
  it('changed fields', async () => {
    const { taken, refused } = await hostile(1500, mutatedJson(config), async (value) => {
      const parsed = await outcome(() =>
        parseVlmConfig(JSON.parse(toJson(value)) as Record<string, unknown>),
      );
      if (!('value' in parsed)) return false;
      const { text, vision, scaleFactor } = parsed.value;
      for (const n of [...Object.values(text), ...Object.values(vision), scaleFactor])
        expect(n).toBeGreaterThan(0);
      expect(Number.isInteger(vision.imageSize / vision.patchSize / scaleFactor)).toBe(true);
      // Weights of none of the sizes that it claims.
      expect(await outcome(() => checkWeights(parsed.value, new Map()))).toMatchObject({
        refused: /no tensor/,
      });
      return true;
    });
    expect(Math.min(taken, refused)).toBeGreaterThan(10);
  });
});

describe('tokenizers', () => {
  const files = nanoFiles();
  const load = async (contents: Record<string, string>) => {
    const result = await outcome(() => TextProcessor.fromFolder(contents));
    if (!('value' in result)) return false;
    const ids = await outcome(() => result.value.buildPrompt('add @3 @7'));
    if (!('value' in ids)) return true;
    for (const id of ids.value)
      expect(Number.isInteger(id) && id >= 0 && id < result.value.vocabSize).toBe(true);
    await outcome(() => result.value.decode(ids.value));
    return true;
  };

  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'] as const) {
    it(`${name}, changed fields`, async () => {
      const { taken, refused } = await hostile(500, mutatedJson(JSON.parse(files[name])), (value) =>
        load({ ...files, [name]: toJson(value) }),
      );
      expect(Math.min(taken, refused)).toBeGreaterThan(10);
    });
  }
  it('files and templates, changed bytes', async () => {
    const names = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'] as const;
    await hostile(
      400,
      fc
        .constantFrom(...names)
        .chain((name) => mutated(encode(files[name])).map((bytes) => ({ name, bytes }))),
      ({ name, bytes }) => load({ ...files, [name]: new TextDecoder().decode(bytes) }),
    );
  });
  it('patterns that are taken are fast on long texts', async () => {
    const atom = fc.constantFrom('a', '.', '\\s', '\\w', '[ab]', '[^b]', '\\p{L}', 'b', ' ');
    const mark = fc.constantFrom('', '', '', '*', '+', '?', '{2,}', '{1,9}', '*?', '+?');
    const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
      pattern: fc.array(tie('part'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
      part: fc.oneof(
        { maxDepth: 3 },
        fc.tuple(atom, mark).map(([a, m]) => a + m),
        fc.tuple(tie('pattern'), tie('pattern'), mark).map(([a, b, m]) => `(?:${a}|${b})${m}`),
        fc.tuple(tie('pattern'), mark).map(([a, m]) => `(${a})${m}`),
        tie('pattern').map((a) => `(?!${a})`),
      ),
    }));
    const texts = ['a', ' ', 'ab', 'a '].map((text) => `${text.repeat(500)}!`);
    const { taken, refused } = await hostile(500, pattern, async (text) => {
      if ('refused' in (await outcome(() => checkPattern(text, 'p')))) return false;
      const regex = new RegExp(text, 'gu');
      for (const t of texts) t.match(regex);
      return true;
    });
    expect(Math.min(taken, refused)).toBeGreaterThan(10);
  });
});

describe('zips', () => {
  const contents: Record<string, string> = {
    'config.json': '{"a": 1}',
    'd/long.txt': 'abc '.repeat(500),
    empty: '',
  };
  const parts = Object.entries(contents).map(([name, data], i) => ({
    name,
    data,
    method: i === 0 ? (0 as const) : (8 as const),
  }));
  const originals = new Set(Object.values(contents).map((text) => crc32(text)));
  const open = async (bytes: Uint8Array<ArrayBuffer>) => {
    const zip = await outcome(() => openZip(bytes, 'a.zip'));
    if (!('value' in zip)) return false;
    for (const name of zip.value.names) {
      expect(name).not.toMatch(/\\|\0|^\/|(^|\/)\.\.?(\/|$)/);
      const blob = await outcome(() => zip.value.open(name));
      // Whatever was changed, a file that comes out is one that was put in.
      if ('value' in blob)
        expect(originals).toContain(crc32(new Uint8Array(await (blob.value as Blob).arrayBuffer())));
    }
    return true;
  };

  it('random bytes', async () => {
    await hostile(200, fc.uint8Array({ maxLength: 200 }), open);
  });
  it('valid files, changed', async () => {
    const { taken, refused } = await hostile(1000, mutated(makeZip(parts)), open);
    expect(Math.min(taken, refused)).toBeGreaterThan(10);
  });
  it('entries that lie', async () => {
    const number = fc.constantFrom(0, 1, 100, 0xffff, 0x7fffffff, 0xfffffffe, 0xffffffff);
    const claim = fc.record(
      { size: number, packed: number, offset: number, crc: number, flags: number, method: number },
      { requiredKeys: [] },
    );
    const name = fc.constantFrom(
      'config.json',
      '../x',
      'a/../b',
      '/x',
      'a\\b',
      '',
      'a\0',
      '__proto__',
      'constructor',
      '.',
    );
    const entry = fc.record({ name, data: fc.constantFrom(...Object.values(contents)), claim });
    await hostile(600, fc.array(entry, { maxLength: 4 }), (entries) => open(makeZip(entries)));
  });
});

describe('datasets', () => {
  const red = png(1, 1, [255, 0, 0]);
  const image = `data:image/png;base64,${base64(red)}`;
  const good = { prompt: 'p', image, answer: 'a', n: 1, list: [1, { x: 2 }] };
  const read = async (name: string, bytes: Uint8Array<ArrayBuffer>) => {
    const result = await outcome(() =>
      readDataset(blobs({ [name]: bytes, 'i.png': red }), { decodeImage, dataFiles: [name] }),
    );
    if (!('value' in result)) return false;
    const { rows, good, problems, problemCount } = result.value;
    expect(good).toBeLessThanOrEqual(rows);
    expect(problemCount).toBeGreaterThanOrEqual(rows - good);
    for (const { message, row } of problems) {
      expect(message).not.toBe('');
      expect(message.length).toBeLessThan(2000);
      expect(row).toBeGreaterThan(0);
    }
    // An image can turn out to be damaged when it is decoded.
    const first = good > 0 ? await outcome(() => result.value.dataset().row(0)) : { refused: '' };
    if ('value' in first) {
      const row = first.value;
      expect(typeof row.prompt).toBe('string');
      expect(row.answer === null || typeof row.answer === 'string').toBe(true);
      expect(row.image.data.length).toBe(row.image.width * row.image.height * 3);
      expect(Object.getPrototypeOf(row.columns)).toBe(Object.prototype);
    }
    return good > 0;
  };

  it('JSONL, random and changed bytes', async () => {
    const text = encode(
      `${JSON.stringify(good)}\n${JSON.stringify({ ...good, image: { path: 'i.png', bytes: null } })}\n`,
    );
    await hostile(200, fc.uint8Array({ maxLength: 200 }), (bytes) =>
      read('d.jsonl', bytes as Uint8Array<ArrayBuffer>),
    );
    const { taken, refused } = await hostile(500, mutated(text), (bytes) => read('d.jsonl', bytes));
    expect(Math.min(taken, refused)).toBeGreaterThan(10);
  });
  it('JSONL and JSON lists, changed fields', async () => {
    await hostile(500, mutatedJson(good), (value) => read('d.jsonl', encode(`${toJson(value)}\n`)));
    await hostile(300, fc.array(oddValues, { maxLength: 4 }), (value) =>
      read('d.json', encode(toJson(value))),
    );
  });

  const folder = 'tests/unit/import/parquet';
  const parquet = [
    'pyarrow-snappy',
    'pyarrow-zstd-v2',
    'pyarrow-gzip-plain',
    'pyarrow-delta',
    'polars',
    'duckdb',
  ].map((name) => new Uint8Array(readFileSync(`${folder}/${name}.parquet`)));
  it('Parquet, random and changed bytes', async () => {
    const rows = async (bytes: Uint8Array<ArrayBuffer>) => {
      const result = await outcome(async () => {
        const records = [];
        for await (const { row, record } of readParquet(new Blob([bytes]), 'd.parquet'))
          records.push([row, record]);
        return records;
      });
      if (!('value' in result)) return false;
      for (const [i, [row, record]] of result.value.entries()) {
        expect(row).toBe(i + 1);
        expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
      }
      return true;
    };
    await hostile(150, fc.uint8Array({ maxLength: 200 }), (bytes) => rows(bytes as Uint8Array<ArrayBuffer>));
    const { taken, refused } = await hostile(1800, mutated(...parquet), rows);
    expect(Math.min(taken, refused)).toBeGreaterThan(10);
    await hostile(200, mutated(...parquet), (bytes) => read('d.parquet', bytes));
  });

  it('images, changed bytes', async () => {
    const { default: sharp } = await import('sharp');
    const source = sharp({
      create: { width: 9, height: 7, channels: 3, background: { r: 200, g: 100, b: 50 } },
    });
    const files = await Promise.all(
      (['png', 'jpeg', 'gif', 'webp'] as const).map(
        async (kind) => new Uint8Array(await source.clone().toFormat(kind).toBuffer()),
      ),
    );
    for (const file of files)
      expect(await outcome(() => decodeImage(new Blob([file])))).toMatchObject({
        value: { width: 9, height: 7 },
      });
    await hostile(300, mutated(...files), async (bytes) => {
      const result = await outcome(() => decodeImage(new Blob([bytes])));
      if ('value' in result)
        expect(result.value.data.length).toBe(result.value.width * result.value.height * 3);
      return 'value' in result;
    });
  });
});

describe('in all', () => {
  it('depth is no way in', async () => {
    const deep = toJson(new Deep(200_000));
    expect(await outcome(() => parseVlmConfig(JSON.parse(`{"model_type": ${deep}}`)))).toHaveProperty(
      'refused',
    );
    expect(
      await outcome(() =>
        readSafetensorsFile(
          headerFile(`{"a": {"dtype": "F32", "shape": ${deep}, "data_offsets": [0, 4]}}`, 4),
        ),
      ),
    ).toHaveProperty('refused');
    const files = nanoFiles();
    expect(
      await outcome(() => TextProcessor.fromFolder({ ...files, 'tokenizer.json': deep })),
    ).toHaveProperty('refused');
    expect(() => parseVlmConfig({ model_type: 'x' })).toThrow(UserError);
  });

  it('10,000 cases or more were run', () => {
    expect(casesRun(), `seed ${seed}`).toBeGreaterThanOrEqual(10_000);
  });

  afterAll(() => {
    // Kilobytes. What the files claim goes into terabytes.
    expect(process.resourceUsage().maxRSS - startRss).toBeLessThan(700_000);
  });
});
