// Examples: a question about a scene, its picture, its answer, and for some a hint in the text.
import { UserError } from '../errors.ts';
import { Purpose, RandomStream } from '../papo/random.ts';
import { completionText } from './completion.ts';
import type { RasterImage } from './raster.ts';
import { renderScene } from './render.ts';
import {
  kinds,
  type Perception,
  type Question,
  type TaskKind,
  type TaskMix,
  type TaskName,
  taskKinds,
  tasks,
} from './tasks.ts';
import { drawChart, drawEmojiGrid, drawGrid, type Scene, sceneKey } from './world.ts';

export type Split = 'train' | 'test';

/** A hint claims an answer: `surely` is right in 7 of 10, `maybe` in 3 of 10. */
export interface Hint {
  word: 'surely' | 'maybe';
  answer: string;
}

export interface Example {
  id: string;
  kind: TaskKind;
  level: 'default' | 'hard';
  split: Split;
  /** What the user asks, hint included. */
  prompt: string;
  image: RasterImage;
  answer: string;
  /** How little the text gives away: low with `surely`, medium with `maybe`, high without a hint. */
  vision_dependency: 'low' | 'medium' | 'high';
  /** What a correct completion states. */
  perceptions: readonly Perception[];
  hint?: Hint;
  /** The careful completion. */
  demonstration: string;
  scene: Scene;
  question: Question;
}

const drawScene = { grid: drawGrid, chart: drawChart, emoji: drawEmojiGrid } as const;

export const hintShares = { surely: 0.15, maybe: 0.35 } as const;
export const hintRight = { surely: 0.7, maybe: 0.3 } as const;
/** One scene in this many is held out. */
const testShare = 8;

/** FNV-1a over the scene's content: scenes in train and in test can never be the same. */
export function splitOf(scene: Scene): Split {
  let hash = 0x811c9dc5;
  for (const char of sceneKey(scene)) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash >>> 16) % testShare === 0 ? 'test' : 'train';
}

/** A task's mix by its name, or the mix itself; checks kinds and weights. */
export function resolveMix(mix: TaskName | TaskMix): TaskMix {
  if (typeof mix === 'string') {
    if (!Object.hasOwn(tasks, mix)) {
      throw new UserError(`task: unknown task "${mix}"; expected one of ${Object.keys(tasks).join(', ')}`);
    }
    return tasks[mix];
  }
  let total = 0;
  for (const [kind, weight] of Object.entries(mix)) {
    if (!taskKinds.includes(kind as TaskKind)) {
      throw new UserError(`task: unknown kind "${kind}" in the mix; expected one of ${taskKinds.join(', ')}`);
    }
    if (!Number.isFinite(weight) || weight < 0) {
      throw new UserError(`task: the weight of "${kind}" is ${weight}; expected a number ≥ 0`);
    }
    total += weight;
  }
  if (!(total > 0)) throw new UserError('task: the mix gives no kind a weight above 0');
  return mix;
}

/** The example with this index: a pure function of its arguments. */
export function generateExample(
  seed: number,
  split: Split,
  index: number,
  mix: TaskName | TaskMix = 'shapes',
): Example {
  const asked = generateQuestion(seed, split, index, mix);
  return { ...asked, image: renderScene(asked.scene) };
}

/** All of an example but its picture, which takes longest. */
export function generateQuestion(
  seed: number,
  split: Split,
  index: number,
  mix: TaskName | TaskMix,
): Omit<Example, 'image'> {
  const resolved = resolveMix(mix);
  const weights = taskKinds.map((kind) => resolved[kind] ?? 0);
  const random = new RandomStream(seed, Purpose.data, split === 'train' ? 0 : 1, index);
  const kind = taskKinds[random.weighted(weights)];
  const spec = kinds[kind];
  for (;;) {
    const scene = drawScene[spec.scene](random);
    if (splitOf(scene) !== split) continue;
    const question = spec.ask(random, scene);
    if (!question) continue;
    const perceptions = spec.look(question, scene);
    const answer = spec.solve(question, perceptions);
    const hint = drawHint(kind, question, answer, random);
    const asked = spec.prompt(question);
    return {
      id: `${kind}-${split}-${seed}-${index}`,
      kind,
      level: spec.level,
      split,
      prompt: hint ? `${asked} ${hint.word} ${hint.answer}` : asked,
      answer,
      vision_dependency: hint === undefined ? 'high' : hint.word === 'maybe' ? 'medium' : 'low',
      perceptions,
      hint,
      demonstration: completionText(spec.think(question, perceptions), answer),
      scene,
      question,
    };
  }
}

function drawHint(
  kind: TaskKind,
  question: Question,
  answer: string,
  random: RandomStream,
): Hint | undefined {
  const drawn = random.next();
  if (drawn >= hintShares.surely + hintShares.maybe) return undefined;
  const word = drawn < hintShares.surely ? 'surely' : 'maybe';
  if (random.next() < hintRight[word]) return { word, answer };
  const spec = kinds[kind];
  for (;;) {
    const wrong = spec.solve(question, spec.imagine(question, random, 1));
    if (wrong !== answer) return { word, answer: wrong };
  }
}
