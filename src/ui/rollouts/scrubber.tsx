/** Which step: a slider over those that are there, a number to type, one to each side, and the newest. */
import { Slider } from 'radix-ui';
import { useEffect, useId, useState } from 'react';
import type { RolloutSteps } from '../../worker/protocol.ts';
import { text } from '../text.ts';

interface Props {
  readonly steps: RolloutSteps;
  readonly step: number;
  readonly follows: boolean;
  /** undefined: the newest. */
  readonly onChange: (step: number | undefined) => void;
}

export function Scrubber({ steps: { steps, stride }, step, follows, onChange }: Props) {
  const id = useId();
  const last = steps.length - 1;
  // A step that has just been made is not in the list yet.
  const found = steps.findLastIndex((one) => one <= step);
  const place = Math.max(0, found);
  const [draft, setDraft] = useState(String(step));
  useEffect(() => setDraft(String(step)), [step]);

  /** The nearest one that is there. */
  const takeDraft = () => {
    const wanted = Number(draft);
    const nearest = steps.reduce(
      (best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best),
      steps[place],
    );
    if (draft.trim() === '' || !Number.isFinite(wanted) || nearest === undefined) setDraft(String(step));
    else {
      setDraft(String(nearest));
      if (nearest !== step) onChange(nearest);
    }
  };
  return (
    <div className="scrubber">
      <div className="scrubber-row">
        <button
          type="button"
          aria-label={text.rollouts.earlier}
          disabled={place <= 0}
          onClick={() => onChange(steps[place - 1])}
        >
          ←
        </button>
        <Slider.Root
          className="slider"
          min={0}
          max={Math.max(1, last)}
          value={[place]}
          disabled={last < 1}
          onValueChange={([next]) => onChange(steps[next])}
        >
          <Slider.Track className="slider-track">
            <Slider.Range className="slider-range" />
          </Slider.Track>
          <Slider.Thumb
            className="slider-thumb"
            aria-label={text.rollouts.keptSteps}
            aria-valuetext={text.rollouts.stepOf(step, steps[last] ?? step)}
          />
        </Slider.Root>
        <button
          type="button"
          aria-label={text.rollouts.later}
          disabled={place >= last}
          onClick={() => onChange(steps[place + 1])}
        >
          →
        </button>
        <label htmlFor={`${id}-step`}>{text.rollouts.step}</label>
        <input
          id={`${id}-step`}
          className="step-field"
          inputMode="numeric"
          autoComplete="off"
          value={draft}
          onChange={({ target }) => setDraft(target.value)}
          onBlur={takeDraft}
          onKeyDown={({ key }) => key === 'Enter' && takeDraft()}
        />
        <label className="follow">
          <input
            type="checkbox"
            checked={follows}
            onChange={({ target }) => onChange(target.checked ? undefined : step)}
          />
          {text.rollouts.follow}
        </label>
      </div>
      {stride > 1 && <p className="hint">{text.rollouts.thinned(stride)}</p>}
    </div>
  );
}
