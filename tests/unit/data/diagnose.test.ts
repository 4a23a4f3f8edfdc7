import { expect, test } from 'vitest';
import { diagnose } from '../../../src/data/diagnose.ts';
import type { Example } from '../../../src/data/examples.ts';
import { kinds } from '../../../src/data/tasks.ts';

const item = (color: string, shape: string) =>
  ({ color, shape, dx: 0, dy: 0, half: 48, shade: 256 }) as never;
const cells = new Array(16).fill(null);
cells[2] = item('red', 'square');
cells[6] = item('blue', 'circle');
cells[8] = item('red', 'square');
const scene = { cells, bars: [], dark: false, tone: 0 };
const none = { cells: [], bars: [], color: null, shape: null, amount: 0 };

function asked(
  kind: Example['kind'],
  question: object,
): Pick<Example, 'kind' | 'question' | 'scene' | 'answer'> {
  const full = { ...none, ...question };
  return { kind, question: full, scene, answer: kinds[kind].solve(full, kinds[kind].look(full, scene)) };
}
const add = asked('add', { cells: [2, 6] });
const count = asked('count', { color: 'red', shape: 'square' });

test('right, wrong perception, wrong reasoning and wrong format are told apart', () => {
  const errors = {
    '<think> @3 square @7 circle 1 + 2 </think> \\boxed{3}': null,
    '<think> @3 square @7 cross 1 + 5 </think> \\boxed{6}': 'perception',
    '<think> @3 square @7 circle 1 + 2 </think> \\boxed{4}': 'reasoning',
    '<think> @3 square @7 circle 1 + 3 </think> \\boxed{4}': 'reasoning',
    '<think> @3 square @7 circle 1 + 3 </think> \\boxed{3}': 'reasoning',
    '<think> @7 circle @3 square 2 + 1 </think> \\boxed{3}': 'reasoning',
    '<think> @3 square @7 circle </think> \\boxed{3}': 'format',
    '<think> @3 square @7 circle 1 + 2 \\boxed{3}': 'format',
    '<think> @3 square @7 circle 1 + 2 </think> \\boxed{3': 'format',
    '<think> @3 square @7 circle 1 + 2 </think> \\boxed{3} 3': 'format',
    '<think> @3 square @77 circle 1 + 2 </think> \\boxed{3}': 'format',
    '\\boxed{3}': 'format',
    '': 'format',
  };
  for (const [text, error] of Object.entries(errors)) expect(diagnose(text, add).error, text).toBe(error);
});

test('a wrong perception with a lucky answer is correct and still a perception error', () => {
  expect(diagnose('<think> @3 circle @7 square 2 + 1 </think> \\boxed{3}', add)).toEqual({
    format_ok: true,
    perception_ok: false,
    reasoning_ok: true,
    correct: true,
    error: 'perception',
  });
});

test('wrong perception and wrong reasoning at once count as perception, with both marked', () => {
  const found = diagnose('<think> @3 circle @7 circle 2 + 2 </think> \\boxed{9}', add);
  expect(found).toMatchObject({
    perception_ok: false,
    reasoning_ok: false,
    correct: false,
    error: 'perception',
  });
});

test('a count must list exactly the cells, once each, in any order that is their own', () => {
  expect(diagnose('<think> @3 @9 </think> \\boxed{2}', count).error).toBe(null);
  expect(diagnose('<think> @3 </think> \\boxed{1}', count).error).toBe('perception');
  expect(diagnose('<think> @3 @7 </think> \\boxed{2}', count)).toMatchObject({
    error: 'perception',
    correct: true,
  });
  expect(diagnose('<think> @3 @3 </think> \\boxed{2}', count).error).toBe('perception');
  expect(diagnose('<think> @3 @9 </think> \\boxed{3}', count).error).toBe('reasoning');
  expect(diagnose('<think> none </think> \\boxed{0}', count).error).toBe('perception');
  expect(diagnose('<think> @3 @17 </think> \\boxed{2}', count).error).toBe('format');
});
