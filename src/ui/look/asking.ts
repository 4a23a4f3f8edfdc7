/** What is asked alike in Look and in Try it: how completions are drawn, and the mask, from the settings in force. */
import type { MaskRequest } from '../../worker/lab-protocol.ts';
import type { State } from '../state.ts';

const number = (text: string | undefined, otherwise: number): number => {
  const value = Number(text);
  return text === undefined || text.trim() === '' || !Number.isFinite(value) ? otherwise : value;
};

export interface Drawing {
  readonly temperature: number;
  readonly maxTokens: number;
}

export function drawingOf({ validation }: State): Drawing {
  const values = validation?.values ?? {};
  return {
    temperature: number(values.temperature, 1),
    maxTokens: number(values.max_completion_length, 64),
  };
}

export function maskOf({ validation }: State): MaskRequest {
  const values = validation?.values ?? {};
  return {
    mask_type: values.mask_type ?? 'patch_black',
    mask_ratio: number(values.mask_ratio, 0.6),
    mask_patch_size: number(values.mask_patch_size, 16),
    seed: number(values.seed, 0),
    draw: 0,
  };
}

/** A grid without cells cannot be masked. */
export const leastRatio = (mask_type: string) => (mask_type === 'grid' ? 0.01 : 0);
