/** Labelled controls, each with its hint and its problem tied to it for those who do not see them. */
import { Switch } from 'radix-ui';
import { useEffect, useId, useState } from 'react';
import './fields.css';

interface FieldProps {
  label: string;
  value: string;
  hint?: string;
  /** A second line below the hint: what may be typed. */
  facts?: string;
  problem?: string;
  disabled?: boolean;
  inputMode?: 'decimal' | 'text';
  type?: 'text' | 'password' | 'search';
  /** Short remarks beside the label. */
  tags?: readonly string[];
  onChange: (value: string) => void;
}

export function Select({
  options,
  ...field
}: FieldProps & { options: readonly { value: string; label?: string }[] }) {
  const { id, describedBy } = useFieldIds(field);
  return (
    <div className="field">
      <Label id={id} {...field} />
      <select
        id={id}
        value={field.value}
        disabled={field.disabled}
        aria-describedby={describedBy}
        aria-invalid={field.problem !== undefined}
        onChange={(event) => field.onChange(event.target.value)}
      >
        {options.map(({ value, label }) => (
          <option key={value} value={value}>
            {label ?? value}
          </option>
        ))}
      </select>
      <Notes id={id} {...field} />
    </div>
  );
}

/** A line of text, a number most often; what is typed stays as it is, right or wrong. */
export function TextField(field: FieldProps) {
  const { id, describedBy } = useFieldIds(field);
  const [draft, setDraft] = useState(field.value);
  // The value changes from outside too: another preset, a reset.
  useEffect(() => setDraft(field.value), [field.value]);
  return (
    <div className="field">
      <Label id={id} {...field} />
      <input
        id={id}
        value={draft}
        disabled={field.disabled}
        type={field.type}
        inputMode={field.inputMode ?? 'decimal'}
        autoComplete="off"
        spellCheck={false}
        aria-describedby={describedBy}
        aria-invalid={field.problem !== undefined}
        onChange={(event) => {
          setDraft(event.target.value);
          field.onChange(event.target.value);
        }}
      />
      <Notes id={id} {...field} />
    </div>
  );
}

/** True or false, as the text that a setting has. */
export function SwitchField(field: FieldProps) {
  const { id, describedBy } = useFieldIds(field);
  return (
    <div className="field">
      <Label id={id} {...field} />
      <Switch.Root
        className="switch"
        id={id}
        checked={field.value === 'true'}
        disabled={field.disabled}
        aria-describedby={describedBy}
        aria-invalid={field.problem !== undefined}
        onCheckedChange={(checked) => field.onChange(String(checked))}
      >
        <Switch.Thumb className="switch-thumb" />
      </Switch.Root>
      <Notes id={id} {...field} />
    </div>
  );
}

/** A box to tick, with its words beside it. */
export function CheckField({
  label,
  hint,
  checked,
  disabled,
  invalid = false,
  isCode = false,
  onChange,
}: {
  label: string;
  hint?: string;
  checked: boolean;
  disabled?: boolean;
  invalid?: boolean;
  /** The label is a name of the program's. */
  isCode?: boolean;
  onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <div className="check">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-invalid={invalid}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onChange={({ target }) => onChange(target.checked)}
      />
      <label htmlFor={id}>{isCode ? <code>{label}</code> : label}</label>
      {hint !== undefined && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

function Label({ id, label, tags = [] }: Pick<FieldProps, 'label' | 'tags'> & { id: string }) {
  return (
    <div className="label-row">
      <label htmlFor={id}>{label}</label>
      {tags.map((tag) => (
        <span className="tag" key={tag}>
          {tag}
        </span>
      ))}
    </div>
  );
}

function useFieldIds({ hint, facts, problem }: FieldProps) {
  const id = useId();
  const described = [
    problem !== undefined && `${id}-problem`,
    hint !== undefined && `${id}-hint`,
    facts !== undefined && `${id}-facts`,
  ].filter(Boolean);
  return { id, describedBy: described.length ? described.join(' ') : undefined };
}

function Notes({
  id,
  hint,
  facts,
  problem,
}: Pick<FieldProps, 'hint' | 'facts' | 'problem'> & { id: string }) {
  return (
    <>
      {problem !== undefined && (
        <p className="problem" id={`${id}-problem`} role="alert">
          {problem}
        </p>
      )}
      {hint !== undefined && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {facts !== undefined && (
        <p className="hint field-facts" id={`${id}-facts`}>
          {facts}
        </p>
      )}
    </>
  );
}
