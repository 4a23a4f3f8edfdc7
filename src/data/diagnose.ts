// Tells what went wrong in a completion: its form, what it saw, or what it made of that.
import { parseCompletion } from './completion.ts';
import type { Example } from './examples.ts';
import { kinds, type Perception } from './tasks.ts';
import { matchingCells, type Scene, thingAt } from './world.ts';

export interface Diagnosis {
  format_ok: boolean;
  /** Every statement about the image is true. */
  perception_ok: boolean;
  /** The working and the answer follow from what was asked and stated, be it true or not. */
  reasoning_ok: boolean;
  correct: boolean;
  /** The first of the three that fails; a lucky answer can be correct all the same. */
  error: null | 'format' | 'perception' | 'reasoning';
}

/** Whether a statement is true of the scene. */
export function holds(perception: Perception, scene: Scene): boolean {
  switch (perception.type) {
    case 'shape':
      return thingAt(scene, perception.cell)?.shape === perception.shape;
    case 'color':
      return thingAt(scene, perception.cell)?.color === perception.color;
    case 'place':
      return matchingCells(scene, perception.color, perception.shape).includes(perception.cell);
    case 'bar':
      return scene.bars[perception.bar]?.value === perception.value;
    case 'cells': {
      const found = matchingCells(scene, perception.color, perception.shape);
      const stated = new Set(perception.cells);
      return (
        stated.size === perception.cells.length &&
        stated.size === found.length &&
        found.every((cell) => stated.has(cell))
      );
    }
  }
}

/** `completion` is the decoded text without the end token. */
export function diagnose(
  completion: string,
  example: Pick<Example, 'kind' | 'question' | 'scene' | 'answer'>,
): Diagnosis {
  const wrongFormat: Diagnosis = {
    format_ok: false,
    perception_ok: false,
    reasoning_ok: false,
    correct: false,
    error: 'format',
  };
  const parts = parseCompletion(completion);
  if (!parts) return wrongFormat;
  const spec = kinds[example.kind];
  const stated = spec.parse(example.question, parts.thought);
  if (!stated) return wrongFormat;
  const perception_ok = stated.every((perception) => holds(perception, example.scene));
  const reasoning_ok =
    spec.think(example.question, stated) === parts.thought &&
    spec.solve(example.question, stated) === parts.answer;
  return {
    format_ok: true,
    perception_ok,
    reasoning_ok,
    correct: parts.answer === example.answer,
    error: perception_ok ? (reasoning_ok ? null : 'reasoning') : 'perception',
  };
}
