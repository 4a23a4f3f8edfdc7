/** What the colours mean, in numbers. */
import { text } from '../text.ts';
import { type Colouring, scales, tone } from './colouring.ts';

export function Legend({ colouring, isKnown }: { colouring: Colouring; isKnown: boolean }) {
  const { stops, format } = scales[colouring];
  const words = text.rollouts.colourings[colouring];
  return (
    <div className="legend">
      <ul aria-label={text.rollouts.legend(words.name)}>
        {stops.map((stop) => {
          const { className, share } = tone(colouring, stop);
          return (
            <li
              key={stop}
              className={`token ${className}`}
              style={{ '--share': share } as React.CSSProperties}
            >
              {format(stop)}
            </li>
          );
        })}
      </ul>
      <p className="hint">{isKnown ? words.meaning : words.unknown}</p>
    </div>
  );
}
