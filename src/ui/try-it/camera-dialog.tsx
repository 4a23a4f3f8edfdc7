/** A photograph: what the camera sees, in a dialog; the camera is on as long as that is open. */
import { useEffect, useRef, useState } from 'react';
import { messageOf } from '../core.ts';
import { Dialog } from '../parts/dialog.tsx';
import { text } from '../text.ts';
import { toPng } from './read-picture.ts';

const t = text.tryIt.camera;

export function CameraDialog({
  onPicture,
  onClose,
}: {
  onPicture: (picture: Blob) => void;
  onClose: () => void;
}) {
  const video = useRef<HTMLVideoElement>(null);
  const [isOn, setIsOn] = useState(false);
  /** Its first picture is there. */
  const [hasFrame, setHasFrame] = useState(false);
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isClosed = false;
    const stop = () => {
      for (const track of stream?.getTracks() ?? []) track.stop();
    };
    openCamera().then(
      (opened) => {
        stream = opened;
        if (isClosed || !video.current) return stop();
        video.current.srcObject = stream;
        setIsOn(true);
      },
      (error: unknown) => setProblem(problemOf(error)),
    );
    return () => {
      isClosed = true;
      stop();
    };
  }, []);
  const take = async () => {
    const { current } = video;
    if (!current) return;
    try {
      onPicture(await toPng(current, current.videoWidth, current.videoHeight));
      onClose();
    } catch (error) {
      setProblem(t.failed(messageOf(error)));
    }
  };
  return (
    <Dialog title={t.title} onClose={onClose}>
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {!hasFrame && problem === undefined && (
        <p className="hint" role="status">
          {t.starting}
        </p>
      )}
      <video
        ref={video}
        className="camera"
        hidden={!isOn || problem !== undefined}
        aria-label={t.preview}
        onLoadedData={() => setHasFrame(true)}
        autoPlay
        muted
        playsInline
      />
      <p className="hint">{t.stays}</p>
      <div className="buttons">
        {problem === undefined && (
          <button type="button" className="primary" disabled={!hasFrame} onClick={() => void take()}>
            {t.take}
          </button>
        )}
        <button type="button" onClick={onClose}>
          {problem === undefined ? t.cancel : t.close}
        </button>
      </div>
    </Dialog>
  );
}

async function openCamera(): Promise<MediaStream> {
  const { mediaDevices } = navigator as Partial<Navigator>;
  if (!mediaDevices?.getUserMedia) throw new DOMException('', 'NotSupportedError');
  // On a phone the camera that looks away from its owner.
  return mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false });
}

function problemOf(error: unknown): string {
  const problems: Readonly<Record<string, string>> = {
    NotAllowedError: t.denied,
    SecurityError: t.denied,
    NotFoundError: t.missing,
    OverconstrainedError: t.missing,
    NotReadableError: t.busy,
    AbortError: t.busy,
    NotSupportedError: t.unsupported,
  };
  return (error instanceof DOMException && problems[error.name]) || t.failed(messageOf(error));
}
