/** docs/coming-from-trl.md against the code: its TypeScript, the names it lists, the reasons it gives. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readExports } from '../../../src/cli/api-reader.ts';
import { describeSetting, SETTING_NAMES, type SettingName } from '../../../src/papo/settings.ts';
import { unsupportedSetting } from '../../../src/papo/unsupported.ts';

const root = join(import.meta.dirname, '../../..');
const page = await readFile(join(root, 'docs/coming-from-trl.md'), 'utf8');

/** The text under a heading. */
function section(title: string): string {
  const [, text] = page.split(`## ${title}\n`);
  return text.split('\n## ')[0];
}

const namesIn = (text: string) => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name);
/** Rows of the section's table, by cells. */
const rows = (text: string) =>
  [...text.matchAll(/^\| (`.+?) \| (.+) \|$/gm)].map(([, names, meaning]) => ({
    names: namesIn(names),
    meaning: meaning.trim(),
  }));
const isOurs = (name: SettingName) => describeSetting(name).meaning.includes('(ours');

it('shows TypeScript that is type-checked: the pieces are tests/docs/coming-from-trl.example.ts', async () => {
  const pieces = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text);
  const file = await readFile(join(root, 'tests/docs/coming-from-trl.example.ts'), 'utf8');
  expect(file.replace(/^\/\/.*\n/, '')).toBe(pieces.join('\n'));
});

describe('the names it lists', () => {
  it('are all settings of TRL, and all of ours', () => {
    const same = /^- Settings, with.*?:\n([\s\S]*?)\n- /m.exec(section('What has the same name'))![1];
    expect(namesIn(same)).toEqual(SETTING_NAMES.filter((name) => !isOurs(name)));
    const ours = rows(section('What is ours in addition')).map(({ names }) => names[0]);
    expect(ours).toEqual(SETTING_NAMES.filter(isOurs));
  });

  it('are all refused settings of TRL, each with the reason that its error gives', async () => {
    const table = rows(section('What is refused, and why'));
    for (const { names, meaning } of table) {
      for (const name of names) expect(unsupportedSetting(name)?.reason, name).toBe(meaning);
    }
    const source = await readFile(join(root, 'src/papo/unsupported.ts'), 'utf8');
    const known = [...source.matchAll(/\b(\w+): /g)].map(([, name]) => name).filter(unsupportedSetting);
    expect(table.flatMap(({ names }) => names).sort()).toEqual([...new Set(known)].sort());
  });

  it('are what the trainer and its callbacks have', () => {
    const entries = readExports(join(root, 'src/index.node.ts'));
    const members = (name: string) =>
      entries.find((entry) => entry.name === name)!.members.map((member) => member.name);
    const [trainer, callbacks] = section('What has the same name').split('\n- ').slice(1);
    const [options, methods] = trainer.split(';').map(namesIn);
    const ours = namesIn(section('What is ours in addition').split('In `PAPOTrainer`')[1]);
    expect(members('PAPOTrainerOptions')).toEqual(expect.arrayContaining(options.slice(1)));
    expect(members('PAPOTrainer')).toEqual(expect.arrayContaining(methods));
    for (const name of ours.filter((each) => !['auto', 'webgpu', 'cpu'].includes(each))) {
      expect([...members('PAPOTrainerOptions'), ...members('PAPOTrainer')], name).toContain(name);
    }
    const events = namesIn(callbacks).filter((name) => name.startsWith('on_'));
    expect(members('TrainerCallback').sort()).toEqual([...events, 'on_warning', 'on_pause'].sort());
  });
});
