import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { split } from '../../../src/data/dataset-split.ts';
import { endless } from '../../../src/data/endless.ts';
import { imagePreparation } from '../../../src/data/image-processor.ts';
import type { RasterImage } from '../../../src/data/raster.ts';
import { UserError } from '../../../src/errors.ts';
import { readDataset } from '../../../src/import/dataset.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import { base64, blobs, file, lines, png } from './data.ts';
import { bytesOf, joined, makeZip } from './make-zip.ts';

const red = png(3, 2, [255, 0, 0]);
const url = `data:image/png;base64,${base64(red)}`;
const options = { decodeImage };
const redPixels = Uint8Array.from({ length: 18 }, (_, i) => (i % 3 === 0 ? 255 : 0));

describe('JSONL', () => {
  it('reads prompts, images in every form, answers, and further columns', async () => {
    const report = await readDataset(
      blobs({
        'sub/train.jsonl': lines(
          { prompt: 'a', image: url, answer: 'x', level: 3 },
          { problem: 'b <image>', images: ['pictures/red.png'], solution: 7 },
          { question: 'c', image: { bytes: base64(red), path: null }, tags: ['t'] },
          { prompt: 'd', image: base64(red), answer: null },
          {
            prompt: [{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'e' }] }],
            image: './top.png',
          },
          { prompt: 'f', image: { path: '../top.png' }, answer: '' },
        ),
        'sub/pictures/red.png': red,
        'top.png': red,
      }),
      options,
    );
    expect(report.problems).toEqual([]);
    expect([report.rows, report.good, report.problemCount]).toEqual([6, 6, 0]);
    expect(report.columns).toEqual([
      'prompt',
      'image',
      'answer',
      'level',
      'problem',
      'images',
      'solution',
      'question',
      'tags',
    ]);
    expect(report.notes).toHaveLength(2);
    const data = report.dataset();
    const rows = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => data.row(i)));
    expect(rows.map(({ prompt }) => prompt)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(rows.map(({ answer }) => answer)).toEqual(['x', '7', null, null, null, '']);
    expect(rows.map(({ columns }) => columns)).toEqual([
      { level: 3 },
      { problem: 'b <image>', solution: 7 },
      { question: 'c', tags: ['t'] },
      {},
      {},
      {},
    ]);
    expect(rows[1].id).toBe('sub/train.jsonl:2');
    for (const { image } of rows) expect(image).toEqual({ width: 3, height: 2, data: redPixels });
  });

  it('names row, column, fault and expectation of every problem, and keeps the good rows', async () => {
    const rows: [unknown, string | undefined, RegExp][] = [
      ['{"prompt": ', undefined, /not valid JSON/],
      [[1], undefined, /this is \[1\]; expected an object/],
      [{ image: url }, 'prompt', /no prompt.*the columns are \["image"\]/],
      [{ prompt: 5, image: url }, 'prompt', /prompt is 5; expected a text/],
      [{ prompt: '  ', image: url }, 'prompt', /prompt is empty/],
      [{ prompt: 'a <image> <image>', image: url }, 'prompt', /2 marks <image>; one image/],
      [
        {
          prompt: [
            { role: 'user', content: 'a' },
            { role: 'assistant', content: 'b' },
          ],
          image: url,
        },
        'prompt',
        /message/,
      ],
      [
        {
          prompt: [
            { role: 'user', content: 'a' },
            { role: 'user', content: 'b' },
          ],
          image: url,
        },
        'prompt',
        /2 messages/,
      ],
      [{ prompt: 'a' }, 'image', /no image; expected/],
      [{ prompt: 'a', image: 'missing.png' }, 'image', /no file "missing\.png" was given/],
      [{ prompt: 'a', image: '../../etc/passwd' }, 'image', /no file/],
      [{ prompt: 'a', image: 'https://x.example/y.png' }, 'image', /not fetched from the network/],
      [{ prompt: 'a', image: 'data:text/html,x' }, 'image', /data URL begins with/],
      [{ prompt: 'a', image: 'data:image/png;base64,%%%' }, 'image', /not valid base64/],
      [{ prompt: 'a', image: `data:image/png;base64,${base64(bytesOf('hello'))}` }, 'image', /no PNG, JPEG/],
      [{ prompt: 'a', images: [url, url] }, 'images', /2 entries; one image a prompt is supported/],
      [{ prompt: 'a', images: [] }, 'images', /0 entries/],
      [{ prompt: 'a', image: 7 }, 'image', /the image is 7; expected/],
      [{ prompt: 'a', image: url, answer: [1] }, 'answer', /answer is \[1\]; expected a text or a number/],
      ['{"prompt": "a", "image": "x", "__proto__": {"polluted": 1}}', 'image', /no file/],
    ];
    const text = lines(...rows.map(([row]) => row), { prompt: 'good', image: url });
    const report = await readDataset([file('d.jsonl', text)], options);
    expect([report.rows, report.good]).toEqual([rows.length + 1, 1]);
    for (const [index, [, column, message]] of rows.entries()) {
      const found = report.problems.find(({ row }) => row === index + 1);
      expect(found, `row ${index + 1}`).toMatchObject({
        file: 'd.jsonl',
        message: expect.stringMatching(message),
      });
      expect(found?.column).toBe(column);
    }
    expect(report.problems.some(({ column }) => column === '__proto__')).toBe(true);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect((await report.dataset().row(0)).prompt).toBe('good');
    await expect(readDataset([file('d.jsonl', text)], { ...options, strict: true })).rejects.toThrow(
      /^d\.jsonl, row 1: /,
    );
  });

  it('refuses an image beyond the limit by its header', async () => {
    const wide = png(1, 1, [0, 0, 0]);
    const view = new DataView(wide.buffer);
    view.setUint32(16, 9000);
    view.setUint32(20, 9000);
    const report = await readDataset(
      [file('d.jsonl', lines({ prompt: 'a', image: 'w.png' })), file('w.png', wide)],
      options,
    );
    expect(report.problems[0].message).toMatch(/9000 × 9000 pixels; at most/);
    expect(() => report.dataset()).toThrow(/no good row/);
  });

  it('counts problems beyond those it keeps', async () => {
    const text = lines(...Array.from({ length: 250 }, () => ({ prompt: 'a' })));
    const report = await readDataset([file('d.jsonl', text)], { ...options, keptProblems: 10 });
    expect([report.problems.length, report.problemCount, report.rows]).toEqual([10, 250, 250]);
  });

  it('counts lines as an editor does: empty ones, CRLF, no newline at the end, a byte order mark', async () => {
    const row = (prompt: string) => JSON.stringify({ prompt, image: url });
    const text = `\ufeff${row('a')}\r\n\r\n  \r\nbroken\r\n${row('b')}`;
    const report = await readDataset([file('d.ndjson', text)], options);
    expect(report.problems.map(({ row }) => row)).toEqual([4]);
    expect((await report.dataset().row(1)).id).toBe('d.ndjson:5');
  });

  it('takes bytes that are not UTF-8 as a problem of their line', async () => {
    const bytes = joined([bytesOf(lines({ prompt: 'a', image: url })), Uint8Array.of(0xff, 0xfe, 10)]);
    const report = await readDataset([file('d.jsonl', bytes)], options);
    expect(report.problems).toMatchObject([{ row: 2, message: 'the line is not UTF-8 text' }]);
    expect(report.good).toBe(1);
  });

  it('names the row whose image turns out to be damaged when it is decoded', async () => {
    const report = await readDataset(
      [file('d.jsonl', lines({ prompt: 'a', image: 'cut.png' })), file('cut.png', red.slice(0, 40))],
      options,
    );
    expect(report.good).toBe(1);
    await expect(report.dataset().row(0)).rejects.toThrow(/^d\.jsonl, row 1: the image could not be decoded/);
  });
});

describe('other places', () => {
  it('reads a JSON list', async () => {
    const report = await readDataset(
      [file('d.json', JSON.stringify([{ prompt: 'a', image: url }, 3]))],
      options,
    );
    expect(report).toMatchObject({ rows: 2, good: 1, problems: [{ row: 2 }] });
  });

  it('reads a zip with its images, and a JSONL with a zip of images beside it', async () => {
    const text = lines({ prompt: 'a', image: 'images/red.png' });
    const inside = makeZip([
      { name: 'images/red.png', data: red },
      { name: 'd.jsonl', data: text },
    ]);
    const beside = makeZip([{ name: 'images/red.png', data: red }]);
    for (const files of [[file('d.zip', inside)], [file('d.jsonl', text), file('i.zip', beside)]]) {
      const report = await readDataset(files, options);
      expect(report.problems).toEqual([]);
      expect((await report.dataset().row(0)).image.data).toEqual(redPixels);
    }
  });

  it('reads Parquet: strings, structs of bytes and path, lists, integers and nulls', async () => {
    const buffer = parquetWriteBuffer({
      columnData: [
        { name: 'prompt', data: ['a', 'b', 'c'], type: 'STRING' },
        { name: 'image', data: [red, red, red], type: 'BYTE_ARRAY' },
        { name: 'answer', data: [1n, 2n, null], type: 'INT64', nullable: true },
        { name: 'score', data: [0.5, 1.5, 2.5], type: 'DOUBLE' },
      ],
      rowGroupSize: 2,
    });
    const report = await readDataset([file('d.parquet', new Uint8Array(buffer))], options);
    expect(report.problems).toEqual([]);
    const data = report.dataset();
    const rows = await Promise.all([0, 1, 2].map((i) => data.row(i)));
    expect(rows.map(({ answer, columns }) => [answer, columns])).toEqual([
      ['1', { score: 0.5 }],
      ['2', { score: 1.5 }],
      [null, { score: 2.5 }],
    ]);
    expect(rows[2].image.data).toEqual(redPixels);
    expect(rows[2].id).toBe('d.parquet:3');
  });

  it('says what it looked for', async () => {
    await expect(readDataset([file('a.png', red)], options)).rejects.toThrow(
      /holds no data: expected a \.jsonl/,
    );
    await expect(readDataset([file('d.parquet', 'x')], options)).rejects.toThrow(
      /d\.parquet cannot be read as Parquet/,
    );
    await expect(readDataset([file('d.json', '{}')], options)).rejects.toThrow(/expected a list of objects/);
  });
});

describe('images', () => {
  it('decodes each once while it is kept, and keeps no more than it may', async () => {
    let decoded = 0;
    const count = (image: Blob): Promise<RasterImage> => {
      decoded++;
      return decodeImage(image);
    };
    const text = lines(...[0, 1, 2].map((i) => ({ prompt: `${i}`, image: url })));
    const report = await readDataset([file('d.jsonl', text)], { decodeImage: count, imageCacheBytes: 40 });
    const data = report.dataset();
    for (const [index, expected] of [
      [0, 1],
      [0, 1],
      [1, 2],
      [0, 2],
      [2, 3],
      [0, 3],
      [1, 4],
    ]) {
      await data.row(index);
      expect(decoded, `after row ${index}`).toBe(expected);
    }
    await Promise.all([0, 1, 2, 0, 1, 2].map((i) => data.row(i)));
  });

  it('keeps them prepared, decodes one at a time, and reads no image for a question', async () => {
    let [decoded, open, most] = [0, 0, 0];
    const count = async (image: Blob): Promise<RasterImage> => {
      decoded++;
      most = Math.max(most, ++open);
      const raster = await decodeImage(image);
      await new Promise((resolve) => setTimeout(resolve, 5));
      open--;
      return raster;
    };
    const preparation = imagePreparation({ size: { longest_edge: 4 }, max_image_size: { longest_edge: 2 } });
    const rows = lines(
      ...['a', 'b', 'a'].map((name, i) => ({ prompt: `what is ${i}?`, image: `${name}.png` })),
    );
    const files = blobs({ 'd.jsonl': rows, 'a.png': red, 'b.png': png(30, 20, [1, 2, 3]) });
    // Room for three prepared images of 2 × 2, and for none of 30 × 20.
    const report = await readDataset(files, { decodeImage: count, imageCacheBytes: 40 });
    const train = endless(report.dataset(), null);
    expect(await Promise.all([0, 1, 2, 3].map((i) => train.prompt?.(i)))).toEqual(
      ['0', '1', '2', '0'].map((i) => `what is ${i}?`),
    );
    expect(decoded).toBe(0);
    for (let epoch = 0; epoch < 3; epoch++) {
      const read = await Promise.all([0, 1, 2].map((i) => train.row(3 * epoch + i, preparation)));
      for (const { image } of read)
        expect([image.width, image.height, image.data.length]).toEqual([2, 2, 12]);
      expect(read[0].image === read[2].image).toBe(true);
      expect([...read[1].image.data.subarray(0, 3)]).toEqual([1, 2, 3]);
    }
    // Rows 0 and 2 name the same file.
    expect([decoded, most]).toEqual([2, 1]);
    // As it is in the file is another matter.
    expect((await train.row(1)).image).toMatchObject({ width: 30, height: 20 });
    expect(decoded).toBe(3);
  });

  it('lays transparency over white, as transformers 5 does', async () => {
    const { data } = await decodeImage(new Blob([png(1, 1, [200, 0, 0, 128])]));
    // 200·128/255 + 255·127/255 and 255·127/255
    expect([...data]).toEqual([227, 127, 127]);
  });

  it('refuses what is no image', async () => {
    await expect(decodeImage(new Blob(['<svg xmlns="http://www.w3.org/2000/svg"/>']))).rejects.toThrow(
      UserError,
    );
    await expect(decodeImage(new Blob([]))).rejects.toThrow(/empty/);
  });
});

describe('split', () => {
  const data = {
    name: 'n',
    size: 10,
    row: (i: number) => ({
      id: `${i}`,
      prompt: '',
      image: { width: 0, height: 0, data: new Uint8Array(0) },
      answer: null,
      columns: {},
    }),
  };
  const ids = async ({ size, row }: { size: number; row: typeof data.row | ((i: number) => unknown) }) =>
    Promise.all(Array.from({ length: size }, async (_, i) => ((await row(i)) as { id: string }).id));

  it('parts the rows without loss or overlap, by the seed alone', async () => {
    const { train, heldOut } = split(data, 0.3, 5);
    expect([train.size, heldOut.size]).toEqual([7, 3]);
    const all = [...(await ids(train)), ...(await ids(heldOut))];
    expect(new Set(all).size).toBe(10);
    expect(await ids(split(data, 0.3, 5).heldOut)).toEqual(await ids(heldOut));
    const others = await Promise.all([6, 7, 8, 9].map((seed) => ids(split(data, 0.3, seed).heldOut)));
    expect(new Set(others.map(String)).size).toBeGreaterThan(1);
    expect(() => heldOut.row(3)).toThrow(RangeError);
  });

  it('leaves each part a row, and refuses what cannot be parted', () => {
    expect(split(data, 0.001, 1).heldOut.size).toBe(1);
    expect(split(data, 0.999, 1).train.size).toBe(1);
    for (const share of [0, 1, Number.NaN, -1]) expect(() => split(data, share, 1)).toThrow(UserError);
    expect(() => split({ ...data, size: 1 }, 0.5, 1)).toThrow(UserError);
    expect(() => split({ ...data, size: Number.POSITIVE_INFINITY }, 0.5, 1)).toThrow(UserError);
  });
});
