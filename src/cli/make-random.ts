/**
 * Writes a Hugging Face folder of a published model's full size with random weights, to try and to measure what the
 * model itself would be needed for otherwise.
 *   npm run make:random -- --like smolvlm-256m --out DIR [--seed N]
 */
import { parseArgs } from 'node:util';
import { readSmolvlmSize, smolvlmConfig, smolvlmFiles, smolvlmSizes } from '../data/smolvlm-files.ts';
import { UserError } from '../errors.ts';
import { bytesFile } from '../export/out-file.ts';
import { safetensorsOut } from '../export/safetensors-out.ts';
import { toNodeFolder } from '../export/to-node-folder.ts';
import { type Shape, sizeOf } from '../ops/graph.ts';
import { absorb, hash, Purpose } from '../papo/random.ts';
import { parseVlmConfig } from '../policy/config.ts';
import { parameterShapes } from '../policy/parameters.ts';
import { weightsFile } from '../store/hf-folder.ts';

const usage = `npm run make:random -- --like ${smolvlmSizes.join('|')} --out DIR [--seed N]

Writes a model folder with random weights in bfloat16 and a made-up tokenizer of the same size.`;

/**
 * Norms 1, biases 0, matrices uniform with variance 1/fan-in, those that write into the residual stream smaller by
 * √(2 · layers): activations stay of the order of 1, as in a trained model.
 */
export function randomTensor(name: string, shape: Shape, layers: number, key: number): Float32Array {
  const data = new Float32Array(sizeOf(shape));
  if (shape.length === 1) return name.endsWith('.weight') ? data.fill(1) : data;
  const isTable = /embed_tokens|position_embedding|lm_head/.test(name);
  const isResidual = /(out_proj|o_proj|fc2|down_proj)\.weight$/.test(name);
  const fanIn = sizeOf(shape.slice(1));
  const deviation = isTable ? 0.02 : Math.sqrt(1 / fanIn / (isResidual ? 2 * layers : 1));
  const bound = Math.sqrt(3) * deviation;
  for (let i = 0; i < data.length; i++) data[i] = (absorb(key, i) / 2 ** 31 - 1) * bound;
  return data;
}

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      like: { type: 'string' },
      out: { type: 'string' },
      seed: { type: 'string', default: '0' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (!values.like || !values.out) throw new UserError(`--like and --out: expected both.\n${usage}`);
  const size = readSmolvlmSize(values.like);
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UserError(`--seed: expected a whole number of 0 or more, got ${values.seed}.`);
  const config = parseVlmConfig(smolvlmConfig(size));
  const shapes = parameterShapes(config);
  const index = new Map([...shapes.keys()].map((name, i) => [name, i]));
  const source = {
    shapes,
    read: async (name: string) =>
      randomTensor(name, shapes.get(name)!, config.text.layers, hash(seed, Purpose.init, index.get(name)!)),
  };
  const files = [
    ...[...smolvlmFiles(size)].map(([name, content]) => bytesFile(name, content)),
    safetensorsOut(weightsFile, source, { dtype: 'BF16', metadata: { format: 'pt' } }),
  ];
  await toNodeFolder(files, values.out);
  const count = [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  console.log(`${values.out}: ${count.toLocaleString('en')} parameters, random`);
  return 0;
}
