/** The picture that is asked about, and the ways to come by one. */
import { useEffect, useRef, useState } from 'react';
import { messageOf } from '../core.ts';
import { Picture } from '../look/picture.tsx';
import type { Session } from '../session.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { CameraDialog } from './camera-dialog.tsx';
import { pictureIn, readClipboard } from './clipboard.ts';
import { DrawBoard } from './draw-board.tsx';

const t = text.tryIt.picture;

export function PictureSources({ session }: { session: Session }) {
  const { trying } = session;
  const { picture, facts, isReading, problem } = useStore(trying.store);
  const [isDrawing, setIsDrawing] = useState(false);
  const [hasCamera, setHasCamera] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  usePaste((file) => void trying.bring(file, text.tryIt.errors.pasted));
  const paste = async () => {
    try {
      await trying.bring(await readClipboard(), text.tryIt.errors.pasted);
    } catch (error) {
      trying.refuse(messageOf(error));
    }
  };
  return (
    <div className="try-picture">
      <h3 className="plain">{t.title}</h3>
      <div className="buttons small">
        <button type="button" onClick={() => void trying.generate()}>
          {t.generate}
        </button>
        <button type="button" aria-pressed={isDrawing} onClick={() => setIsDrawing(!isDrawing)}>
          {isDrawing ? t.drawDone : t.draw}
        </button>
        <button type="button" onClick={() => input.current?.click()}>
          {t.upload}
        </button>
        <button type="button" onClick={() => void paste()}>
          {t.paste}
        </button>
        <button type="button" onClick={() => setHasCamera(true)}>
          {t.photograph}
        </button>
        <input
          ref={input}
          type="file"
          hidden
          aria-label={t.uploadLabel}
          accept="image/*"
          onChange={({ target }) => {
            const [file] = target.files ?? [];
            if (file) void trying.bring(file, file.name);
            // The same file may be picked once more.
            target.value = '';
          }}
        />
      </div>
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {isReading && (
        <p className="hint" role="status">
          {t.reading}
        </p>
      )}
      {isDrawing && facts ? (
        <DrawBoard side={facts.imageSize} picture={picture?.image} onDraw={(image) => trying.draw(image)} />
      ) : (
        picture && <Picture image={picture.image} label={t.label} />
      )}
      <p className="hint">
        {!picture && `${t.none} ${t.drop}`}
        {picture && facts && t.seen(facts.imageSize)}{' '}
        {picture?.size && facts && isScaled(picture.size, facts.imageSize) && t.from(...picture.size)}
        {picture?.made && t.generated(picture.made.task)}
      </p>
      {hasCamera && (
        <CameraDialog
          onPicture={(file) => void trying.bring(file, text.tryIt.camera.title)}
          onClose={() => setHasCamera(false)}
        />
      )}
    </div>
  );
}

const isScaled = ([width, height]: readonly [number, number], side: number) =>
  width !== side || height !== side;

/** Ctrl+V anywhere on the panel, but for text into a field. */
function usePaste(onPicture: (file: File) => void): void {
  const newest = useRef(onPicture);
  newest.current = onPicture;
  useEffect(() => {
    const onPaste = (event: ClipboardEvent) => {
      const file = pictureIn(event.clipboardData);
      if (!file) return;
      event.preventDefault();
      newest.current(file);
    };
    document.addEventListener('paste', onPaste);
    return () => document.removeEventListener('paste', onPaste);
  }, []);
}
