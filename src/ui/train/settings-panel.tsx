/** Every setting of a run, in groups or as found by a word. Those that differ from the preset are marked. */
import { memo, useState } from 'react';
import { type Catalogue, LIVE_SETTINGS, type SettingInfo, type Validation } from '../../worker/protocol.ts';
import { TextField } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import { isGoing, otherProblems, problemOf, type State } from '../state.ts';
import { text } from '../text.ts';
import { Setting } from './setting.tsx';
import { groupsOf, matching } from './settings-groups.ts';

const t = text.train;

interface Parts {
  readonly session: Session;
  readonly catalogue: Catalogue | undefined;
  readonly validation: Validation | undefined;
  readonly preset: string;
  /** What was typed, by name. */
  readonly given: Readonly<Record<string, string>>;
  readonly going: boolean;
}

export function SettingsPanel({ session, state }: { session: Session; state: State }) {
  const { catalogue, validation, form } = state;
  return (
    <Settings
      session={session}
      catalogue={catalogue}
      validation={validation}
      preset={form.preset}
      given={form.settings}
      going={isGoing(state)}
    />
  );
}

/** Drawn again when a setting changes, not at every step of a run: there are many of them. */
const Settings = memo(function Settings(parts: Parts) {
  const { session, catalogue, validation, preset, given, going } = parts;
  const [query, setQuery] = useState('');
  const settings = catalogue?.settings ?? [];
  const names = settings.map(({ name }) => name);
  const changed = Object.keys(given).length;
  // What is at fault stays in sight, whatever is searched.
  const isAtFault = ({ name }: SettingInfo) => problemOf(validation, name) !== undefined;
  const found = query.trim() === '' ? undefined : matching(settings, query, isAtFault);
  const list = (some: readonly SettingInfo[]) =>
    some.map((info) => (
      <Setting
        key={info.name}
        info={info}
        given={given[info.name]}
        preset={validation?.preset[info.name] ?? ''}
        problem={problemOf(validation, info.name)}
        isLive={LIVE_SETTINGS.some((live) => live === info.name)}
        isGoing={going}
        onChange={(value) => void session.edit(info.name, value)}
      />
    ));
  return (
    <section className="panel settings" aria-labelledby="settings-title">
      <div className="title-row">
        <h2 id="settings-title">{t.settings}</h2>
        {changed > 0 && (
          <button type="button" disabled={going} onClick={() => void session.resetSettings()}>
            {t.backToPreset}
          </button>
        )}
      </div>
      <p className="hint">
        {changed === 0 ? t.asPreset(preset) : t.differ(changed, preset)} {going && t.whileGoing}
      </p>
      {otherProblems(validation, [...names, 'task', 'rewards']).map(({ field, message }) => (
        <p className="problem" role="alert" key={`${field} ${message}`}>
          {field === undefined ? message : t.problemOf(field, message)}
        </p>
      ))}
      {validation?.warnings.map((warning) => (
        <p className="notice" key={warning}>
          {warning}
        </p>
      ))}
      {catalogue && (
        <TextField label={t.search} inputMode="text" type="search" value={query} onChange={setQuery} />
      )}
      {found && (
        <div className="found">
          <p className="hint" role="status">
            {found.length === 0 ? t.nothingFound(query.trim()) : t.found(found.length)}
          </p>
          {list(found)}
        </div>
      )}
      {catalogue &&
        groupsOf(settings).map(({ title, first, more }, i) => (
          // Hidden, not gone, while something is searched: which ones are open is not forgotten.
          <details key={title} open={i === 0} hidden={found !== undefined}>
            <summary>
              {title} <Count of={[...first, ...more]} given={given} />
            </summary>
            {found === undefined && list(first)}
            <details className="more">
              <summary>
                {t.more(more.length)} <Count of={more} given={given} />
              </summary>
              {found === undefined && list(more)}
            </details>
          </details>
        ))}
    </section>
  );
});

/** How many of these differ from the preset, where some do. */
function Count({ of, given }: { of: readonly SettingInfo[]; given: Parts['given'] }) {
  const changed = of.filter(({ name }) => given[name] !== undefined).length;
  return changed > 0 && <span className="tag">{t.changed(changed)}</span>;
}
