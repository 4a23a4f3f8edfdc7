/** One image large, pixel by pixel, with the vision tower's patches and the image tokens over it. */
import { useEffect, useRef } from 'react';
import type { ModelFacts } from '../../worker/lab-protocol.ts';
import type { ImageView } from '../../worker/protocol.ts';

/** Pixels of the canvas along the longer side: lines stay crisp on any screen. */
const side = 1024;

export function Picture({
  image,
  label,
  facts,
  saliency,
}: {
  image: ImageView;
  label: string;
  /** Draws the grid. */
  facts?: ModelFacts;
  /** Draws a heat map. */
  saliency?: readonly number[] | null;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const scale = side / Math.max(image.width, image.height);
  const [width, height] = [Math.round(image.width * scale), Math.round(image.height * scale)];
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const small = document.createElement('canvas');
    small.width = image.width;
    small.height = image.height;
    small.getContext('2d')?.putImageData(new ImageData(image.data, image.width, image.height), 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, width, height);
    if (saliency) drawSaliency(context, saliency, width, height);
    if (facts) {
      drawGrid(context, facts.imageSize / facts.patchSize, width, height, 2);
      drawGrid(context, facts.imageSize / facts.cellSize, width, height, 6);
    }
  }, [image, facts, saliency, width, height]);
  return (
    <canvas ref={canvas} className="picture" width={width} height={height} role="img" aria-label={label} />
  );
}

/** Lines of two colours can be seen on any picture. */
function drawGrid(
  context: CanvasRenderingContext2D,
  cells: number,
  width: number,
  height: number,
  thickness: number,
): void {
  for (const [color, extra] of [
    ['rgb(0 0 0 / 45%)', thickness],
    ['rgb(255 255 255 / 75%)', 0],
  ] as const) {
    context.strokeStyle = color;
    context.lineWidth = thickness / 2 + extra / 2;
    context.beginPath();
    for (let i = 1; i < cells; i++) {
      context.moveTo((i * width) / cells, 0);
      context.lineTo((i * width) / cells, height);
      context.moveTo(0, (i * height) / cells);
      context.lineTo(width, (i * height) / cells);
    }
    context.stroke();
  }
}

/** From transparent to orange; the same colours stand in the style sheet's scale. */
function drawSaliency(
  context: CanvasRenderingContext2D,
  saliency: readonly number[],
  width: number,
  height: number,
): void {
  const cells = Math.sqrt(saliency.length);
  const low = Math.min(...saliency);
  const range = Math.max(...saliency) - low || 1;
  saliency.forEach((value, i) => {
    context.fillStyle = `rgb(255 120 0 / ${85 * ((value - low) / range)}%)`;
    const [x, y] = [i % cells, Math.floor(i / cells)];
    context.fillRect((x * width) / cells, (y * height) / cells, width / cells, height / cells);
  });
}
