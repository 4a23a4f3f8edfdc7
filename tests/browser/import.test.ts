/** Files as a page gets them: decoding by the browser, zips by its own decompressor, drops. */
import { downloadZip } from 'client-zip';
import { describe, expect, test } from 'vitest';
import { prepareImage } from '../../src/data/image-processor.ts';
import { readDataset } from '../../src/import/dataset.ts';
import { decodeImage } from '../../src/import/decode-page.ts';
import { droppedFiles, openModelSource } from '../../src/import/picked-files.ts';
import { openZip } from '../../src/import/zip-files.ts';
import { readSafetensors } from '../../src/store/safetensors.ts';

async function canvasImage(
  type: string,
  paint: (context: OffscreenCanvasRenderingContext2D) => void,
): Promise<Blob> {
  const canvas = new OffscreenCanvas(4, 2);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  paint(context);
  return canvas.convertToBlob({ type, quality: 1 });
}

const halves = (context: OffscreenCanvasRenderingContext2D) => {
  context.fillStyle = 'rgb(200, 10, 30)';
  context.fillRect(0, 0, 2, 2);
  context.fillStyle = 'rgb(5, 120, 250)';
  context.fillRect(2, 0, 2, 2);
};
const expected = Uint8Array.from(
  { length: 24 },
  (_, i) => (i % 12 < 6 ? [200, 10, 30] : [5, 120, 250])[i % 3],
);

/** A stored-only zip, of the parts' bytes as they are. */
async function storedZip(parts: Record<string, Uint8Array<ArrayBuffer>>): Promise<File> {
  const entries = Object.entries(parts).map(([name, input]) => ({ name, input }));
  return new File([await downloadZip(entries).blob()], 'model.zip');
}

describe('decodeImage', () => {
  test('gives the RGB that was painted', async () => {
    const image = await decodeImage(await canvasImage('image/png', halves));
    expect([image.width, image.height]).toEqual([4, 2]);
    expect(image.data).toEqual(expected);
  });

  test.each(['image/jpeg', 'image/webp'])('%s, nearly', async (type) => {
    const image = await decodeImage(await canvasImage(type, halves));
    expect(image.data.length).toBe(24);
    for (let i = 0; i < 3; i++) expect(Math.abs(image.data[i] - expected[i])).toBeLessThan(30);
  });

  test('lays transparency over white', async () => {
    const image = await decodeImage(
      await canvasImage('image/png', (context) => {
        context.fillStyle = 'rgba(255, 0, 0, 0.5)';
        context.fillRect(0, 0, 2, 2);
      }),
    );
    // Half red, then nothing at all.
    expect(Math.abs(image.data[1] - 127)).toBeLessThanOrEqual(1);
    expect([...image.data.subarray(6, 9)]).toEqual([255, 255, 255]);
  });

  // The browser's own decoders against PIL: images whose every byte transformers' processor gave.
  const fixture = '/tests/fixtures/smolvlm-processor';
  const bytes = async (path: string) => (await fetch(`${fixture}/${path}`)).blob();
  test.each(['grey.png', 'alpha.png', 'palette.png', 'rotated.jpg', 'dot.png', 'wide.png', 'photo.jpg'])(
    "%s comes to what transformers' processor makes of it, within 1/255",
    async (name) => {
      const config = JSON.parse(await (await bytes('folder/preprocessor_config.json')).text());
      const image = await decodeImage(await bytes(`images/${name}`));
      const small = { ...config, size: { longest_edge: 256 }, max_image_size: { longest_edge: 64 } };
      const { data } = prepareImage(image, small);
      const arrays = readSafetensors(
        new Uint8Array(await (await bytes('expected.safetensors')).arrayBuffer()),
      );
      const expected = arrays.get(`small ${name} whole`)!.bytes;
      expect(data.length).toBe(expected.length);
      const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);
      expect(worst).toBeLessThanOrEqual(1);
    },
  );

  test('refuses what is damaged or no image', async () => {
    const png = await canvasImage('image/png', halves);
    await expect(decodeImage(png.slice(0, 40))).rejects.toThrow(/could not be decoded/);
    await expect(decodeImage(new Blob(['hello']))).rejects.toThrow(/no PNG, JPEG, GIF, WebP or BMP/);
  });
});

describe('files', () => {
  test('a zip with a model, packed by the browser', async () => {
    const text = (value: string) => new TextEncoder().encode(value);
    const source = await openModelSource([
      await storedZip({ 'm/config.json': text('{}'), 'm/a.txt': text('hello') }),
    ]);
    expect(new TextDecoder().decode((await source.read('a.txt')) ?? undefined)).toBe('hello');
  });

  test('a deflated zip, by the browser’s own decompressor', async () => {
    const body = new TextEncoder().encode('papo '.repeat(1000));
    const packed = new Uint8Array(
      await new Response(
        new Blob([body]).stream().pipeThrough(new CompressionStream('deflate-raw')),
      ).arrayBuffer(),
    );
    const stored = new Uint8Array(await (await storedZip({ a: body })).arrayBuffer());
    // The checksum of the stored twin's directory serves the deflated one.
    const directory = stored.findIndex(
      (_, i) => stored[i] === 0x50 && stored[i + 2] === 1 && stored[i + 3] === 2,
    );
    const crc = new DataView(stored.buffer).getUint32(directory + 16, true);
    const zip = deflatedZip('a', packed, crc, body.length);
    const opened = await openZip(zip, 'a.zip');
    expect(await (await opened.open('a'))?.text()).toBe('papo '.repeat(1000));
    const wrong = await openZip(deflatedZip('a', packed, crc ^ 1, body.length), 'a.zip');
    await expect(wrong.open('a')).rejects.toThrow(/cannot be unpacked/);
    const short = await openZip(deflatedZip('a', packed, crc, body.length - 1), 'a.zip');
    await expect(short.open('a')).rejects.toThrow(/claims|cannot be unpacked/);
  });

  test('a dataset: JSONL with an image file', async () => {
    const png = await canvasImage('image/png', halves);
    const report = await readDataset(
      [
        new File(['{"prompt": "p", "image": "i.png", "answer": 3}\n{"prompt": "q"}\n'], 'd.jsonl'),
        new File([png], 'i.png'),
      ],
      { decodeImage },
    );
    expect(report).toMatchObject({ rows: 2, good: 1, problems: [{ row: 2, column: 'image' }] });
    expect((await report.dataset().row(0)).image.data).toEqual(expected);
  });

  test('a drop', async () => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['{}'], 'config.json'));
    transfer.items.add('some text', 'text/plain');
    const files = await droppedFiles(transfer.items);
    expect(files.map(({ path }) => path)).toEqual(['config.json']);
    expect(await files[0].file.text()).toBe('{}');
  });
});

function deflatedZip(name: string, packed: Uint8Array, crc: number, size: number): Uint8Array<ArrayBuffer> {
  const raw = new TextEncoder().encode(name);
  const bytes = new Uint8Array(30 + 46 + 22 + 2 * raw.length + packed.length);
  const view = new DataView(bytes.buffer);
  const header = (at: number) => {
    view.setUint16(at, 20, true);
    view.setUint16(at + 4, 8, true);
    view.setUint32(at + 6, 0x5a210000, true);
    view.setUint32(at + 10, crc, true);
    view.setUint32(at + 14, packed.length, true);
    view.setUint32(at + 18, size, true);
    view.setUint16(at + 22, raw.length, true);
  };
  view.setUint32(0, 0x04034b50, true);
  header(4);
  bytes.set(raw, 30);
  bytes.set(packed, 30 + raw.length);
  const directory = 30 + raw.length + packed.length;
  view.setUint32(directory, 0x02014b50, true);
  view.setUint16(directory + 4, 20, true);
  header(directory + 6);
  bytes.set(raw, directory + 46);
  const end = directory + 46 + raw.length;
  view.setUint32(end, 0x06054b50, true);
  view.setUint16(end + 8, 1, true);
  view.setUint16(end + 10, 1, true);
  view.setUint32(end + 12, 46 + raw.length, true);
  view.setUint32(end + 16, directory, true);
  return bytes;
}
