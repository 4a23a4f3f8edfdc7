/** Types leave reward code, and nothing else does: what is left runs, and its lines are those of what was typed. */
import { describe, expect, it } from 'vitest';
import { plainJavaScript } from '../../../src/rewards/sandbox/plain-javascript.ts';
import { runRewardCode } from '../../../src/rewards/sandbox/run.ts';

const strip = async (code: string): Promise<string> => {
  const plain = await plainJavaScript(code);
  return 'code' in plain ? plain.code : expect.fail(JSON.stringify(plain.failure));
};

const typed = `interface Columns {
  completions: string[];
  answer: (string | null)[];
}
type Score = number | null;

enum Weight { None, Full }

export function reward({ completions, answer }: Columns): Score[] {
  const of = <T>(list: T[], i: number): T => list[i]!;
  return completions.map((text: string, i) => {
    const right = of(answer, i) as string;
    return text === right ? Weight.Full : Weight.None;
  });
}`;

const run = (code: string) =>
  runRewardCode({
    id: 0,
    code,
    args: JSON.stringify({ prompts: ['q', 'q'], completions: ['a', 'b'], answer: ['a', 'a'] }),
    count: 2,
    timeLimitMs: 1000,
    memoryLimitBytes: 40 * 2 ** 20,
  });

describe('reward code in TypeScript', () => {
  it('runs without its types', async () => {
    expect((await run(await strip(typed))).values).toEqual([1, 0]);
  });

  it('keeps every line where it was', async () => {
    const lines = (await strip(typed)).split('\n');
    expect(lines.length).toBe(typed.split('\n').length);
    for (const part of [
      'export function reward',
      'const of =',
      'completions.map',
      'Weight.Full : Weight.None',
    ])
      expect(lines.findIndex((line) => line.includes(part))).toBe(
        typed.split('\n').findIndex((line) => line.includes(part)),
      );
    const thrown = typed.replace('const right = of(answer, i) as string;', 'const right: string = nowhere;');
    expect((await run(await strip(thrown))).failure).toMatchObject({ kind: 'throw', line: 12 });
  });

  it.each([
    ['a function', 'function reward({ completions }) {\n  return completions.map((c) => c.length);\n}'],
    ['unusual layout', 'const  reward=({completions})=>completions . map(  c=>( c<"b" )?1:0 ) // <T>\n\n'],
    [
      'what looks like types',
      'const reward = ({ completions: a }) => a.map((x) => (x < 2 && 1 > (0) ? 1 : 0));',
    ],
    [
      'text with types in it',
      'const reward = () => ["x as string", `1: number`, /a: b/.source].map(() => 1);',
    ],
  ])('JavaScript stays as it is, letter for letter: %s', async (_, code) => {
    expect(await strip(code)).toBe(code);
  });

  it.each([
    ['function reward({ completions }) {\n  return [1,;\n}', 2],
    ['let a: = 3', 1],
    ['const x = 1;\n\nconst y = "open', 3],
    ['function reward() {\n  return [', 2],
  ])('says where it cannot be read: %j', async (code, line) => {
    expect(await plainJavaScript(code)).toMatchObject({
      failure: { kind: 'load', line, message: expect.stringMatching(/^SyntaxError: \w/) },
    });
  });
});
