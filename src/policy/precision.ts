/** In which precision a policy's weights are held on the device. */
import { sizeOf } from '../ops/graph.ts';
import type { VlmConfig } from './config.ts';
import { parameterShapes } from './parameters.ts';

/**
 * From this many parameters on a model is large: frozen matrices are held in half floats, and layers are blocks of the
 * graphs (see Graph.blocks). Below, both would cost accuracy or time and save nothing worth having.
 */
const LARGE = 32e6;

export function parameterCount(config: VlmConfig): number {
  return [...parameterShapes(config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}

export const isLarge = (config: VlmConfig) => parameterCount(config) >= LARGE;

/**
 * f16 for the matrices of a large model that nothing trains, f32 for all else. Sums are float32 either way. What ops read
 * as half floats are operands of products and tables that rows are taken from; the positions are added, so they stay.
 */
export function heldAs(
  config: VlmConfig,
  trains: (name: string) => boolean,
): (name: string) => 'f32' | 'f16' {
  const halves = new Set<string>();
  if (isLarge(config))
    for (const [name, shape] of parameterShapes(config))
      if (shape.length > 1 && !name.endsWith('position_embedding.weight') && !trains(name)) halves.add(name);
  return (name) => (halves.has(name) ? 'f16' : 'f32');
}
