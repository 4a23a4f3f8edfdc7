/** Settings from a link: texts alone, and code always switched off. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { linkHash, parseLink } from '../../../src/ui/link.ts';

it('reads preset, task and settings from search and hash; the hash wins', () => {
  const found = parseLink({
    search: '?preset=papo-nano&task=count&learning_rate=1e-5&model=models/x/&device=cpu',
    hash: '#task=where&max_steps=20',
  });
  expect(found).toEqual({
    preset: 'papo-nano',
    task: 'where',
    rewards: null,
    panel: null,
    device: 'cpu',
    settings: { learning_rate: '1e-5', max_steps: '20' },
    rewardCode: null,
    problems: [],
  });
  expect(parseLink({ search: '', hash: '' })).toEqual({
    preset: null,
    task: null,
    rewards: null,
    panel: null,
    device: null,
    settings: {},
    rewardCode: null,
    problems: [],
  });
});

it.each(['', '&enabled=true', '&rewardCode.enabled=1', '&run=1', '&autostart=true', '&reward_enabled=true'])(
  'opens reward code switched off, whatever the link adds (%s)',
  (added) => {
    const code = 'function reward() {\n  return [1] + "&#%" }';
    const { rewardCode } = parseLink({ search: '', hash: `${linkHash({ code })}${added}` });
    expect(rewardCode).toEqual({ code, enabled: false });
  },
);

it('leaves out what is no setting, and says so', () => {
  const { settings, problems, rewardCode, preset } = parseLink({
    search: `?__proto__=x&constructor.name=y&BAD=1&seed=${'9'.repeat(300)}&beta=0.1&preset=${'p'.repeat(300)}`,
    hash: `#reward=${'x'.repeat(20_001)}`,
  });
  expect(settings).toEqual({ beta: '0.1' });
  expect(rewardCode).toBeNull();
  expect(preset).toBeNull();
  expect(problems).toEqual([
    'The link has a parameter "__proto__", which is no name of a setting.',
    'The link has a parameter "constructor.name", which is no name of a setting.',
    'The link has a parameter "BAD", which is no name of a setting.',
    "The link's seed has 300 characters; expected at most 200.",
    "The link's preset has 300 characters; expected at most 200.",
    "The link's reward code has 20001 characters; expected at most 20000.",
  ]);
});

it('never throws, never switches code on, and reads back what it wrote', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (search, hash) => {
      const found = parseLink({ search, hash });
      expect(found.rewardCode?.enabled ?? false).toBe(false);
      for (const value of Object.values(found.settings)) expect(typeof value).toBe('string');
    }),
    { numRuns: 300 },
  );
  // Lone surrogates do not survive in any address.
  const code = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(code, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }), (text, value) => {
      const found = parseLink({ search: '', hash: linkHash({ code: text, settings: { beta: value } }) });
      expect(found.rewardCode).toEqual({ code: text, enabled: false });
      expect(found.settings).toEqual({ beta: value });
    }),
    { numRuns: 300 },
  );
});
