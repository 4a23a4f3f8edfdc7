/** Which patterns of a tokenizer are taken: all of the tokenizers in use, none that can hang. */
import { describe, expect, it } from 'vitest';
import { nanoFiles } from '../../../src/data/nano-files.ts';
import { checkPattern } from '../../../src/data/pattern-check.ts';
import { TextProcessor } from '../../../src/data/tokenizer.ts';
import { checkTemplate, checkTokenizer } from '../../../src/data/tokenizer-check.ts';
import { UserError } from '../../../src/errors.ts';

describe('patterns', () => {
  it.each([
    // GPT-2; Llama 3; Qwen 2; GPT-4o; DeepSeek 3; digits; SmolLM's; papo-nano's needless spaces.
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
    '[一-龥぀-ゟ゠-ヿ]+',
    '\\d',
    ' {2,}',
    ' (?=<end_of_utterance>|<image>|User:|\\n|\\})|(?<=\\{|<fake_token_around_image>) ',
  ])('takes %s', (pattern) => expect(() => checkPattern(pattern, 'p')).not.toThrow());

  it.each([
    ['(a+)+$', /repeats a group/],
    ['(a*)*', /repeats a group/],
    ['(a|aa)+$', /repeats a group/],
    ['(a|a)*b', /repeats a group/],
    ['((a?){30})*', /repeats a group/],
    ['(?:a?){50}a{50}', /repeats a group/],
    ['(x(?=y+))*z', /repeats a group/],
    ['\\s*\\s*\\s*x', /two unbounded/],
    ['a*a*b', /behind two unbounded/],
    ['(a*)(a*)(a*)b', /two unbounded/],
    ['(a)\\1+', /refers back/],
    ['(?<n>a)\\k<n>', /refers back/],
    ['('.repeat(50), /nests groups/],
    ['a*a*$', /behind two unbounded/],
    [`${'a?'.repeat(30)}${'a'.repeat(30)}`, /more than 4096 ways/],
    ['(?:a|a)'.repeat(30), /more than 4096 ways/],
    ['(a', /does not close/],
    ['a)', /not open/],
    ['a'.repeat(5000), /longer than/],
  ])('refuses %s', (pattern, message) => {
    expect(() => checkPattern(pattern, 'p')).toThrow(UserError);
    expect(() => checkPattern(pattern, 'p')).toThrow(message);
  });
});

describe('tokenizers', () => {
  const files = nanoFiles();
  const tokenizer = () =>
    JSON.parse(files['tokenizer.json']) as {
      model: { vocab: Record<string, number> };
      added_tokens: { id: number }[];
      pre_tokenizer: unknown;
    };

  it('takes the built-in one', () => expect(() => checkTokenizer(tokenizer())).not.toThrow());

  it.each([4e9, 2 ** 53, -1, 1.5, '7', null])('refuses the id %s', (id) => {
    const odd = tokenizer();
    odd.model.vocab.red = id as number;
    expect(() => checkTokenizer(odd)).toThrow(/token "red" has the id/);
    const added = tokenizer();
    added.added_tokens[0].id = id as number;
    expect(() => checkTokenizer(added)).toThrow(/has the id/);
  });

  it('refuses an id beyond the embedding table', () => {
    const odd = tokenizer();
    odd.model.vocab.red = 5000;
    expect(() => TextProcessor.fromFolder({ ...files, 'tokenizer.json': JSON.stringify(odd) })).toThrow(
      /"red" has the id 5000; config\.json says/,
    );
  });

  it('refuses a pattern that hangs, wherever it stands', () => {
    const odd = {
      ...tokenizer(),
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [{ type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated' }],
      },
    };
    const start = performance.now();
    expect(() => TextProcessor.fromFolder({ ...files, 'tokenizer.json': JSON.stringify(odd) })).toThrow(
      /could take endless time/,
    );
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('refuses texts without bounds', () => {
    const nano = TextProcessor.fromFolder(files);
    expect(() => nano.encode('a'.repeat(100_000))).toThrow(/100000 characters; at most/);
  });
});

describe('chat templates', () => {
  it('takes the built-in one', () =>
    expect(() => checkTemplate(nanoFiles()['chat_template.jinja'])).not.toThrow());
  it.each([
    ['{% for i in range(1000000000) %}x{% endfor %}', /range/],
    ['{% macro f() %}{{ f() }}{% endmacro %}', /macros/],
    ['{%- for m in messages %}'.repeat(30), /30 loops/],
    ['x'.repeat(100_000), /longer/],
  ])('refuses %s', (template, message) => expect(() => checkTemplate(template)).toThrow(message));
});
