// `npm run docs:api`: writes docs/api.md from the docstrings of what src/index.ts exports and from the table of
// settings. `--check` compares instead, and fails where the page is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describeSetting, SETTING_NAMES, type SettingGroup } from '../papo/settings.ts';
import { type DocEntry, type DocKind, type DocMember, readExports } from './api-reader.ts';

const root = join(import.meta.dirname, '../..');
const entryPath = join(root, 'src/index.ts');
const pagePath = join(root, 'docs/api.md');

const sections: [string, DocKind[]][] = [
  ['Classes', ['class']],
  ['Functions', ['function']],
  ['Constants', ['const']],
  ['Types', ['interface', 'type']],
];
const groups: Record<SettingGroup, string> = {
  PAPO: 'Objective, rewards and advantages',
  rollout: 'Rollouts',
  optimisation: 'Optimisation',
  LoRA: 'LoRA',
  run: 'The run',
};

/** The anchor that markdown renderers give a heading. */
export function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

/** Prose of a docstring: `<` outside of code would begin an HTML tag. */
const prose = (text: string) =>
  text
    .split(/(`[^`]*`)/)
    .map((part, i) => (i % 2 === 0 ? part.replace(/</g, '\\<') : part))
    .join('');

const cell = (text: string) => prose(text).replace(/\|/g, '\\|').replace(/\s+/g, ' ');
const code = (text: string) => `\`\`\`ts\n${text}\n\`\`\``;

/** `text` as inline code, or null where it is too long or has more than one line. */
function inlineCode(text: string): string | null {
  const oneLine = text.replace(/\s+/g, ' ');
  return oneLine.length <= 100 && !oneLine.includes('`') ? `\`${oneLine}\`` : null;
}

function memberItem({ signature, doc }: DocMember): string {
  const inline = inlineCode(signature);
  const text = prose(doc).replace(/\n+/g, ' ');
  if (inline) return `- ${inline}${text ? `: ${text}` : ''}`;
  const block = code(signature).replace(/^/gm, '  ');
  return `- ${text || 'as follows:'}\n\n${block}\n`;
}

function methodPart(entry: DocEntry, { name, kind, signature, doc }: DocMember): string[] {
  const title = kind === 'constructor' ? `new ${entry.name}` : `${entry.name}.${name}`;
  return [`#### ${title}`, code(signature), prose(doc)];
}

/** Links to the other exports that signatures and members of `entry` name. */
function seeAlso(entry: DocEntry, names: ReadonlySet<string>): string {
  const text = [entry.signature, ...entry.members.map(({ signature }) => signature)].join(' ');
  const used = new Set(text.match(/[A-Za-z_$][\w$]*/g));
  used.delete(entry.name);
  const links = [...used].filter((name) => names.has(name)).map((name) => `[${name}](#${anchor(name)})`);
  return links.length > 0 ? `See ${links.join(', ')}.` : '';
}

function entryPart(entry: DocEntry, names: ReadonlySet<string>): string[] {
  const isClass = entry.kind === 'class';
  const methods = isClass ? entry.members.filter(({ kind }) => kind !== 'property') : [];
  const listed = entry.members.filter((member) => !methods.includes(member));
  return [
    `### ${entry.name}`,
    code(entry.signature),
    prose(entry.doc),
    listed.map(memberItem).join('\n').trimEnd(),
    seeAlso(entry, names),
    `Source: [\`${relative(root, entry.path)}\`](../${relative(root, entry.path)})`,
    ...methods.flatMap((method) => methodPart(entry, method)),
  ];
}

function settingsPart(): string[] {
  const parts = [
    '## Settings',
    'Fields of `PAPOConfig`, keys of a settings file, fields of the page. Names, defaults and ranges are those of TRL and transformers, where the meaning does not say "ours".',
  ];
  for (const [group, title] of Object.entries(groups)) {
    const rows = SETTING_NAMES.map(describeSetting)
      .filter((setting) => setting.group === group)
      .map(
        ({ name, default: value, range, meaning }) =>
          `| \`${name}\` | \`${JSON.stringify(value)}\` | ${cell(range)} | ${cell(meaning)} |`,
      );
    parts.push(
      `### ${title}`,
      ['| name | default | range | meaning |', '|---|---|---|---|', ...rows].join('\n'),
    );
  }
  return parts;
}

/** The page, from what `entry` exports. */
export function apiPage(entry: string): string {
  // What the entry itself declares is what it is for.
  const entries = readExports(entry).toSorted((a, b) => Number(b.path === entry) - Number(a.path === entry));
  const names = new Set(entries.map(({ name }) => name));
  const used = sections
    .map(([title, kinds]) => ({ title, members: entries.filter(({ kind }) => kinds.includes(kind)) }))
    .filter(({ members }) => members.length > 0);
  const links = used.map(
    ({ title, members }) =>
      `- ${title}: ${members.map(({ name }) => `[${name}](#${anchor(name)})`).join(', ')}`,
  );
  return [
    '# API',
    `What \`${relative(root, entry)}\` exports; in Node, \`src/index.node.ts\` exports the same names. Written by \`npm run docs:api\` from the source's docstrings: change those, not this page. Metrics: [metrics.md](metrics.md). For who knows TRL: [coming-from-trl.md](coming-from-trl.md).`,
    [...links, '- [Settings](#settings)'].join('\n'),
    ...used.flatMap(({ title, members }) => [
      `## ${title}`,
      ...members.flatMap((each) => entryPart(each, names)),
    ]),
    ...settingsPart(),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

export async function main(args: string[]): Promise<number> {
  const page = apiPage(entryPath);
  if (!args.includes('--check')) {
    writeFileSync(pagePath, page);
    return 0;
  }
  if (readFileSync(pagePath, 'utf8') === page) return 0;
  console.error('docs/api.md is out of date: npm run docs:api');
  return 1;
}
