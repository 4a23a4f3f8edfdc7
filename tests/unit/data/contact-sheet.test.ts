import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { encode } from 'fast-png';
import { expect, test } from 'vitest';
import { type Example, generateExample } from '../../../src/data/examples.ts';
import type { Rgb } from '../../../src/data/raster.ts';
import { taskKinds } from '../../../src/data/tasks.ts';
import { contactSheet } from './contact-sheet.ts';

const ink: Rgb = [30, 34, 42];
const accent: Record<Example['vision_dependency'], Rgb> = {
  low: [40, 140, 70],
  medium: [190, 120, 10],
  high: [200, 50, 60],
};

const examples: Example[] = [];
for (let row = 0; row < 5; row++) {
  taskKinds.forEach((kind, column) => {
    examples.push(generateExample(7, 'train', 10 * row + column, { [kind]: 1 }));
  });
}

test('the contact sheet of five examples of each kind has the committed pixels', () => {
  const sheet = contactSheet(
    examples.map((example) => ({
      image: example.image,
      lines: [
        { text: `${example.kind} ${example.vision_dependency}`, color: accent[example.vision_dependency] },
        { text: example.prompt.replace(` ${example.hint?.word} ${example.hint?.answer}`, ''), color: ink },
        { text: example.hint ? `${example.hint.word} ${example.hint.answer}` : '', color: [110, 115, 125] },
        { text: `> ${example.answer}`, color: ink },
      ],
    })),
    taskKinds.length,
  );
  mkdirSync('tests/output', { recursive: true });
  writeFileSync('tests/output/contact-sheet.png', encode({ ...sheet, channels: 3, depth: 8 }));
  const digest = (some: readonly Example[]) => {
    const hash = createHash('sha256');
    for (const example of some) hash.update(example.image.data);
    return hash.digest('hex');
  };
  const isEmoji = ({ kind }: Example) => kind === 'emoji_color';
  expect(digest(examples.filter((example) => !isEmoji(example)))).toBe(
    '83975a97bea36ba3e6b6fecc980d143cc8d083d70e7eeb43d28f26d007aec0cc',
  );
  expect(digest(examples.filter(isEmoji))).toBe(
    'c81c049f82e03ee923a14e76c346370f9ffc8c71096fdd1d073ec5792188d001',
  );
});
