/** Rows with problems, read again to be shown. */
import { expect, test } from 'vitest';
import { readDataset } from '../../../src/import/dataset.ts';
import { decodeImage } from '../../../src/import/decode-node.ts';
import { readRowsAt } from '../../../src/import/rows-at.ts';
import { base64, blobs, lines, png } from './data.ts';

const red = png(3, 2, [255, 0, 0]);
const url = `data:image/png;base64,${base64(red)}`;

test('each problem row comes back with what stands in it, in the order that is asked for', async () => {
  const long = 'x'.repeat(5000);
  const place = blobs({
    'a.jsonl': [
      lines({ prompt: 'good', image: url, answer: 'x' }).trim(),
      lines({ prompt: 7, image: url, answer: 'y', tags: ['t', 1] }).trim(),
      '{"prompt": "cut off',
      lines({ prompt: long, image: 'nowhere.png' }).trim(),
      '[1, 2]',
    ].join('\n'),
    'b.jsonl': lines({ prompt: 'other file' }),
  });
  const report = await readDataset(place, { decodeImage });
  const places = report.problems.map(({ file, row }) => ({ file, row }));
  expect(places).toEqual([
    { file: 'a.jsonl', row: 2 },
    { file: 'a.jsonl', row: 3 },
    { file: 'a.jsonl', row: 4 },
    { file: 'a.jsonl', row: 5 },
    { file: 'b.jsonl', row: 1 },
  ]);
  const found = await readRowsAt(place, places.toReversed());
  expect(found.map((row) => row?.fields.map(({ name }) => name))).toEqual([
    ['prompt'],
    [],
    ['prompt', 'image'],
    [],
    ['prompt', 'image', 'answer', 'tags'],
  ]);
  const [other, list, far, cut, second] = found;
  expect(other?.fields).toEqual([{ name: 'prompt', text: 'other file' }]);
  expect(list?.text).toContain('1');
  expect(cut?.text).toBe('{"prompt": "cut off');
  // Long values are cut, and an image that is not there is not opened.
  expect(far?.fields[0].text.length).toBeLessThan(500);
  expect(far?.openImage).toBeUndefined();
  expect(second?.fields.find(({ name }) => name === 'prompt')?.text).toBe('7');
  const image = await decodeImage(await second!.openImage!());
  expect([image.width, image.height]).toEqual([3, 2]);
  expect(await readRowsAt(place, [{ file: 'a.jsonl', row: 99 }])).toEqual([undefined]);
});
