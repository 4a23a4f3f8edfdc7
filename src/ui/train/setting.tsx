/** One setting: its name, its control, what it means, what may be typed, and what the paper found. */
import type { SettingInfo } from '../../worker/protocol.ts';
import { Select, SwitchField, TextField } from '../parts/fields.tsx';
import { text } from '../text.ts';

const t = text.train;

export interface SettingProps {
  readonly info: SettingInfo;
  /** As typed; undefined where it is the preset's. */
  readonly given: string | undefined;
  readonly preset: string;
  readonly problem: string | undefined;
  /** A change takes effect at the next step. */
  readonly isLive: boolean;
  /** A run goes on. */
  readonly isGoing: boolean;
  readonly onChange: (value: string | undefined) => void;
}

export function Setting({ info, given, preset, problem, isLive, isGoing, onChange }: SettingProps) {
  const { name, meaning, range, options, isFlag, finding } = info;
  const isFixed = isGoing && !isLive;
  const field = {
    label: name,
    value: given ?? preset,
    problem: problem && t.problemOf(name, problem),
    tags: isGoing ? [isLive ? t.live : t.newRun] : [],
    disabled: isFixed,
    hint: meaning,
    onChange,
  };
  return (
    <div className={given === undefined ? 'setting' : 'setting changed'}>
      {options ? (
        <Select {...field} facts={t.presetHas(preset)} options={options.map((value) => ({ value }))} />
      ) : isFlag ? (
        <SwitchField {...field} facts={t.presetHas(preset)} />
      ) : (
        <TextField {...field} facts={t.rangeAndPreset(range, preset)} />
      )}
      {given !== undefined && (
        <button
          type="button"
          className="back"
          disabled={isFixed}
          aria-label={t.backToLabel(name, preset)}
          onClick={() => onChange(undefined)}
        >
          {t.backTo(preset)}
        </button>
      )}
      {finding && (
        <details className="finding">
          <summary>{t.finding}</summary>
          <p>
            {finding.says} <span className="hint">{t.findingFrom(finding.source)}</span>
          </p>
        </details>
      )}
    </div>
  );
}
