/** One completion: advantage, rewards, and its tokens, of which the arrow keys choose one. */
import { memo, useEffect, useRef, useState } from 'react';
import type { CompletionView } from '../../worker/protocol.ts';
import { short, signed } from '../parts/format.ts';
import { readable } from '../parts/readable.ts';
import type { Store } from '../store.ts';
import { text } from '../text.ts';
import { type Colouring, scales, tone } from './colouring.ts';
import { type TipState, valuesOf } from './tip.tsx';

interface Props {
  readonly completion: CompletionView;
  /** Of its group, from 1. */
  readonly rank: number;
  readonly colouring: Colouring;
  readonly tip: Store<TipState>;
}

export const Completion = memo(function Completion({ completion, rank, colouring, tip }: Props) {
  const { advantage, rewards, error, correct } = completion;
  const side = advantage > 0 ? 'plus' : advantage < 0 ? 'minus' : 'even';
  return (
    <li>
      <span>
        <span className="visually-hidden">{text.rollouts.values.advantage} </span>
        <b className={`advantage ${side}`}>{signed(advantage)}</b>
      </span>
      <span className="rewards">
        {rewards.map(({ name, value }) => (
          <span key={name}>
            {name} <b>{short(value)}</b>
          </span>
        ))}
      </span>
      <span className="answer">
        <Tokens completion={completion} rank={rank} colouring={colouring} tip={tip} />
        {error && <span className="verdict">{text.rollouts.errors[error]}</span>}
        {!error && correct && <span className="verdict right">{text.rollouts.right}</span>}
      </span>
    </li>
  );
});

/** A list of which one thing has the focus: one stop of the tab key, however many tokens. */
function Tokens({ completion, rank, colouring, tip }: Props) {
  const { tokens } = completion;
  const list = useRef<HTMLSpanElement>(null);
  const [active, setActive] = useState(0);
  const [hasFocus, setHasFocus] = useState(false);
  const show = (at: Element) => {
    const token = tokens[Number((at as HTMLElement).dataset.token)];
    if (token) tip.set({ at, token, completion });
  };
  const hide = () => tip.set({ at: undefined });

  // After the token has its full name, so that this is what a screen reader says.
  useEffect(() => {
    const element = list.current?.children[active];
    if (!hasFocus || !(element instanceof HTMLElement)) return;
    element.focus();
    tip.set({ at: element, token: tokens[active], completion });
  }, [active, hasFocus, tokens, completion, tip]);

  const onKeyDown = (event: React.KeyboardEvent) => {
    const last = tokens.length - 1;
    const next = { ArrowRight: active + 1, ArrowLeft: active - 1, Home: 0, End: last }[event.key];
    if (event.key === 'Escape' && tip.snapshot().at) hide();
    else if (next === undefined) return;
    else setActive(Math.max(0, Math.min(last, next)));
    event.preventDefault();
  };
  return (
    <span
      ref={list}
      className="tokens"
      role="listbox"
      aria-orientation="horizontal"
      aria-label={text.rollouts.tokensOf(rank)}
      tabIndex={-1}
      onKeyDown={onKeyDown}
      onFocus={({ target }) => {
        const chosen = (target as HTMLElement).dataset.token;
        if (chosen === undefined) return;
        setActive(Number(chosen));
        setHasFocus(true);
      }}
      onBlur={() => {
        setHasFocus(false);
        hide();
      }}
      onPointerOver={({ target }) => show(target as Element)}
      onPointerLeave={hide}
    >
      {tokens.map((token, t) => {
        const { className, share } = tone(colouring, scales[colouring].value(token, completion));
        const isActive = t === active;
        return (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: a token is its place
            key={t}
            className={`token ${className}`}
            style={{ '--share': share } as React.CSSProperties}
            role="option"
            tabIndex={isActive ? 0 : -1}
            aria-selected={isActive && hasFocus}
            aria-label={
              isActive && hasFocus
                ? text.rollouts.tokenAndValues(readable(token.text), valuesOf(token, completion))
                : undefined
            }
            data-token={t}
          >
            {readable(token.text)}
          </span>
        );
      })}
    </span>
  );
}
