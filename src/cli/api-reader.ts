// What a TypeScript module exports, with its docstrings: read from the syntax tree, not from types, so that the
// reference shows what the source says. Follows `export … from` and names that were imported first.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  type Comment,
  type Declaration,
  type ExportNamedDeclaration,
  type Node,
  type Program,
  parseSync,
} from 'oxc-parser';

export type DocKind = 'class' | 'function' | 'const' | 'interface' | 'type';

export interface DocMember {
  readonly name: string;
  readonly kind: 'constructor' | 'method' | 'property';
  /** Source text without body or value. */
  readonly signature: string;
  readonly doc: string;
}

export interface DocEntry {
  readonly name: string;
  readonly kind: DocKind;
  /** Source text of the head; for a type the whole of it. */
  readonly signature: string;
  readonly doc: string;
  readonly members: readonly DocMember[];
  /** The module's absolute path. */
  readonly path: string;
}

interface Module {
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  readonly comments: readonly Comment[];
}

/** A node as this reader walks it: only where it is, and what it is, is common to all. */
type Part = Node & { start: number; end: number };

const longestValue = 60;

/** The text of a doc comment: no stars, lines of a paragraph joined, lists and blank lines as they are. */
export function docText(comment: string): string {
  const lines = comment
    .replace(/^\*/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd());
  let text = '';
  for (const line of lines.map((each) => each.trim())) {
    if (line === '') text += text.endsWith('\n\n') || text === '' ? '' : '\n\n';
    else if (/^([-*]|\d+\.) /.test(line)) text += `${text === '' || text.endsWith('\n') ? '' : '\n'}${line}`;
    else text += `${text === '' || text.endsWith('\n') ? '' : ' '}${line}`;
  }
  return text.trim();
}

/** Source from `start` to `end`, without the indentation of the line that it begins in. */
function sourceText(text: string, start: number, end: number): string {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const indent = /^\s*/.exec(text.slice(lineStart, start))![0].length;
  const outdent = (line: string) => line.slice(Math.min(indent, line.length - line.trimStart().length));
  const [first, ...rest] = text.slice(start, end).trim().split('\n');
  return [first, ...rest.map(outdent)].join('\n');
}

class ModuleReader {
  private readonly modules = new Map<string, Module>();

  private load(path: string): Module {
    const known = this.modules.get(path);
    if (known) return known;
    const text = readFileSync(path, 'utf8');
    const { program, comments, errors } = parseSync(path, text);
    if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
    const module = { path, text, program, comments };
    this.modules.set(path, module);
    return module;
  }

  /** Every export of `path`, in the order of its lines; a name once. */
  exports(path: string): DocEntry[] {
    const found = new Map<string, DocEntry>();
    const add = (entry: DocEntry) => {
      const earlier = found.get(entry.name);
      // A class and an interface of one name are one thing to who uses it.
      found.set(entry.name, earlier && earlier.path === entry.path ? merged(earlier, entry) : entry);
    };
    const module = this.load(path);
    for (const statement of module.program.body) {
      if (statement.type === 'ExportAllDeclaration') {
        if (statement.exported) throw new Error(`${path}: "export * as" cannot be shown.`);
        const from = resolveModule(path, statement.source.value);
        if (from) this.exports(from).forEach(add);
      } else if (statement.type === 'ExportNamedDeclaration') {
        this.named(module, statement).forEach(add);
      } else if (statement.type === 'ExportDefaultDeclaration') {
        throw new Error(`${path}: a default export has no name to be shown under.`);
      }
    }
    return [...found.values()];
  }

  private named(module: Module, statement: ExportNamedDeclaration): DocEntry[] {
    if (statement.declaration) return this.declared(module, statement.declaration, statement);
    return statement.specifiers.flatMap((specifier) => {
      const local = nameOf(specifier.local);
      const entries = statement.source
        ? this.foreign(module.path, statement.source.value, local)
        : this.local(module, local);
      return entries.map((entry) => ({ ...entry, name: nameOf(specifier.exported) }));
    });
  }

  private foreign(path: string, source: string, name: string): DocEntry[] {
    const from = resolveModule(path, source);
    if (!from) return [];
    const entries = this.exports(from).filter((entry) => entry.name === name);
    if (entries.length === 0) throw new Error(`${path}: ${source} does not export ${name}.`);
    return entries;
  }

  /** What `name` is inside the module: declared there, or imported. */
  private local(module: Module, name: string): DocEntry[] {
    for (const statement of module.program.body) {
      if (statement.type !== 'ImportDeclaration') continue;
      for (const specifier of statement.specifiers) {
        if (specifier.local.name !== name) continue;
        if (specifier.type !== 'ImportSpecifier')
          throw new Error(`${module.path}: ${name} is no named import.`);
        return this.foreign(module.path, statement.source.value, nameOf(specifier.imported));
      }
    }
    return module.program.body
      .flatMap((statement) => this.declared(module, statement as Declaration, statement))
      .filter((entry) => entry.name === name);
  }

  /** `own`, and behind them the members of those bases that are this project's. */
  private inherited(module: Module, bases: readonly (Node | null)[], own: DocMember[]): DocMember[] {
    const members = [...own];
    for (const base of bases) {
      if (base?.type !== 'Identifier') continue;
      for (const member of this.local(module, base.name).flatMap((entry) => entry.members)) {
        const at = members.findIndex(({ name }) => name === member.name);
        if (at < 0) members.push(member);
        else if (!members[at].doc) members[at] = { ...members[at], doc: member.doc };
      }
    }
    return members;
  }

  /** `outer` is the statement that a doc comment stands before. */
  private declared(module: Module, node: Declaration, outer: Part): DocEntry[] {
    const { text, path } = module;
    const doc = docBefore(module, outer.start);
    const head = (end: number) => sourceText(text, node.start, end);
    const entry = (name: string, kind: DocKind, signature: string, members: DocMember[] = []): DocEntry[] => [
      { name, kind, signature, doc, members, path },
    ];
    switch (node.type) {
      case 'ClassDeclaration': {
        const base = node.superClass?.type === 'Identifier' ? this.local(module, node.superClass.name) : [];
        const docs = [...base.map((each) => each.doc), doc].filter((each) => each !== '').join('\n\n');
        const members = this.inherited(module, [node.superClass], membersOf(module, node.body.body));
        return [{ ...entry(node.id!.name, 'class', head(node.body.start), members)[0], doc: docs }];
      }
      case 'TSInterfaceDeclaration': {
        const bases = node.extends.map(({ expression }) => expression);
        const members = this.inherited(module, bases, membersOf(module, node.body.body));
        return entry(node.id.name, 'interface', head(node.body.start), members);
      }
      case 'TSTypeAliasDeclaration':
        return entry(node.id.name, 'type', head(node.end).replace(/;$/, ''));
      case 'FunctionDeclaration':
      case 'TSDeclareFunction':
        return entry(node.id!.name, 'function', head(node.body?.start ?? node.end).replace(/;$/, ''));
      case 'VariableDeclaration':
        return node.declarations.flatMap((declarator) => {
          if (declarator.id.type !== 'Identifier') return [];
          const { init } = declarator;
          const name = declarator.id.name;
          if (init?.type === 'ArrowFunctionExpression' && !declarator.id.typeAnnotation) {
            const parameters = sourceText(text, init.start, init.body.start).replace(/\s*=>\s*\(?$/, '');
            const async = init.async ? 'async ' : '';
            return entry(name, 'function', `${async}function ${name}${parameters.replace(/^async\s*/, '')}`);
          }
          return entry(name, 'const', `const ${withValue(text, declarator.id, init)}`);
        });
      default:
        return [];
    }
  }
}

function nameOf(node: { type: string; name?: string; value?: string }): string {
  return node.name ?? node.value!;
}

/** The path of a module of ours; null for a package, whose documentation is its own. */
function resolveModule(path: string, source: string): string | null {
  return source.startsWith('.') ? resolve(dirname(path), source) : null;
}

/** The doc comment that ends where `start` begins, but for white space. */
function docBefore({ comments, text }: Module, start: number): string {
  const before = comments.findLast((comment) => comment.end <= start);
  if (before?.type !== 'Block' || !before.value.startsWith('*')) return '';
  return text.slice(before.end, start).trim() === '' ? docText(before.value) : '';
}

/** `name: Type`, or `name = value` where the type is not written and the value is short. */
function withValue(text: string, target: Part, value: Part | null): string {
  const left = sourceText(text, target.start, target.end);
  const hasType = 'typeAnnotation' in target && target.typeAnnotation;
  if (hasType || !value) return left;
  const right = text.slice(value.start, value.end);
  return right.length <= longestValue && !right.includes('\n') ? `${left} = ${right}` : left;
}

function membersOf(module: Module, nodes: readonly Node[]): DocMember[] {
  const { text } = module;
  const members: DocMember[] = [];
  for (const node of nodes) {
    const isHidden =
      'accessibility' in node && (node.accessibility === 'private' || node.accessibility === 'protected');
    if (isHidden || ('key' in node && node.key?.type === 'PrivateIdentifier')) continue;
    const until = (end: number) =>
      sourceText(text, node.start, end)
        .replace(/[;,]$/, '')
        .replace(/^(?:(?:public|override) )+/, '');
    const add = (kind: DocMember['kind'], name: string, signature: string) =>
      members.push({ kind, name, signature, doc: docBefore(module, node.start) });
    const key = 'key' in node && node.key ? text.slice(node.key.start, node.key.end) : '';
    switch (node.type) {
      case 'MethodDefinition':
      case 'TSAbstractMethodDefinition': {
        const signature = until(node.value.body?.start ?? node.end);
        if (node.kind === 'constructor') add('constructor', 'constructor', withoutModifiers(signature));
        else if (node.kind === 'method') add('method', key, signature);
        else add('property', key, signature);
        break;
      }
      case 'PropertyDefinition':
      case 'TSAbstractPropertyDefinition': {
        const end = node.typeAnnotation?.end ?? (node.value ? node.value.end : node.end);
        const whole = until(end);
        const isLong = !node.typeAnnotation && node.value && whole.length > longestValue;
        add('property', key, isLong ? until(node.key.end) : whole);
        break;
      }
      case 'TSMethodSignature':
        add('method', key, until(node.end));
        break;
      case 'TSPropertySignature':
      case 'TSIndexSignature':
        add('property', key, until(node.end));
        break;
      case 'TSCallSignatureDeclaration':
      case 'TSConstructSignatureDeclaration':
        add('method', '', until(node.end));
        break;
      default:
    }
  }
  return members;
}

/** A constructor's `private readonly x` is `x` to who calls it. */
const withoutModifiers = (signature: string) =>
  signature.replace(/\b(?:private|protected|public)\s+|\breadonly\s+(?=\w+\??:)/g, '');

function merged(a: DocEntry, b: DocEntry): DocEntry {
  const main = a.kind === 'class' ? a : b;
  const other = main === a ? b : a;
  const bases = /\bextends\s+[\s\S]+$/.exec(other.signature)?.[0];
  return {
    ...main,
    signature: bases ? `${main.signature} ${bases.replace('extends', 'implements')}` : main.signature,
    doc: main.doc || other.doc,
    members: [...main.members, ...other.members],
  };
}

/**
 * What the module at `path` exports, in order. Throws an Error for what cannot be read: a syntax error, a default
 * export, a name that is not there.
 */
export function readExports(path: string): DocEntry[] {
  return new ModuleReader().exports(resolve(path));
}
