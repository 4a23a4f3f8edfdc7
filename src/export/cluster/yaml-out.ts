/** Keys with paths as a nested YAML file that YAML 1.1 and OmegaConf read alike. */
import { UserError } from '../../errors.ts';
import { yaml } from '../markdown.ts';
import type { Translated, YamlScalar, YamlValue } from './translation.ts';

interface Section {
  [key: string]: YamlValue | Section;
}

/** YAML 1.1 takes 1e-6 for a text: its floats have a point. */
function scalar(value: YamlScalar): string {
  if (typeof value === 'string')
    return /^[A-Za-z][\w./:-]*[\w]$/.test(value) && !reserved.test(value) ? value : yaml(value);
  if (typeof value !== 'number') return String(value);
  if (!Number.isFinite(value)) throw new UserError(`A setting is ${value}; YAML needs a finite number.`);
  const text = String(value);
  const [digits, exponent] = text.split('e');
  return exponent === undefined ? text : `${digits.includes('.') ? digits : `${digits}.0`}e${exponent}`;
}

/** Words that YAML 1.1 takes for something other than a text. */
const reserved = /^(y|yes|n|no|true|false|on|off|null)$|: |:$/i;

const isList = (value: unknown): value is readonly YamlScalar[] => Array.isArray(value);

/** The file's text; sections in the order in which they first appear. Throws UserError for a key given twice. */
export function yamlOf(keys: readonly Pick<Translated, 'key' | 'value'>[]): string {
  const root: Section = {};
  for (const { key, value } of keys) {
    const path = key.split('.');
    const last = path.pop() as string;
    const section = path.reduce((at, name) => {
      at[name] ??= {};
      return at[name] as Section;
    }, root);
    if (Object.hasOwn(section, last)) throw new UserError(`The key ${key} is there twice.`);
    section[last] = value;
  }
  return `${lines(root, '').join('\n')}\n`;
}

function lines(section: Section, indent: string): string[] {
  return Object.entries(section).flatMap(([key, value]) => {
    const head = `${indent}${key}:`;
    if (isList(value)) return [`${head} [${value.map(scalar).join(', ')}]`];
    if (value === null || typeof value !== 'object') return [`${head} ${scalar(value)}`];
    const inner = lines(value as Section, `${indent}  `);
    return inner.length === 0 ? [`${head} {}`] : [head, ...inner];
  });
}
