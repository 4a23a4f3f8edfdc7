import { expect, test } from 'vitest';
import { lazyDemonstration } from '../../../src/data/demonstrators.ts';
import { diagnose } from '../../../src/data/diagnose.ts';
import { type Example, generateExample, splitOf } from '../../../src/data/examples.ts';
import { expectedCellContents } from '../../../src/data/render.ts';
import { kinds, taskKinds, tasks } from '../../../src/data/tasks.ts';
import { colors, sceneKey, shapes } from '../../../src/data/world.ts';
import { Purpose, RandomStream } from '../../../src/papo/random.ts';

function many(count: number, split: 'train' | 'test', mix: Parameters<typeof generateExample>[3]): Example[] {
  return Array.from({ length: count }, (_, i) => generateExample(11, split, i, mix));
}

const examples = many(600, 'train', 'all');

test('an example is a pure function of seed, split, index and mix', () => {
  const again = generateExample(11, 'train', 17, 'all');
  expect(again).toEqual(examples[17]);
  expect(generateExample(12, 'train', 17, 'all').scene).not.toEqual(examples[17].scene);
});

test('no scene is in both splits, whatever is asked about it', () => {
  const key = (example: Example) => sceneKey(example.scene);
  const charts = { bar: 1, tallest: 1, bar_minus: 1 };
  const train = new Set([...many(1500, 'train', charts), ...examples].map(key));
  const held = [...many(1500, 'test', charts), ...many(300, 'test', 'all')];
  // The charts are few enough (8⁴) that without the split the two would share many.
  expect(held.filter((example) => train.has(key(example)))).toEqual([]);
  for (const example of held) expect(splitOf(example.scene)).toBe('test');
  for (const example of examples) expect(splitOf(example.scene)).toBe('train');
});

test('each named task asks its kinds as often as its weights say', () => {
  for (const [name, mix] of Object.entries(tasks)) {
    const drawn = many(400, 'train', name as keyof typeof tasks);
    const total = Object.values(mix).reduce((sum, weight) => sum + weight, 0);
    for (const kind of taskKinds) {
      const share = drawn.filter((example) => example.kind === kind).length / drawn.length;
      const wanted = ((mix as Partial<Record<string, number>>)[kind] ?? 0) / total;
      expect(Math.abs(share - wanted), `${name}: ${kind}`).toBeLessThan(wanted === 0 ? 1e-9 : 0.09);
    }
  }
  expect(many(200, 'train', 'shapes').every((example) => example.level === 'default')).toBe(true);
});

test('a mix with a wrong kind, weight or name is refused by name', () => {
  expect(() => generateExample(1, 'train', 0, 'colours' as 'shapes')).toThrow(
    /unknown task "colours".*shapes/,
  );
  expect(() => generateExample(1, 'train', 0, { guess: 1 } as object)).toThrow(/unknown kind "guess"/);
  expect(() => generateExample(1, 'train', 0, { add: -1 })).toThrow(/weight of "add" is -1/);
  expect(() => generateExample(1, 'train', 0, { add: 0 })).toThrow(/no kind a weight/);
});

test('the answer of a hand-made scene', () => {
  const item = (color: string, shape: string) =>
    ({ color, shape, dx: 0, dy: 0, half: 48, shade: 256 }) as never;
  const cells = new Array(16).fill(null);
  cells[2] = item('red', 'square');
  cells[6] = item('blue', 'cross');
  cells[15] = item('red', 'circle');
  const grid = { cells, bars: [], dark: false, tone: 0 };
  const none = { cells: [], bars: [], color: null, shape: null, amount: 0 };
  const answer = (kind: keyof typeof kinds, question: object, scene: typeof grid) => {
    const asked = { ...none, ...question };
    return kinds[kind].solve(asked, kinds[kind].look(asked, scene));
  };
  expect(answer('shape', { cells: [6] }, grid)).toBe('cross');
  expect(answer('color', { cells: [6] }, grid)).toBe('blue');
  expect(answer('add', { cells: [6, 15] }, grid)).toBe('7');
  expect(answer('find', { color: 'red', shape: 'circle' }, grid)).toBe('@16');
  expect(answer('count', { color: 'red' }, grid)).toBe('2');
  expect(answer('count_add', { color: 'red', shape: 'square', amount: 5 }, grid)).toBe('6');
  expect(answer('max', { cells: [2, 15, 6] }, grid)).toBe('5');
  const bars = [3, 8, 1, 5].map((value) => ({
    value,
    color: 'red',
    trim: 0,
    width: 10,
    shade: 256,
  })) as never[];
  const chart = { ...grid, cells: new Array(16).fill(null), bars };
  expect(answer('bar', { bars: [3] }, chart)).toBe('5');
  expect(answer('tallest', { bars: [0, 1, 2, 3] }, chart)).toBe('2');
  expect(answer('bar_minus', { bars: [1, 0] }, chart)).toBe('5');
});

test('hints come and are right as often as the notes ask, and set the vision dependency', () => {
  const drawn = many(4000, 'train', { shape: 1, add: 1 });
  const of = (word?: string) => drawn.filter((example) => example.hint?.word === word);
  const right = (word: string) => {
    const hinted = of(word);
    return hinted.filter((example) => example.hint!.answer === example.answer).length / hinted.length;
  };
  expect(Math.abs(of('surely').length / drawn.length - 0.15)).toBeLessThan(0.025);
  expect(Math.abs(of('maybe').length / drawn.length - 0.35)).toBeLessThan(0.03);
  expect(Math.abs(right('surely') - 0.7)).toBeLessThan(0.06);
  expect(Math.abs(right('maybe') - 0.3)).toBeLessThan(0.05);
  const dependency = { surely: 'low', maybe: 'medium', none: 'high' } as const;
  for (const example of drawn)
    expect(example.vision_dependency).toBe(dependency[example.hint?.word ?? 'none']);
  for (const example of of('maybe').slice(0, 20)) {
    expect(example.prompt.endsWith(` maybe ${example.hint!.answer}`)).toBe(true);
  }
});

test('the careful demonstration of every kind is right in every respect', () => {
  expect(new Set(examples.map((example) => example.kind))).toEqual(new Set(Object.keys(tasks.all)));
  for (const example of examples) {
    expect(diagnose(example.demonstration, example), example.demonstration).toEqual({
      format_ok: true,
      perception_ok: true,
      reasoning_ok: true,
      correct: true,
      error: null,
    });
  }
});

test('the lazy demonstration has the form and the reasoning, and sees what the text suggests', () => {
  let [correct, total] = [0, 0];
  for (const example of examples) {
    const random = new RandomStream(2, Purpose.demonstration, total);
    const text = lazyDemonstration(example, random, 1);
    const found = diagnose(text, example);
    expect(found.format_ok && found.reasoning_ok, text).toBe(true);
    if (example.hint) expect(text.endsWith(`\\boxed{${example.hint.answer}}`), text).toBe(true);
    if (found.correct) correct++;
    total++;
  }
  expect(correct / total).toBeGreaterThan(0.2);
  expect(correct / total).toBeLessThan(0.45);
});

test('the lazy demonstrator never looks: another image of the same question changes nothing', () => {
  const example = examples.find((e) => e.kind === 'add' && !e.hint)!;
  const other = { ...example, scene: examples[1].scene, answer: '0', perceptions: [], demonstration: '' };
  const lazy = (e: Example) => lazyDemonstration(e, new RandomStream(4, Purpose.demonstration, 1), 1);
  expect(lazy(other)).toBe(lazy(example));
});

test('a sharper prior makes the lazy one surer of the common shape', () => {
  const example = examples.find((e) => e.kind === 'shape' && !e.hint)!;
  const squares = (sharpness: number) => {
    let found = 0;
    for (let i = 0; i < 300; i++) {
      const random = new RandomStream(4, Purpose.demonstration, i);
      if (lazyDemonstration(example, random, sharpness).includes('square')) found++;
    }
    return found / 300;
  };
  expect(squares(1)).toBeLessThan(0.5);
  expect(squares(4)).toBeGreaterThan(0.7);
});

test('no answer is so common that always giving it would pay', () => {
  for (const kind of taskKinds) {
    const answers = new Map<string, number>();
    for (const { answer } of many(400, 'train', { [kind]: 1 }))
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    expect(Math.max(...answers.values()) / 400, kind).toBeLessThan(0.5);
  }
});

test('cell contents name what is in each cell of a grid, and the heights in a chart', () => {
  const grid = examples.find((example) => example.kind === 'add')!;
  const contents = expectedCellContents(grid);
  expect(contents).toHaveLength(16);
  grid.scene.cells.forEach((item, i) => {
    expect(contents[i]).toEqual({ color: item?.color ?? null, shape: item?.shape ?? null });
  });
  const chart = examples.find((example) => example.kind === 'bar')!;
  const found = expectedCellContents(chart);
  chart.scene.bars.forEach((bar, b) => {
    const column = [0, 1, 2, 3].map((row) => found[row * 4 + b]);
    const filled = column.filter((cell) => cell.color !== null);
    expect(filled).toHaveLength(Math.ceil(bar.value / 2));
    expect(filled[0]).toEqual({ color: bar.color, shape: String(bar.value) });
    for (const below of filled.slice(1)) expect(below).toEqual({ color: bar.color, shape: 'bar' });
  });
});

test('what the world says a cell holds is what the picture shows there', () => {
  // The middle pixel of a cell with an item (all shapes cover it) is far from the background, an empty one is not.
  for (const example of examples.filter((e) => e.scene.bars.length === 0).slice(0, 60)) {
    const pixel = (x: number, y: number) => [
      ...example.image.data.subarray((y * 64 + x) * 3, (y * 64 + x) * 3 + 3),
    ];
    const ground = example.scene.dark ? [44, 48, 58] : [238, 239, 242];
    example.scene.cells.forEach((item, i) => {
      const seen = pixel((i % 4) * 16 + 8, Math.floor(i / 4) * 16 + 8);
      const distance = seen.reduce((sum, v, c) => sum + Math.abs(v - ground[c] - example.scene.tone), 0);
      if (item) expect(distance).toBeGreaterThan(60);
      else expect(distance).toBe(0);
    });
  }
  expect(colors.length * shapes.length).toBe(30);
});
