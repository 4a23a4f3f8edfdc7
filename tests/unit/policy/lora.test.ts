import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../../../src/device/cpu/cpu-device.ts';
import { ReferenceDevice } from '../../../src/device/interpreter.ts';
import { parseConfig } from '../../../src/papo/config.ts';
import { parseVlmConfig } from '../../../src/policy/config.ts';
import { initialLora, loraModules, loraOf } from '../../../src/policy/lora.ts';
import { loadModelFolder } from '../../../src/store/hf-folder.ts';
import { nodeFiles } from '../../../src/store/node-files.ts';
import { loraCases, loraErrors } from '../../lora-cases.ts';

const files = (folder: string) => nodeFiles(`tests/fixtures/${folder}`);

describe.each(loraCases)("LoRA is PEFT's, and a step of it PyTorch's: %s", (name) => {
  it('on the CPU device within 1e-5', async () => {
    const errors = await loraErrors(new CpuDevice({ threads: 2 }), files, name);
    for (const { name: what, error } of errors) expect(error, what).toBeLessThan(1e-5);
  });

  it('on the CPU device layer by layer, activations computed again', async () => {
    const errors = await loraErrors(new CpuDevice({ threads: 2 }), files, name, true);
    for (const { name: what, error } of errors) expect(error, what).toBeLessThan(1e-5);
  });

  it('on the float64 reference within 2e-6, as the whole model is', async () => {
    const errors = await loraErrors(new ReferenceDevice(), files, name);
    for (const { name: what, error } of errors) expect(error, what).toBeLessThan(2e-6);
  });
});

describe('an adapter', async () => {
  const config = parseVlmConfig((await loadModelFolder(files('smolvlm-tiny'))).config);
  const lora = (settings: object) => loraOf(parseConfig({ use_peft: true, ...settings }))!;

  it("begins as PEFT's: A uniform within 1/√in, B zero; the same seed gives the same", () => {
    const tensors = initialLora(config, lora({}), 7);
    expect(initialLora(config, lora({}), 7)).toEqual(tensors);
    expect(initialLora(config, lora({}), 8)).not.toEqual(tensors);
    for (const [name, { shape, data }] of tensors) {
      const bound = 1 / Math.sqrt(shape[1]);
      if (name.endsWith('lora_B.weight')) expect(data.every((x) => x === 0)).toBe(true);
      else {
        expect(Math.max(...data.map(Math.abs)), name).toBeLessThanOrEqual(Math.fround(bound));
        // Mean of x² of U(−b, b) is b²/3; its standard error over n values is b²·√(4/45n).
        const mean = data.reduce((sum, x) => sum + x * x, 0) / data.length;
        const error = bound ** 2 * Math.sqrt(4 / 45 / data.length);
        expect(Math.abs(mean - bound ** 2 / 3), name).toBeLessThan(5 * error);
      }
    }
  });

  it('says which modules there are when a target is none', () => {
    const wrong = lora({ lora_target_modules: ['q_proj', 'c_attn'] });
    expect(() => loraModules(config, wrong)).toThrow(/c_attn is no linear module of text; there are q_proj/);
    expect(() => loraModules(config, lora({ lora_target_modules: ['fc1'] }))).toThrow(/fc1/);
  });
});
