/** One prompt: its images and its completions, the best first. */
import { memo, useMemo } from 'react';
import type { GroupView, ImageView } from '../../worker/protocol.ts';
import { short } from '../parts/format.ts';
import { Pixels } from '../parts/pixels.tsx';
import type { Store } from '../store.ts';
import { text } from '../text.ts';
import type { Colouring } from './colouring.ts';
import { Completion } from './completion.tsx';
import type { TipState } from './tip.tsx';

export const Group = memo(function Group({
  group,
  colouring,
  showsDifference,
  tip,
}: {
  group: GroupView;
  colouring: Colouring;
  showsDifference: boolean;
  tip: Store<TipState>;
}) {
  const { image, masked, completions, meanKl } = group;
  return (
    <article className="group">
      <div className="images">
        <figure>
          <Pixels image={image} label={text.rollouts.imageOf(group.prompt)} />
          <figcaption>{text.rollouts.image}</figcaption>
        </figure>
        {masked &&
          (showsDifference ? (
            <Difference image={image} masked={masked} />
          ) : (
            <figure>
              <Pixels image={masked} label={text.rollouts.maskedLabel} />
              <figcaption>{text.rollouts.masked}</figcaption>
            </figure>
          ))}
      </div>
      <div className="text">
        <h3>{group.prompt}</h3>
        <p className="hint">
          {group.answer !== null && (
            <>
              {text.rollouts.rightAnswer} <b>{group.answer}</b>.{' '}
            </>
          )}
          {group.visionDependency !== undefined && `${text.rollouts.dependency(group.visionDependency)} `}
          {typeof meanKl === 'number' && text.rollouts.meanKl(short(meanKl))}
        </p>
        {completions.length > 0 && (
          <>
            <p className="completion-head hint" aria-hidden="true">
              {text.rollouts.columns.map((name) => (
                <span key={name}>{name}</span>
              ))}
            </p>
            <ol className="completions">
              {completions.map((completion, k) => (
                <Completion
                  // biome-ignore lint/suspicious/noArrayIndexKey: completions have no name but their rank
                  key={k}
                  completion={completion}
                  rank={k + 1}
                  colouring={colouring}
                  tip={tip}
                />
              ))}
            </ol>
          </>
        )}
      </div>
    </article>
  );
});

/** What the mask takes away, with the rest faded. */
function Difference({ image, masked }: { image: ImageView; masked: ImageView }) {
  const difference = useMemo(() => differenceOf(image, masked), [image, masked]);
  return (
    <figure>
      <Pixels image={difference} label={text.rollouts.differenceLabel} />
      <figcaption>{text.rollouts.difference}</figcaption>
    </figure>
  );
}

const faded = 40;

/** Pixels that the mask changed as they were, all others nearly transparent. */
export function differenceOf(image: ImageView, masked: ImageView): ImageView {
  // Another size: what the model's tower sees was masked, and cannot be laid over the image.
  if (image.width !== masked.width || image.height !== masked.height) return masked;
  const data = image.data.slice();
  for (let i = 0; i < data.length; i += 4) {
    const isKept = [0, 1, 2].every((c) => image.data[i + c] === masked.data[i + c]);
    if (isKept) data[i + 3] = faded;
  }
  return { ...image, data };
}
