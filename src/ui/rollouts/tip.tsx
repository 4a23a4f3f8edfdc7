/** The numbers of the token under the pointer or the focus: one box for the whole panel. */
import { useLayoutEffect, useRef } from 'react';
import type { CompletionView, TokenView } from '../../worker/protocol.ts';
import { short, signed } from '../parts/format.ts';
import { readable } from '../parts/readable.ts';
import { Store, useStore } from '../store.ts';
import { text } from '../text.ts';

export interface TipState {
  /** The token's place on the screen; undefined hides the box. */
  readonly at?: Element;
  readonly token?: TokenView;
  readonly completion?: CompletionView;
}

export const newTip = () => new Store<TipState>({});

/** Name and number of everything that is known of a token. */
export function valuesOf(token: TokenView, { advantage }: CompletionView): (readonly [string, string])[] {
  const { values, notComputed } = text.rollouts;
  const known = (value: number | null) => (value === null ? notComputed : short(value));
  return [
    [values.probability, known(token.probability)],
    [values.maskedProbability, known(token.maskedProbability)],
    [values.kl, known(token.kl)],
    [values.entropy, known(token.entropy)],
    [values.ratio, known(token.ratio)],
    [values.advantage, signed(advantage)],
  ];
}

const margin = 8;

export function Tip({ store }: { store: Store<TipState> }) {
  const { at, token, completion } = useStore(store);
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!at || !box.current) return;
    const target = at.getBoundingClientRect();
    const { width, height } = box.current.getBoundingClientRect();
    const left = Math.max(
      margin,
      Math.min(target.left, document.documentElement.clientWidth - width - margin),
    );
    const below = target.bottom + margin / 2;
    const isBelow = below + height + margin < document.documentElement.clientHeight;
    box.current.style.left = `${left}px`;
    box.current.style.top = `${isBelow ? below : Math.max(margin, target.top - height - margin / 2)}px`;
  }, [at]);
  if (!at || !token || !completion) return null;
  return (
    // What it says is the token's accessible name too, so that nobody hears it twice.
    <div className="tip" role="tooltip" aria-hidden="true" ref={box}>
      <b className="token-text">{readable(token.text)}</b>
      <dl>
        {valuesOf(token, completion).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
