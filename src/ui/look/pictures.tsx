/** The picture, and the masked one beside it. */
import { useState } from 'react';
import { CheckField } from '../parts/fields.tsx';
import { percent } from '../parts/format.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import type { Looking } from './looking.ts';
import { Picture } from './picture.tsx';

const t = text.look;

export function Pictures({ looking }: { looking: Looking }) {
  const { asked, mask, facts } = useStore(looking.store);
  const [hasGrid, setHasGrid] = useState(true);
  const [hasSaliency, setHasSaliency] = useState(true);
  if (!asked) return null;
  const grid = hasGrid ? facts : undefined;
  const saliency = hasSaliency ? mask?.saliency : undefined;
  const share = percent(mask?.share ?? 0);
  return (
    <div className="look-pictures">
      <figure>
        <Picture image={asked.image} label={t.pictureLabel(asked.prompt)} facts={grid} saliency={saliency} />
        <figcaption>
          {t.picture}
          {facts && <small>{t.patches(facts.imageSize / facts.patchSize, facts.patchSize)}</small>}
        </figcaption>
      </figure>
      <figure>
        {/* Until the mask is there the picture keeps its place. */}
        <Picture image={mask?.masked ?? asked.image} label={t.maskedLabel(share)} facts={grid} />
        <figcaption>{t.masked(share)}</figcaption>
      </figure>
      <div className="look-overlays">
        <CheckField
          label={t.showPatches}
          hint={facts && t.patchesHint((facts.imageSize / facts.cellSize) ** 2)}
          checked={hasGrid}
          onChange={setHasGrid}
        />
        {mask?.saliency && (
          <>
            <CheckField label={t.showSaliency} checked={hasSaliency} onChange={setHasSaliency} />
            {hasSaliency && (
              <p className="saliency-scale hint">
                {t.saliencyScale.low}
                <span role="img" aria-label={t.saliencyScale.label} />
                {t.saliencyScale.high}
              </p>
            )}
          </>
        )}
      </div>
    </div>
  );
}
