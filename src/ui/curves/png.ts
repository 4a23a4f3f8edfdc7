/** A chart as a picture: its name, its legend and its curves on the background of the page. */
import type { LegendItem } from './drawn-run.ts';

interface Picture {
  readonly title: string;
  readonly meaning: string;
  readonly items: readonly (Pick<LegendItem, 'color' | 'dash' | 'look'> & { readonly label: string })[];
  readonly canvas: HTMLCanvasElement;
  /** For its colours and its font. */
  readonly figure: HTMLElement;
}

const margin = 12;
const lineHeight = 18;
const markWidth = 22;
const gap = 8;

export async function chartPng({ title, meaning, items, canvas, figure }: Picture): Promise<Blob> {
  const css = getComputedStyle(figure);
  const color = (name: string) => css.getPropertyValue(name).trim();
  const scale = devicePixelRatio;
  const width = canvas.width / scale;
  const sheet = document.createElement('canvas');
  const ctx = sheet.getContext('2d')!;
  const plain = `13px ${css.fontFamily}`;
  ctx.font = plain;
  const about = wrapped(ctx, meaning, width);
  // Legend items, as many in a row as fit.
  let x = 0;
  let row = 0;
  const placed = items.map((item) => {
    const wide = markWidth + gap + ctx.measureText(item.label).width;
    if (x > 0 && x + wide > width) {
      x = 0;
      row++;
    }
    const place = { item, x, row };
    x += wide + 2 * gap;
    return place;
  });
  const legendTop = margin + lineHeight * (1 + about.length);
  const plotTop = legendTop + lineHeight * (row + 1) + gap;
  // Setting a size clears what was set on the context.
  sheet.width = Math.ceil((width + 2 * margin) * scale);
  sheet.height = Math.ceil((plotTop + canvas.height / scale + margin) * scale);
  ctx.scale(scale, scale);
  ctx.fillStyle = color('--panel');
  ctx.fillRect(0, 0, sheet.width, sheet.height);
  ctx.textBaseline = 'middle';
  ctx.fillStyle = color('--text');
  ctx.font = `600 15px ${css.fontFamily}`;
  ctx.fillText(title, margin, margin + lineHeight / 2);
  ctx.font = plain;
  ctx.fillStyle = color('--text-soft');
  about.forEach((line, i) => {
    ctx.fillText(line, margin, margin + lineHeight * (i + 1.5));
  });
  for (const { item, x, row } of placed) {
    const left = margin + x;
    const y = legendTop + lineHeight * (row + 0.5);
    drawMark(ctx, item, color(item.color), left, y);
    ctx.fillStyle = color('--text');
    ctx.fillText(item.label, left + markWidth + gap, y);
  }
  ctx.drawImage(canvas, margin, plotTop, width, canvas.height / scale);
  return new Promise((resolve, reject) =>
    sheet.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(title)))),
  );
}

function drawMark(
  ctx: CanvasRenderingContext2D,
  { dash, look }: Pick<LegendItem, 'dash' | 'look'>,
  color: string,
  left: number,
  y: number,
): void {
  ctx.fillStyle = ctx.strokeStyle = color;
  if (look === 'area') {
    ctx.globalAlpha = 0.45;
    ctx.fillRect(left, y - 5, markWidth, 10);
    ctx.globalAlpha = 1;
    return;
  }
  ctx.lineWidth = 2;
  ctx.setLineDash([...dash]);
  ctx.beginPath();
  ctx.moveTo(left, y);
  ctx.lineTo(left + markWidth, y);
  ctx.stroke();
  ctx.setLineDash([]);
  if (look !== 'points') return;
  ctx.beginPath();
  ctx.arc(left + markWidth / 2, y, 3.5, 0, 2 * Math.PI);
  ctx.fill();
}

/** Lines of words that are no wider than `width`. */
function wrapped(ctx: CanvasRenderingContext2D, words: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && ctx.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
