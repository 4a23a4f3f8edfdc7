// The kinds of question. A kind says how to ask about a scene, what must be seen to answer, how a completion
// states that, and what follows from it; everything else (demonstrators, diagnosis, hints) is made of these.
import type { RandomStream } from '../papo/random.ts';
import {
  barCount,
  type Color,
  cellCount,
  cellName,
  colors,
  matchingCells,
  maxCount,
  priors,
  type Scene,
  type Shape,
  shapes,
  shapeValue,
  sharpen,
  thingAt,
} from './world.ts';

export const taskKinds = [
  'shape',
  'color',
  'add',
  'find',
  'bar',
  'count',
  'max',
  'tallest',
  'count_add',
  'bar_minus',
  'emoji_color',
] as const;
export type TaskKind = (typeof taskKinds)[number];

/** One fact about the image that a completion states. Cells and bars count from 0. */
export type Perception =
  | { type: 'shape'; cell: number; shape: Shape }
  | { type: 'color'; cell: number; color: Color }
  | { type: 'place'; color: Color; shape: Shape; cell: number }
  | { type: 'bar'; bar: number; value: number }
  | { type: 'cells'; color: Color | null; shape: Shape | null; cells: readonly number[] };

/** What is asked; a kind uses the fields that it needs. */
export interface Question {
  cells: readonly number[];
  bars: readonly number[];
  color: Color | null;
  shape: Shape | null;
  amount: number;
}

export interface Kind {
  level: 'default' | 'hard';
  scene: 'grid' | 'chart' | 'emoji';
  /** A question about the scene, or null where it has none of this kind. */
  ask(random: RandomStream, scene: Scene): Question | null;
  prompt(question: Question): string;
  /** What a careful look finds. */
  look(question: Question, scene: Scene): Perception[];
  /** What somebody writes who does not look: drawn from the sharpened prior. */
  imagine(question: Question, random: RandomStream, sharpness: number): Perception[];
  /** The words between `<think>` and `</think>`. */
  think(question: Question, seen: readonly Perception[]): string;
  /** The statements read back out of such words, or null where they have another form. */
  parse(question: Question, thought: string): Perception[] | null;
  /** The answer that follows from what was stated. */
  solve(question: Question, seen: readonly Perception[]): string;
}

const CELL = '@([1-9]|1[0-6])';
const SHAPE = `(${shapes.join('|')})`;
const COLOR = `(${colors.join('|')})`;
const NUMBER = '(\\d+)';
const BAR = '([1-4])';
const CELLS = `(none|@\\d+(?: @\\d+){0,${cellCount - 1}})`;

function matcher(pattern: string): (thought: string) => string[] | null {
  const regex = new RegExp(`^${pattern}$`);
  return (thought) => regex.exec(thought)?.slice(1) ?? null;
}

const noQuestion: Question = { cells: [], bars: [], color: null, shape: null, amount: 0 };

const imagineShape = (random: RandomStream, sharpness: number) =>
  shapes[random.weighted(sharpen(priors.shape, sharpness))];
const imagineBar = (random: RandomStream, sharpness: number) =>
  random.weighted(sharpen(priors.bar, sharpness)) + 1;

function occupied(scene: Scene): number[] {
  return matchingCells(scene, null, null);
}

function numberOf(perception: Perception): number {
  if (perception.type === 'shape') return shapeValue(perception.shape);
  if (perception.type === 'bar') return perception.value;
  if (perception.type === 'cells') return perception.cells.length;
  throw new Error(`a ${perception.type} has no value`);
}

/** `@3 square @7 circle` for shapes in several cells, with what follows from them behind. */
function shapesKind(
  cells: number,
  verb: string,
  parts: {
    level: Kind['level'];
    joint: string;
    solve(values: number[]): number;
  },
): Kind {
  const pattern = `${Array(cells).fill(`${CELL} ${SHAPE}`).join(' ')} ${Array(cells)
    .fill(NUMBER)
    .join(parts.joint === ' ' ? ' ' : ` \\${parts.joint} `)}`;
  const match = matcher(pattern);
  return {
    level: parts.level,
    scene: 'grid',
    ask: (random, scene) => ({ ...noQuestion, cells: random.shuffle(occupied(scene)).slice(0, cells) }),
    prompt: (question) => [verb, ...question.cells.map(cellName)].join(' '),
    look: (question, scene) =>
      question.cells.map((cell) => ({ type: 'shape', cell, shape: scene.cells[cell]!.shape })),
    imagine: (question, random, sharpness) =>
      question.cells.map((cell) => ({ type: 'shape', cell, shape: imagineShape(random, sharpness) })),
    think(question, seen) {
      const stated = seen.map((p, i) =>
        p.type === 'shape' ? `${cellName(question.cells[i])} ${p.shape}` : '',
      );
      const joint = parts.joint === ' ' ? ' ' : ` ${parts.joint} `;
      return `${stated.join(' ')} ${seen.map(numberOf).join(joint)}`;
    },
    parse(_question, thought) {
      const found = match(thought);
      if (!found) return null;
      return Array.from({ length: cells }, (_, i) => ({
        type: 'shape',
        cell: Number(found[2 * i]) - 1,
        shape: found[2 * i + 1] as Shape,
      }));
    },
    solve: (_question, seen) => String(parts.solve(seen.map(numberOf))),
  };
}

function countKind(level: Kind['level'], withAmount: boolean): Kind {
  const match = matcher(withAmount ? `${CELLS} ${NUMBER} \\+ ${NUMBER}` : CELLS);
  const listed = (p: Perception) =>
    p.type === 'cells' && p.cells.length > 0 ? p.cells.map(cellName).join(' ') : 'none';
  const total = (question: Question, seen: readonly Perception[]) => numberOf(seen[0]) + question.amount;
  return {
    level,
    scene: 'grid',
    /** The number comes first, so that no count is much more common than the prior says. */
    ask(random, scene) {
      const target = random.weighted(priors.count) + 1;
      const described: [Color | null, Shape | null][] = [];
      for (const color of [null, ...colors])
        for (const shape of [null, ...shapes]) described.push([color, shape]);
      const fitting = described.filter(
        ([color, shape]) => (color ?? shape) !== null && matchingCells(scene, color, shape).length === target,
      );
      if (fitting.length === 0) return null;
      const [color, shape] = random.pick(fitting);
      return { ...noQuestion, color, shape, amount: withAmount ? 1 + random.int(9) : 0 };
    },
    prompt(question) {
      const words = [
        'count',
        question.color,
        question.shape,
        ...(withAmount ? ['add', question.amount] : []),
      ];
      return words.filter((word) => word !== null).join(' ');
    },
    look: ({ color, shape }, scene) => [
      { type: 'cells', color, shape, cells: matchingCells(scene, color, shape) },
    ],
    imagine({ color, shape }, random, sharpness) {
      const count = random.weighted(sharpen(priors.count, sharpness)) + 1;
      const all = Array.from({ length: cellCount }, (_, i) => i);
      const cells = random
        .shuffle(all)
        .slice(0, count)
        .sort((a, b) => a - b);
      return [{ type: 'cells', color, shape, cells }];
    },
    think: (question, seen) =>
      withAmount ? `${listed(seen[0])} ${numberOf(seen[0])} + ${question.amount}` : listed(seen[0]),
    parse({ color, shape }, thought) {
      const found = match(thought);
      if (!found) return null;
      const cells = found[0] === 'none' ? [] : found[0].split(' ').map((name) => Number(name.slice(1)) - 1);
      return cells.every((cell) => cell >= 0 && cell < cellCount)
        ? [{ type: 'cells', color, shape, cells }]
        : null;
    },
    solve: (question, seen) => String(total(question, seen)),
  };
}

const matchShape = matcher(`${CELL} ${SHAPE}`);
const shape: Kind = {
  level: 'default',
  scene: 'grid',
  ask: (random, scene) => ({ ...noQuestion, cells: [random.pick(occupied(scene))] }),
  prompt: (question) => `which shape ${cellName(question.cells[0])}`,
  look: ({ cells: [cell] }, scene) => [{ type: 'shape', cell, shape: scene.cells[cell]!.shape }],
  imagine: ({ cells: [cell] }, random, sharpness) => [
    { type: 'shape', cell, shape: imagineShape(random, sharpness) },
  ],
  think: ({ cells }, [p]) => (p.type === 'shape' ? `${cellName(cells[0])} ${p.shape}` : ''),
  parse(_question, thought) {
    const found = matchShape(thought);
    return found && [{ type: 'shape', cell: Number(found[0]) - 1, shape: found[1] as Shape }];
  },
  solve: (_question, [p]) => (p.type === 'shape' ? p.shape : ''),
};

const matchColor = matcher(`${CELL} ${COLOR}`);
const color: Kind = {
  level: 'default',
  scene: 'grid',
  ask: shape.ask,
  prompt: (question) => `which color ${cellName(question.cells[0])}`,
  look: ({ cells: [cell] }, scene) => [{ type: 'color', cell, color: thingAt(scene, cell)!.color }],
  imagine: ({ cells: [cell] }, random, sharpness) => [
    { type: 'color', cell, color: colors[random.weighted(sharpen(priors.color, sharpness))] },
  ],
  think: ({ cells }, [p]) => (p.type === 'color' ? `${cellName(cells[0])} ${p.color}` : ''),
  parse(_question, thought) {
    const found = matchColor(thought);
    return found && [{ type: 'color', cell: Number(found[0]) - 1, color: found[1] as Color }];
  },
  solve: (_question, [p]) => (p.type === 'color' ? p.color : ''),
};

const matchPlace = matcher(`${COLOR} ${SHAPE} ${CELL}`);
const find: Kind = {
  level: 'default',
  scene: 'grid',
  /** Only what stands in one cell alone can be found. */
  ask(random, scene) {
    const unique = occupied(scene).filter((cell) => {
      const item = scene.cells[cell]!;
      return matchingCells(scene, item.color, item.shape).length === 1;
    });
    if (unique.length === 0) return null;
    const item = scene.cells[random.pick(unique)]!;
    return { ...noQuestion, color: item.color, shape: item.shape };
  },
  prompt: (question) => `find ${question.color} ${question.shape}`,
  look: ({ color, shape }, scene) => [
    { type: 'place', color: color!, shape: shape!, cell: matchingCells(scene, color, shape)[0] },
  ],
  imagine: ({ color, shape }, random, sharpness) => [
    { type: 'place', color: color!, shape: shape!, cell: random.weighted(sharpen(priors.cell, sharpness)) },
  ],
  think: (question, [p]) =>
    p.type === 'place' ? `${question.color} ${question.shape} ${cellName(p.cell)}` : '',
  parse(_question, thought) {
    const found = matchPlace(thought);
    if (!found) return null;
    return [
      { type: 'place', color: found[0] as Color, shape: found[1] as Shape, cell: Number(found[2]) - 1 },
    ];
  },
  solve: (_question, [p]) => (p.type === 'place' ? cellName(p.cell) : ''),
};

const matchBar = matcher(`bar ${BAR} = ${NUMBER}`);
const bar: Kind = {
  level: 'default',
  scene: 'chart',
  ask: (random) => ({ ...noQuestion, bars: [random.int(barCount)] }),
  prompt: (question) => `read bar ${question.bars[0] + 1}`,
  look: ({ bars }, scene) => bars.map((b) => ({ type: 'bar', bar: b, value: scene.bars[b].value })),
  imagine: ({ bars }, random, sharpness) =>
    bars.map((b) => ({ type: 'bar', bar: b, value: imagineBar(random, sharpness) })),
  think: ({ bars }, [p]) => `bar ${bars[0] + 1} = ${numberOf(p)}`,
  parse(_question, thought) {
    const found = matchBar(thought);
    return found && [{ type: 'bar', bar: Number(found[0]) - 1, value: Number(found[1]) }];
  },
  solve: (_question, [p]) => String(numberOf(p)),
};

const matchTallest = matcher(Array(barCount).fill(NUMBER).join(' '));
const tallest: Kind = {
  level: 'hard',
  scene: 'chart',
  ask(_random, scene) {
    const values = scene.bars.map((b) => b.value);
    const top = Math.max(...values);
    return values.filter((value) => value === top).length === 1
      ? { ...noQuestion, bars: [0, 1, 2, 3] }
      : null;
  },
  prompt: () => 'tallest bar',
  look: bar.look,
  imagine: bar.imagine,
  think: (_question, seen) => seen.map(numberOf).join(' '),
  parse(_question, thought) {
    const found = matchTallest(thought);
    return found?.map((value, b) => ({ type: 'bar', bar: b, value: Number(value) })) ?? null;
  },
  solve(_question, seen) {
    const values = seen.map(numberOf);
    return String(values.indexOf(Math.max(...values)) + 1);
  },
};

const matchMinus = matcher(`bar ${BAR} = ${NUMBER} bar ${BAR} = ${NUMBER} ${NUMBER} - ${NUMBER}`);
const barMinus: Kind = {
  level: 'hard',
  scene: 'chart',
  ask(random, scene) {
    const [a, b] = random.shuffle([0, 1, 2, 3]);
    const ordered = scene.bars[a].value >= scene.bars[b].value ? [a, b] : [b, a];
    return { ...noQuestion, bars: ordered };
  },
  prompt: ({ bars }) => `bar ${bars[0] + 1} minus bar ${bars[1] + 1}`,
  look: bar.look,
  /** Nothing below zero is ever asked for, and a guesser knows that. */
  imagine({ bars }, random, sharpness) {
    const values = [imagineBar(random, sharpness), imagineBar(random, sharpness)].sort((x, y) => y - x);
    return bars.map((b, i) => ({ type: 'bar', bar: b, value: values[i] }));
  },
  think({ bars }, seen) {
    const stated = seen.map((p, i) => `bar ${bars[i] + 1} = ${numberOf(p)}`);
    return `${stated.join(' ')} ${seen.map(numberOf).join(' - ')}`;
  },
  parse(_question, thought) {
    const found = matchMinus(thought);
    if (!found) return null;
    return [0, 2].map((i) => ({ type: 'bar', bar: Number(found[i]) - 1, value: Number(found[i + 1]) }));
  },
  solve: (_question, [first, second]) => String(numberOf(first) - numberOf(second)),
};

export const kinds: Record<TaskKind, Kind> = {
  shape,
  color,
  add: shapesKind(2, 'add', { level: 'default', joint: '+', solve: (values) => values[0] + values[1] }),
  find,
  bar,
  count: countKind('hard', false),
  max: shapesKind(3, 'max', { level: 'hard', joint: ' ', solve: (values) => Math.max(...values) }),
  tallest,
  count_add: countKind('hard', true),
  bar_minus: barMinus,
  emoji_color: { ...color, scene: 'emoji' },
};

/** How often each kind is asked, as weights. */
export type TaskMix = Partial<Record<TaskKind, number>>;

const shapesMix: TaskMix = { shape: 0.2, color: 0.2, add: 0.3, find: 0.1, bar: 0.2 };

/** The tasks by name; `shapes` is what papo-nano was warmed up for. */
export const tasks = {
  shapes: shapesMix,
  counting: { count: 1 },
  comparing: { max: 0.5, tallest: 0.5 },
  reasoning: { count_add: 0.5, bar_minus: 0.5 },
  emoji: { emoji_color: 1 },
  all: { ...shapesMix, count: 0.2, max: 0.1, tallest: 0.1, count_add: 0.1, bar_minus: 0.1 },
} as const satisfies Record<string, TaskMix>;
export type TaskName = keyof typeof tasks;

/** The largest number that any completion of any kind writes. */
export const largestNumber = Math.max(2 * shapes.length, maxCount + 9);
