import { useEffect, useRef } from 'react';
import type { ImageView } from '../../worker/protocol.ts';

/** An image pixel by pixel, enlarged without smoothing. */
export function Pixels({ image, label }: { image: ImageView; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const { width, height, data } = image;
    canvas.current?.getContext('2d')?.putImageData(new ImageData(data, width, height), 0, 0);
  }, [image]);
  return (
    <canvas
      ref={canvas}
      className="pixels"
      width={image.width}
      height={image.height}
      role="img"
      aria-label={label}
    />
  );
}
