// Values that come from users, put into Markdown and YAML so that they stay values.

/** One line: no line break of any kind, no control character, no half of a surrogate pair. */
function oneLine(value: string): string {
  return value
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
}

/** Text that Markdown shows as it is, on one line. */
export function plain(value: string): string {
  // Every ASCII punctuation that begins something in the middle of a line; and what begins a block at its start.
  return oneLine(value)
    .replace(/[\\`*_[\]<>&|~$@]/g, '\\$&')
    .replace(/:\/\//g, '\\://')
    .replace(/^([#+\-=>])/, '\\$1')
    .replace(/^(\d+)([.)])/, '$1\\$2');
}

/** Code within a line, also within a table's cell. */
export function code(value: string): string {
  const shown = oneLine(value);
  const runs = shown.match(/`+/g) ?? [];
  const fence = '`'.repeat(runs.reduce((longest, run) => Math.max(longest, run.length), 0) + 1);
  const space = shown === '' || /^[` ]|[` ]$/.test(shown) ? ' ' : '';
  // In a table `\|` is a bar even in code; elsewhere the backslash would show, and it does no harm.
  return `${fence}${space}${shown.replaceAll('|', '\\|')}${space}${fence}`;
}

/** A table; cells are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A double-quoted YAML scalar: a JSON string, with what YAML 1.1 reads as a line break or refuses escaped too. */
export function yaml(value: string): string {
  const quoted = JSON.stringify(value.replace(/\p{Surrogate}/gu, '\ufffd'));
  return quoted.replace(
    /[^\u{20}-\u{7e}\u{a0}-\u{2027}\u{202a}-\u{d7ff}\u{e000}-\u{fefe}\u{ff00}-\u{fffd}\u{10000}-\u{10ffff}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Whether the name could be one of the Hub's: `name` or `owner/name`. */
export function repositoryId(name: string): boolean {
  return /^(?!.*(\.\.|--))(\w[\w.-]{0,94}\/)?\w[\w.-]{0,94}$/.test(name) && !/[.-]$|\.git$/.test(name);
}
