/** Every word that the page shows comes from src/ui/text.ts, so that a translation is one file. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from 'oxc-parser';
import { describe, expect, it } from 'vitest';
import { SETTING_NAMES } from '../../../src/papo/settings.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'src/ui');

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
/** Names of settings are the same in every language. */
const names = new Set<string>(SETTING_NAMES);
const hasWords = (text: string) => /\p{L}{2}/u.test(text) && !names.has(text);

/** Attributes and properties that are read or heard. */
const spoken = /^(?:aria-label|aria-description|aria-roledescription|title|placeholder|label|alt|hint)$/;

/** Texts that an expression may come to: literals, templates, and both ways of a choice. */
function* textsOf(node: unknown): Generator<string> {
  if (!isNode(node)) return;
  switch (node.type) {
    case 'Literal':
      if (typeof node.value === 'string') yield node.value;
      break;
    case 'TemplateLiteral':
      for (const { value } of node.quasis as { value: { raw: string } }[]) yield value.raw;
      break;
    case 'JSXExpressionContainer':
      yield* textsOf(node.expression);
      break;
    case 'ConditionalExpression':
      yield* textsOf(node.consequent);
      yield* textsOf(node.alternate);
      break;
    case 'LogicalExpression':
    case 'BinaryExpression':
      // "a" + b and a && "b"; a === "b" is no text.
      if (node.type === 'LogicalExpression' || node.operator === '+') {
        yield* textsOf(node.left);
        yield* textsOf(node.right);
      }
      break;
  }
}

const nameOf = (node: unknown): string =>
  isNode(node) ? String(node.type === 'Literal' ? node.value : (node.name ?? '')) : '';

/** English in the file, each with its line. */
function englishIn(code: string, name: string): string[] {
  const { program, errors } = parseSync(name, code);
  if (errors.length > 0) throw new Error(`${name}: ${errors[0].message}`);
  const found: string[] = [];
  const tell = (node: Node, texts: Iterable<string>) => {
    for (const text of texts)
      if (hasWords(text))
        found.push(`${name}:${code.slice(0, node.start).split('\n').length} ${text.trim()}`);
  };
  const walk = (node: Node, inCode: boolean): void => {
    if (node.type === 'JSXText' && !inCode) tell(node, [String(node.value)]);
    // Types: what may be given, not what is.
    if (node.type.startsWith('TS') && !/^TS(?:As|Satisfies|NonNull)/.test(node.type)) return;
    if (node.type === 'JSXAttribute' && spoken.test(nameOf(node.name))) tell(node, textsOf(node.value));
    if (node.type === 'Property' && spoken.test(nameOf(node.key))) tell(node, textsOf(node.value));
    const isElement = node.type === 'JSXElement';
    const within = inCode || (isElement && nameOf((node.openingElement as Node).name) === 'code');
    if ((isElement || node.type === 'JSXFragment') && !within)
      for (const child of node.children as Node[])
        if (child.type === 'JSXExpressionContainer') tell(child, textsOf(child));
    for (const value of Object.values(node))
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, within);
  };
  walk(program as unknown as Node, false);
  return found;
}

describe('English outside of text.ts', () => {
  it('is found where it is', () => {
    const code = `
      const rows = [{ value: 'a value', label: 'Two words' }];
      const X = () => <p title="Of a thing" className="no words">
        Hello <code>beta</code> {a ? 'yes' : t.no} {b && \`so \${many}\`} {c === 'equal'}
        <Field label={\`\${n} of\`} hint={t.hint} title="mask_ratio" />·
      </p>;`;
    expect(englishIn(code, 'x.tsx').sort()).toEqual([
      'x.tsx:2 Two words',
      'x.tsx:3 Hello',
      'x.tsx:3 Of a thing',
      'x.tsx:4 so',
      'x.tsx:4 yes',
      'x.tsx:5 of',
    ]);
  });

  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path) && path !== 'text.ts')
    .map((path) => join(folder, path));

  it('is nowhere', () => {
    const found = files.flatMap((path) => englishIn(readFileSync(path, 'utf8'), relative(root, path)));
    expect(found).toEqual([]);
  });
});
