import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anchor, apiPage } from '../../../src/cli/api-docs.ts';
import { docText, readExports } from '../../../src/cli/api-reader.ts';
import { SETTING_NAMES } from '../../../src/papo/settings.ts';

const root = join(import.meta.dirname, '../../..');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'papo-web-api-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The exports of `index.ts` among these files. */
async function exportsOf(files: Record<string, string>) {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return readExports(join(folder, 'index.ts'));
}

describe('readExports', () => {
  it('reads classes: what is public, with docstrings, and what comes from a base', async () => {
    const [entry, ...others] = await exportsOf({
      'index.ts': `export { Run } from './run.ts';`,
      'run.ts': `
        import { Base as Old } from './base.ts';
        /** A run.\n *\n * Throws what it must. */
        export abstract class Run<T> extends Old {
          override name = 'Run';
          /** Updates done. */
          step = 0;
          long = { a: 'a value that is far too long to be shown in a line of a reference page' };
          #hidden = 1;
          private secret = 2;
          protected half = 3;
          constructor(readonly name: string, private readonly size?: number) { super(); }
          async go(how: { fast: boolean } = { fast: true }): Promise<T> { return this.step as T; }
          /** Where it is. */
          get where(): string { return ''; }
        }`,
      'base.ts':
        '/** What all have. */ export class Base { /** Ends it. */ stop(): void {} /** Old. */ async go() {} }',
    });
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      name: 'Run',
      kind: 'class',
      doc: 'What all have.\n\nA run.\n\nThrows what it must.',
    });
    expect(entry.signature).toBe('abstract class Run<T> extends Old');
    expect(entry.members.map(({ kind, signature, doc }) => [kind, signature, doc])).toEqual([
      ['property', "name = 'Run'", ''],
      ['property', 'step = 0', 'Updates done.'],
      ['property', 'long', ''],
      ['constructor', 'constructor(name: string, size?: number)', ''],
      ['method', 'async go(how: { fast: boolean } = { fast: true }): Promise<T>', 'Old.'],
      ['property', 'get where(): string', 'Where it is.'],
      ['method', 'stop(): void', 'Ends it.'],
    ]);
  });

  it('reads functions, constants, interfaces and types', async () => {
    const entries = await exportsOf({
      'index.ts': `
        /** Adds. */
        export function add(a: number, b: number): number { return a + b; }
        export const twice = (a: number): number => a * 2;
        export const rows = async (a: number) => ({ a });
        // Not a docstring.
        export const limit = 5;
        /** Names. */
        export const names: readonly string[] = ['a'];
        /** A point. */
        export interface Point extends Named { readonly x: number; move(by: number): void; }
        export type Kind =
          | 'a'
          | 'b';
        interface Named { /** What it is called. */ name: string }`,
    });
    expect(entries.map(({ name, kind, signature, doc }) => [name, kind, signature, doc])).toEqual([
      ['add', 'function', 'function add(a: number, b: number): number', 'Adds.'],
      ['twice', 'function', 'function twice(a: number): number', ''],
      ['rows', 'function', 'async function rows(a: number)', ''],
      ['limit', 'const', 'const limit = 5', ''],
      ['names', 'const', 'const names: readonly string[]', 'Names.'],
      ['Point', 'interface', 'interface Point extends Named', 'A point.'],
      ['Kind', 'type', "type Kind =\n  | 'a'\n  | 'b'", ''],
    ]);
    expect(entries[5].members.map(({ signature }) => signature)).toEqual([
      'readonly x: number',
      'move(by: number): void',
      'name: string',
    ]);
  });

  it('follows exports through modules, renamed and by star; a class and an interface of one name are one', async () => {
    const entries = await exportsOf({
      'index.ts': `
        import { inner } from './b.ts';
        export { inner as outer };
        export * from './a.ts';
        export { z } from 'zod';`,
      'a.ts': `/** Settings. */ export class Config { to_dict() {} }
        export interface Config extends Fields {}
        interface Fields { beta: number }`,
      'b.ts': 'export const inner: number = 1; export const unused = 2;',
    });
    expect(entries.map(({ name }) => name)).toEqual(['outer', 'Config']);
    expect(entries[1]).toMatchObject({
      kind: 'class',
      doc: 'Settings.',
      signature: 'class Config implements Fields',
    });
    expect(entries[1].members.map(({ name }) => name)).toEqual(['to_dict', 'beta']);
  });

  it('refuses what it cannot show', async () => {
    await expect(exportsOf({ 'index.ts': 'export default 1;' })).rejects.toThrow('default export');
    await expect(exportsOf({ 'index.ts': 'export const = 1;' })).rejects.toThrow('index.ts');
    const missing = { 'index.ts': `export { a } from './a.ts';`, 'a.ts': 'export const b = 1;' };
    await expect(exportsOf(missing)).rejects.toThrow('does not export a');
  });
});

it('reads a docstring as paragraphs and lists', () => {
  expect(docText('*\n   * One\n   * line.\n   *\n   * - a\n   *   more\n   * - b\n   ')).toBe(
    'One line.\n\n- a more\n- b',
  );
});

describe('the page', () => {
  it('has every export under a heading that the index links to, and no HTML', async () => {
    await writeFile(
      join(folder, 'index.ts'),
      '/** Writes <name>, `<b>`. */ export class A { /** Goes. */ go(b: B) {} }\nexport interface B { a: A }',
    );
    const page = apiPage(join(folder, 'index.ts'));
    expect(page).toContain('Writes \\<name>, `<b>`.');
    expect(page).toContain('#### A.go\n\n```ts\ngo(b: B)\n```\n\nGoes.');
    const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title]) => anchor(title));
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, target]) => target);
    expect(links).toEqual(expect.arrayContaining(['a', 'b', 'settings']));
    for (const link of links) expect(headings).toContain(link);
    for (const name of SETTING_NAMES) expect(page).toContain(`| \`${name}\` |`);
  });

  it('is up to date in docs/api.md (else: npm run docs:api)', async () => {
    expect(await readFile(join(root, 'docs/api.md'), 'utf8')).toBe(apiPage(join(root, 'src/index.ts')));
  });
});
