/** Puts the attention kernels together for one size of head: WGSL sizes private arrays by constants only. */
import commonWgsl from '../../shaders/attention_common.wgsl?raw';

const headLine = /^\/\*HEAD:.*\*\/$/m;
const tileLine = /^\/\*TILE:.*\*\/$/m;
const tiledLine = /^\/\*TILED:.*\*\/$/m;

/** The declarations that the line `HEAD` of a kernel stands for. */
function headDeclarations(headDim: number): string {
  const width = [4, 2, 1].find((n) => headDim % n === 0)!;
  return [
    `const HEAD_DIM = ${headDim}u;`,
    `const WIDTH = ${width}u;`,
    `alias Piece = ${width > 1 ? `vec${width}f` : 'f32'};`,
    `fn inner(a: Piece, b: Piece) -> f32 { return ${width > 1 ? 'dot(a, b)' : 'a * b'}; }`,
  ].join('\n');
}

/** A kernel with a HEAD line of its own. */
export function forHead(code: string, headDim: number): string {
  return code.replace(headLine, headDeclarations(headDim));
}

/** A kernel on top of attention_common.wgsl. */
export function attentionCode(code: string, headDim: number): string {
  return `${forHead(commonWgsl, headDim)}\n${code.replace(tileLine, `const TILE = ${tileOf(headDim)}u;`)}`;
}

/** Keys (and queries) of a tile of the key-value backward: four tiles of whole heads must fit 16 kB. */
export function tileOf(headDim: number): number {
  return [8, 4, 2].find((tile) => 4 * tile * (headDim + 4) * 4 + tile * tile * 8 <= 16384) ?? 1;
}

/** Queries of a workgroup of attention_tiled.wgsl. */
export const tiledQueries = 32;

/**
 * Keys that each thread of attention_tiled.wgsl scores at a time, as many as fit the GPU's workgroup memory; 0: not even
 * the fewest, or the head's size is no multiple of 4.
 */
export function tiledKeys(headDim: number, workgroupMemory: number): number {
  if (headDim % 4 !== 0) return 0;
  const bytes = (each: number) => (tiledQueries + 8 * each) * (headDim + 4) * 4 + 8 * each * 9 * 16;
  return [4, 2, 1].find((each) => bytes(each) <= workgroupMemory) ?? 0;
}

export function tiledCode(code: string, headDim: number, keysEach: number): string {
  return attentionCode(code.replace(tiledLine, `const KEYS_EACH = ${keysEach}u;`), headDim);
}
