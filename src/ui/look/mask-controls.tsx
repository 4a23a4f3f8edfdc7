/** The mask's settings, dragged; they go into the form when the visitor says so. */
import { Slider } from 'radix-ui';
import { Select } from '../parts/fields.tsx';
import { percent } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { leastRatio, maskOf } from './asking.ts';

const t = text.look;

export function MaskControls({ session, state }: { session: Session; state: State }) {
  const { looking } = session;
  const { facts } = useStore(looking.store);
  const { mask } = looking;
  const kinds = state.catalogue?.settings.find(({ name }) => name === 'mask_type')?.options ?? [];
  const isUsed = sameMask(mask, maskOf(state));
  return (
    <fieldset className="mask-controls">
      <legend>{t.mask}</legend>
      <Select
        label={t.kind}
        value={mask.mask_type}
        options={kinds.map((value) => ({ value, label: kindName(value) }))}
        onChange={(mask_type) => looking.edit({ mask_type })}
      />
      <Drag
        label={t.ratio}
        value={mask.mask_ratio}
        shown={percent(mask.mask_ratio)}
        range={[leastRatio(mask.mask_type), 1, 0.01]}
        onChange={(mask_ratio) => looking.edit({ mask_ratio })}
      />
      <Drag
        label={t.patchSize}
        value={mask.mask_patch_size}
        shown={t.pixels(mask.mask_patch_size)}
        range={[1, Math.max(facts?.imageSize ?? 64, mask.mask_patch_size), 1]}
        disabled={mask.mask_type !== 'patch_black'}
        hint={
          mask.mask_type === 'patch_black'
            ? undefined
            : mask.mask_type === 'semantic'
              ? t.patchSizeFixed
              : t.patchSizeUnused
        }
        onChange={(mask_patch_size) => looking.edit({ mask_patch_size })}
      />
      <div className="buttons small">
        <button
          type="button"
          disabled={mask.mask_type === 'semantic'}
          onClick={() => looking.choose({ draw: mask.draw + 1 })}
        >
          {t.drawAgain}
        </button>
        <button
          type="button"
          disabled={isUsed || isGoing(state)}
          onClick={() => void intoForm(session, looking.mask)}
        >
          {t.use}
        </button>
      </div>
      <p className="hint">
        {mask.mask_type === 'semantic' ? t.sameMask : t.draw(mask.draw, mask.seed)}{' '}
        {isUsed ? t.used : isGoing(state) && t.useLater}
      </p>
    </fieldset>
  );
}

const kindName = (kind: string) =>
  Object.hasOwn(t.kinds, kind) ? t.kinds[kind as keyof typeof t.kinds] : kind;

type Settings = Pick<ReturnType<typeof maskOf>, 'mask_type' | 'mask_ratio' | 'mask_patch_size'>;

const sameMask = (a: Settings, b: Settings) =>
  a.mask_type === b.mask_type && a.mask_ratio === b.mask_ratio && a.mask_patch_size === b.mask_patch_size;

async function intoForm(
  session: Session,
  { mask_type, mask_ratio, mask_patch_size }: Settings,
): Promise<void> {
  await session.edit('mask_type', mask_type);
  await session.edit('mask_ratio', String(mask_ratio));
  await session.edit('mask_patch_size', String(mask_patch_size));
}

function Drag({
  label,
  value,
  shown,
  range: [min, max, step],
  disabled = false,
  hint,
  onChange,
}: {
  label: string;
  value: number;
  shown: string;
  range: readonly [min: number, max: number, step: number];
  disabled?: boolean;
  hint?: string;
  onChange: (value: number) => void;
}) {
  return (
    <div className="field">
      <div className="label-row">
        <span className="field-label">{label}</span>
        <output>{shown}</output>
      </div>
      <Slider.Root
        className="drag"
        min={min}
        max={max}
        step={step}
        value={[value]}
        disabled={disabled}
        onValueChange={([next]) => onChange(Number(next.toFixed(2)))}
      >
        <Slider.Track className="drag-track">
          <Slider.Range className="drag-range" />
        </Slider.Track>
        <Slider.Thumb className="drag-thumb" aria-label={label} aria-valuetext={shown} />
      </Slider.Root>
      {hint !== undefined && <p className="hint">{hint}</p>}
    </div>
  );
}
