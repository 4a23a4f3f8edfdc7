/** The weights of the loaded model on their way out: float32 to be merged, else the bytes of their file. */
import { convertTensor } from '../store/convert-tensor.ts';
import type { OpenModel } from '../store/open-folder.ts';
import type { TensorSource } from './out-file.ts';

export function baseTensors({ tensors }: Pick<OpenModel, 'tensors'>): TensorSource {
  return {
    shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    async read(name) {
      const tensor = tensors.get(name)!;
      return convertTensor(await tensor.read(), tensor.dtype, 'f32', name);
    },
    async original(name) {
      const tensor = tensors.get(name)!;
      return { dtype: tensor.dtype, bytes: await tensor.read() };
    },
  };
}
