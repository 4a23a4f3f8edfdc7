/**
 * Kernels that read one operand as half floats. The kernel is written for 32-bit elements and reads the operand through
 * `load_NAME(at: u32)`; this puts another declaration and another body in place. Two halves lie in a word, the first in
 * its lower bits: where the GPU has `shader-f16` they are an array<f16>, elsewhere words that are unpacked.
 */
import type { Tensor } from '../../ops/graph.ts';
import type { GpuLowering, Scratch } from './dispatch.ts';

interface Kernel {
  readonly kernel: string;
  readonly code: string;
}

/** The kernel as it is where `operand` is not f16; else one of another name that reads halves. */
export function halfOperand(
  { limits }: Pick<GpuLowering, 'limits'>,
  { kernel, code }: Kernel,
  name: string,
  operand: Tensor | Scratch,
): Kernel {
  if (!('dtype' in operand) || operand.dtype !== 'f16') return { kernel, code };
  const half = (limits.shaderF16 ?? false) ? native : packed;
  const declaration = new RegExp(`var<storage, read> ${name}: array<(f32|u32)>;`);
  const load = new RegExp(`fn load_${name}\\(at: u32\\) -> (f32|u32) \\{ return ${name}\\[at\\]; \\}`);
  if (!declaration.test(code) || !load.test(code))
    throw new Error(`kernel ${kernel} does not read its operand ${name} through load_${name}`);
  return {
    kernel: `${kernel}_${half.suffix}`,
    code:
      half.top +
      code
        .replace(declaration, `var<storage, read> ${name}: array<${half.element}>;`)
        .replace(load, (_, type: string) => {
          const value = half.load(name);
          return `fn load_${name}(at: u32) -> ${type} { return ${type === 'u32' ? `bitcast<u32>(${value})` : value}; }`;
        }),
  };
}

const native = {
  suffix: 'f16',
  top: 'enable f16;\n',
  element: 'f16',
  load: (name: string) => `f32(${name}[at])`,
};

const packed = {
  suffix: 'packed',
  top: '',
  element: 'u32',
  load: (name: string) => `unpack2x16float(${name}[at >> 1u] >> ((at & 1u) << 4u)).x`,
};
