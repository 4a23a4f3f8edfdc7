/** A completion token by token, tinted by the KL to the masked picture; one token is looked at closely. */
import type { CSSProperties } from 'react';
import type { AskView } from '../../worker/lab-protocol.ts';
import { short } from '../parts/format.ts';
import { readable } from '../parts/readable.ts';
import { text } from '../text.ts';
import { PairedBars } from './paired-bars.tsx';

const tinted = (tint: number) => ({ '--tint': `${(100 * tint).toFixed(0)}%` }) as CSSProperties;

export function TokenStrip({
  view,
  chosen,
  onChoose,
}: {
  view: AskView;
  chosen: number | undefined;
  onChoose: (token: number) => void;
}) {
  const t = text.look.tokens;
  const { tokens, answerAt } = view;
  const at =
    chosen !== undefined && chosen < tokens.length ? chosen : view.masked ? mostMoved(view) : (answerAt ?? 0);
  const token = tokens[at];
  return (
    <>
      <ol className="token-strip">
        {tokens.map(({ text: word, kl, tint }, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a token is its place
          <li key={i}>
            <button
              type="button"
              className="token"
              style={tinted(tint)}
              aria-pressed={i === at}
              aria-label={kl === null ? undefined : t.token(readable(word), short(kl))}
              onClick={() => onChoose(i)}
              onFocus={() => onChoose(i)}
              onPointerEnter={({ pointerType }) => pointerType === 'mouse' && onChoose(i)}
            >
              {readable(word)}
            </button>
          </li>
        ))}
      </ol>
      {token && (
        <div className="token-choices">
          <h4>
            {t.choices(readable(token.text))}{' '}
            {token.kl !== null && <span className="tag">{t.kl(short(token.kl))}</span>}
          </h4>
          <p className="hint">{at === answerAt ? t.answerHint : t.choicesHint}</p>
          <PairedBars
            caption={t.caption(readable(token.text))}
            head={t.head}
            rows={token.choices.map(({ text: word, image, masked }) => ({
              key: word,
              label: readable(word),
              tag: word === token.text ? t.written : undefined,
              image: { share: image },
              masked: masked === null ? null : { share: masked },
            }))}
          />
        </div>
      )}
    </>
  );
}

function mostMoved({ tokens }: AskView): number {
  let best = 0;
  tokens.forEach(({ kl }, i) => {
    if ((kl ?? 0) > (tokens[best].kl ?? 0)) best = i;
  });
  return best;
}
