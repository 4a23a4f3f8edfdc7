/** The two sides of a translation as it is made: their keys with our settings, and ours that they have no key for. */
import type { SettingName } from '../../papo/settings.ts';

export type YamlScalar = string | number | boolean | null;
/** What a key may hold; lists and further keys only of scalars. */
export type YamlValue = YamlScalar | readonly YamlScalar[] | { readonly [key: string]: YamlScalar };

export interface Translated {
  /** Their key with its path, such as `algorithm.kl_prcp_coef`. */
  readonly key: string;
  readonly value: YamlValue;
  /** Our settings that it follows from; none where it is chosen. */
  readonly from: readonly SettingName[];
  /** How it was computed, or why this value. */
  readonly note: string;
}

export interface Untranslated {
  readonly name: SettingName;
  readonly note: string;
}

export class Translation {
  readonly translated: Translated[] = [];
  readonly untranslated: Untranslated[] = [];

  /** A key that follows from our settings. */
  put(key: string, value: YamlValue, from: SettingName | readonly SettingName[], note = ''): void {
    this.translated.push({ key, value, from: typeof from === 'string' ? [from] : from, note });
  }

  /** A key that no setting of ours says anything about. */
  choose(key: string, value: YamlValue, why: string): void {
    this.translated.push({ key, value, from: [], note: why });
  }

  /** Settings that their code has nothing for. */
  lack(names: readonly SettingName[], note: string): void {
    for (const name of names) this.untranslated.push({ name, note });
  }
}
