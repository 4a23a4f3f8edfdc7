import { LIVE_SETTINGS, type SettingInfo } from '../../worker/protocol.ts';
import { Select, TextField } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import { isGoing, otherProblems, problemOf, type State } from '../state.ts';

const groups: readonly { title: string; names: readonly string[] }[] = [
  {
    title: 'PAPO',
    names: [
      'perception_loss_weight',
      'der_loss_weight1',
      'der_loss_weight2',
      'mask_type',
      'mask_ratio',
      'mask_patch_size',
      'perception_kl',
    ],
  },
  {
    title: 'Rollout',
    names: ['num_generations', 'per_device_train_batch_size', 'temperature', 'max_completion_length'],
  },
  { title: 'Optimisation', names: ['learning_rate', 'beta', 'max_grad_norm'] },
  {
    title: 'Run',
    names: ['max_steps', 'eval_steps', 'num_eval_samples', 'save_steps', 'save_total_limit', 'seed'],
  },
];
const shownNames = groups.flatMap(({ names }) => names);

/** The settings that one reaches for first. Those that differ from the preset are marked. */
export function SettingsPanel({ session, state }: { session: Session; state: State }) {
  const { catalogue, validation, form } = state;
  const changed = Object.keys(form.settings);
  const elsewhere = otherProblems(validation, [...shownNames, 'task', 'rewards']);
  return (
    <section className="panel settings" aria-labelledby="settings-title">
      <div className="title-row">
        <h2 id="settings-title">Settings</h2>
        {changed.length > 0 && (
          <button type="button" disabled={isGoing(state)} onClick={() => void session.resetSettings()}>
            Back to the preset
          </button>
        )}
      </div>
      <p className="hint">
        {changed.length === 0
          ? `As preset ${form.preset} has them.`
          : `${changed.length} differ${changed.length === 1 ? 's' : ''} from preset ${form.preset}.`}
        {isGoing(state) && ' Those marked “live” take effect at the next step; the others need a new run.'}
      </p>
      {changed
        .filter((name) => !shownNames.includes(name))
        .map((name) => (
          <p className="hint" key={name}>
            Set by the link: <code>{name}</code> = <code>{form.settings[name]}</code>
          </p>
        ))}
      {elsewhere.map(({ field, message }) => (
        <p className="problem" role="alert" key={`${field} ${message}`}>
          {field === undefined ? message : `${field}: ${message}`}
        </p>
      ))}
      {validation?.warnings.map((warning) => (
        <p className="notice" key={warning}>
          {warning}
        </p>
      ))}
      {catalogue &&
        groups.map(({ title, names }, i) => (
          <details key={title} open={i === 0}>
            <summary>{title}</summary>
            {names.map((name) => {
              const info = catalogue.settings.find((setting) => setting.name === name);
              return info && <Setting key={name} info={info} session={session} state={state} />;
            })}
          </details>
        ))}
    </section>
  );
}

function Setting({ info, session, state }: { info: SettingInfo; session: Session; state: State }) {
  const { name, meaning, range, options } = info;
  const { form, validation } = state;
  const isLive = LIVE_SETTINGS.some((live) => live === name);
  const given = form.settings[name];
  const preset = validation?.preset[name] ?? '';
  const field = {
    label: name,
    value: given ?? preset,
    problem: withName(name, problemOf(validation, name)),
    tags: [
      ...(isLive && isGoing(state) ? ['live'] : []),
      ...(given === undefined ? [] : [`preset: ${preset}`]),
    ],
    disabled: isGoing(state) && !isLive,
    onChange: (value: string) => void session.edit(name, value),
  };
  return (
    <div className={given === undefined ? 'setting' : 'setting changed'}>
      {options ? (
        <Select {...field} options={options.map((value) => ({ value }))} hint={meaning} />
      ) : (
        <TextField {...field} hint={`${meaning} (${range})`} />
      )}
    </div>
  );
}

const withName = (name: string, problem: string | undefined) => problem && `${name}: ${problem}`;
