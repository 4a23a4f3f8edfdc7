/** A board to draw on, in the model's own pixels: brushes and the world's shapes, by pointer or by keyboard. */
import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useId,
  useRef,
  useState,
} from 'react';
import type { ImageView } from '../../worker/protocol.ts';
import { text } from '../text.ts';
import {
  type Color,
  colorOf,
  colors,
  Drawing,
  gridSize,
  type Ink,
  type Point,
  type Shape,
  shapes,
} from './drawing.ts';

const t = text.tryIt.draw;

/** In pixels of a picture of 64. */
const brushes = [1, 2, 4, 8];
type Tool = { readonly brush: number } | { readonly shape: Shape };

export function DrawBoard({
  side,
  picture,
  onDraw,
}: {
  side: number;
  picture: ImageView | undefined;
  onDraw: (image: ImageView) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawing = useRef<Drawing>(undefined);
  const shown = useRef<ImageView>(undefined);
  const [ink, setInk] = useState<Ink>('red');
  const [tool, setTool] = useState<Tool>({ shape: 'circle' });
  const [cell, setCell] = useState<number>();
  const [canUndo, setCanUndo] = useState(false);
  const last = useRef<Point>(undefined);
  const help = useId();

  const paint = () => {
    const board = drawing.current;
    if (!board) return;
    const { data } = board.view();
    canvas.current?.getContext('2d')?.putImageData(new ImageData(data, side, side), 0, 0);
  };
  /** The picture is what stands on the board. */
  const hand = () => {
    const board = drawing.current;
    if (!board) return;
    paint();
    setCanUndo(board.canUndo);
    shown.current = board.view();
    onDraw(shown.current);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: another picture, or another model
  useEffect(() => {
    if (picture !== undefined && picture === shown.current) return;
    drawing.current = new Drawing(side, picture);
    if (picture) {
      shown.current = picture;
      setCanUndo(false);
      paint();
    } else hand();
  }, [side, picture]);

  const change = (work: (board: Drawing) => void) => {
    if (drawing.current) work(drawing.current);
    hand();
  };
  const stamp = (board: Drawing, at: number) => {
    board.begin();
    if ('shape' in tool) board.stamp(at, tool.shape, ink);
    else {
      const middle = (index: number) => (index + 0.5) * board.cellSide;
      const point = { x: middle(at % gridSize), y: middle(Math.floor(at / gridSize)) };
      board.stroke(point, point, ink, (tool.brush * side) / 64);
    }
  };
  const pointOf = ({ clientX, clientY, currentTarget }: PointerEvent<HTMLElement>): Point => {
    const { left, top, width, height } = currentTarget.getBoundingClientRect();
    return { x: ((clientX - left) / width) * side, y: ((clientY - top) / height) * side };
  };
  const onPointerDown = (event: PointerEvent<HTMLCanvasElement>) => {
    const board = drawing.current;
    if (!board || event.button !== 0) return;
    const point = pointOf(event);
    setCell(undefined);
    if ('shape' in tool) return change(() => stamp(board, board.cellAt(point)));
    event.currentTarget.setPointerCapture(event.pointerId);
    board.begin();
    board.stroke(point, point, ink, (tool.brush * side) / 64);
    last.current = point;
    paint();
  };
  const onPointerMove = (event: PointerEvent<HTMLCanvasElement>) => {
    if (!last.current || !('brush' in tool)) return;
    const point = pointOf(event);
    drawing.current?.stroke(last.current, point, ink, (tool.brush * side) / 64);
    last.current = point;
    paint();
  };
  const onPointerUp = () => {
    if (!last.current) return;
    last.current = undefined;
    hand();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = cell ?? 0;
    const moves: Readonly<Record<string, number>> = {
      ArrowLeft: at % gridSize === 0 ? 0 : -1,
      ArrowRight: at % gridSize === gridSize - 1 ? 0 : 1,
      ArrowUp: at < gridSize ? 0 : -gridSize,
      ArrowDown: at >= gridSize * (gridSize - 1) ? 0 : gridSize,
    };
    if (event.key in moves) setCell(cell === undefined ? 0 : at + moves[event.key]);
    else if (event.key === 'Enter' || event.key === ' ') change((board) => stamp(board, at));
    else if (event.key === 'Delete' || event.key === 'Backspace')
      change((board) => {
        board.begin();
        board.empty(at);
      });
    else return;
    event.preventDefault();
    if (cell === undefined) setCell(at);
  };

  return (
    <div className="draw">
      <div className="draw-board">
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: drawn on with the pointer and with keys of its own */}
        <canvas
          ref={canvas}
          className="picture"
          width={side}
          height={side}
          role="application"
          tabIndex={0}
          aria-label={t.board}
          aria-describedby={help}
          onPointerDown={onPointerDown}
          onPointerMove={onPointerMove}
          onPointerUp={onPointerUp}
          onPointerCancel={onPointerUp}
          onKeyDown={onKeyDown}
          onBlur={() => setCell(undefined)}
        />
        {cell !== undefined && (
          <span
            className="draw-cursor"
            style={{
              left: `${(100 / gridSize) * (cell % gridSize)}%`,
              top: `${(100 / gridSize) * Math.floor(cell / gridSize)}%`,
              width: `${100 / gridSize}%`,
              height: `${100 / gridSize}%`,
            }}
          />
        )}
        <p className="visually-hidden" aria-live="polite">
          {cell !== undefined && t.cell(cell + 1)}
        </p>
      </div>
      <Choices label={t.color}>
        {([...colors, 'ground'] as const).map((color) => (
          <button
            key={color}
            type="button"
            className="ink"
            aria-pressed={ink === color}
            title={t.colors[color]}
            onClick={() => setInk(color)}
          >
            <span
              className={color === 'ground' ? 'ink-color ground' : 'ink-color'}
              style={color === 'ground' ? undefined : { background: colorOf(color as Color) }}
            />
            <span className="visually-hidden">{t.colors[color]}</span>
          </button>
        ))}
      </Choices>
      <Choices label={t.tool}>
        {shapes.map((shape) => (
          <button
            key={shape}
            type="button"
            aria-pressed={'shape' in tool && tool.shape === shape}
            onClick={() => setTool({ shape })}
          >
            {t.shapes[shape]}
          </button>
        ))}
        {brushes.map((brush) => (
          <button
            key={brush}
            type="button"
            className="ink"
            aria-pressed={'brush' in tool && tool.brush === brush}
            title={t.brush(brush)}
            onClick={() => setTool({ brush })}
          >
            <span className="brush" style={{ width: `${4 + 2 * brush}px`, height: `${4 + 2 * brush}px` }} />
            <span className="visually-hidden">{t.brush(brush)}</span>
          </button>
        ))}
      </Choices>
      <div className="buttons small">
        <button type="button" disabled={!canUndo} onClick={() => change((board) => board.undo())}>
          {t.undo}
        </button>
        <button type="button" onClick={() => change((board) => board.clear(false))}>
          {t.clearLight}
        </button>
        <button type="button" onClick={() => change((board) => board.clear(true))}>
          {t.clearDark}
        </button>
      </div>
      <p className="hint" id={help}>
        {t.boardHelp}
      </p>
    </div>
  );
}

function Choices({ label, children }: { label: string; children: ReactNode }) {
  return (
    <fieldset className="draw-choices">
      <legend className="field-label">{label}</legend>
      <div className="buttons small">{children}</div>
    </fieldset>
  );
}
