/**
 * What a link asks for: preset, task, settings, rewards, reward code, the panel. Plain texts, checked by the worker's catalogue like what
 * is typed into the page. A link never runs code: reward code in it is shown, switched off.
 *
 *   ?preset=papo-nano&task=count&learning_rate=1e-5#rewards=boxed_answer,format&panel=compare&reward=<percent-encoded code>
 *
 * Search and hash are read alike; what stands in the hash is never sent to a server, and wins over the search.
 */

export interface LinkRequest {
  readonly preset: string | null;
  readonly task: string | null;
  /** Built-in reward functions. */
  readonly rewards: readonly string[] | null;
  readonly panel: string | null;
  readonly device: string | null;
  /** By setting's name, as typed. */
  readonly settings: Readonly<Record<string, string>>;
  /** `enabled` is false whatever the link says: the visitor switches it on, having seen it. */
  readonly rewardCode: { readonly code: string; readonly enabled: false } | null;
  /** What was left out, and why, a sentence each. */
  readonly problems: readonly string[];
}

/** More than any browser's address bar is typed full with; far more code than a reward is. */
const MAX_CODE = 20_000;
const MAX_VALUE = 200;
const MAX_SETTINGS = 200;
const settingName = /^[a-z][a-z0-9_]{0,63}$/;
const REWARD = 'reward';
/** Parameters with another meaning, or another reader: the model's folder. */
const notSettings = new Set(['preset', 'task', 'rewards', 'panel', 'device', REWARD, 'model']);

/** Reads `location.search` and `location.hash`. Never throws: what cannot be read is named in `problems`. */
export function parseLink({ search, hash }: { search: string; hash: string }): LinkRequest {
  const given = new Map<string, string>();
  for (const part of [search, hash.replace(/^#/, '')]) {
    for (const [name, value] of new URLSearchParams(part)) given.set(name, value);
  }
  const problems: string[] = [];
  const settings: Record<string, string> = {};
  for (const [name, value] of given) {
    if (notSettings.has(name)) continue;
    if (!settingName.test(name)) {
      problems.push(`The link has a parameter ${quote(name)}, which is no name of a setting.`);
    } else if (value.length > MAX_VALUE) {
      problems.push(`The link's ${name} has ${value.length} characters; expected at most ${MAX_VALUE}.`);
    } else if (Object.keys(settings).length >= MAX_SETTINGS) {
      problems.push(`The link has more than ${MAX_SETTINGS} settings; ${quote(name)} was left out.`);
    } else {
      settings[name] = value;
    }
  }
  const short = (name: string) => {
    const value = given.get(name) || null;
    if (value === null || value.length <= MAX_VALUE) return value;
    problems.push(`The link's ${name} has ${value.length} characters; expected at most ${MAX_VALUE}.`);
    return null;
  };
  const preset = short('preset');
  const task = short('task');
  const rewards = short('rewards');
  const code = given.get(REWARD) || null;
  const tooLong = code !== null && code.length > MAX_CODE;
  if (tooLong) {
    problems.push(`The link's reward code has ${code.length} characters; expected at most ${MAX_CODE}.`);
  }
  return {
    preset,
    task,
    rewards: rewards === null ? null : rewards.split(',').filter(Boolean),
    panel: short('panel'),
    device: short('device'),
    settings,
    rewardCode: code === null || tooLong ? null : { code, enabled: false },
    problems,
  };
}

/** The hash of a link that asks for this; it reads back as it was. Empty where there is nothing to ask for. */
export function linkHash(request: {
  preset?: string | null;
  task?: string | null;
  rewards?: readonly string[] | null;
  panel?: string | null;
  device?: string | null;
  settings?: Readonly<Record<string, string>>;
  code?: string | null;
}): string {
  const { preset, task, panel, device, settings = {}, code } = request;
  const rewards = request.rewards?.join(',');
  const entries = Object.entries({ preset, task, device, rewards, ...settings, panel, [REWARD]: code });
  const given = entries.filter((entry): entry is [string, string] => Boolean(entry[1]));
  return given.length ? `#${new URLSearchParams(given)}` : '';
}

const quote = (text: string) => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
