/** The objective on WebGPU: every golden case, from logits to loss and gradients. */
import { describe, expect, test } from 'vitest';
import { caseErrors, evaluateCase, TOLERANCE, worstError } from '../../src/papo/objective/evaluate.ts';
import { readLossFile } from '../../src/papo/objective/golden.ts';
import authors from '../fixtures/papo/authors_papo_loss.json';
import paper from '../fixtures/papo/paper_papo_loss.json';
import trl from '../fixtures/papo/trl_papo_loss.json';
import { testDevice } from './helpers.ts';

for (const [file, json, count] of [
  ['paper', paper, 33],
  ['trl', trl, 24],
  ['authors', authors, 15],
] as const)
  describe(`golden losses and gradients: ${file}`, () => {
    const cases = readLossFile(json, file);
    test('all cases are there', () => expect(cases.length).toBe(count));
    test.each(cases)('$name', async (c) => {
      const got = await evaluateCase(await testDevice(), c);
      expect(worstError(caseErrors(got, c.expected))).toBeLessThanOrEqual(TOLERANCE.webgpu);
    });
  });
