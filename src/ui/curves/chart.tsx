/** One chart: its name, its legend with the numbers at the cursor, its plot, and what can be done with it. */
import { type KeyboardEvent, memo, useEffect, useRef, useSyncExternalStore } from 'react';
import { short } from '../parts/format.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import type { ChartDef, ChartLine } from './charts.ts';
import { type DrawnRun, type LegendItem, legendOf, markOf } from './drawn-run.ts';
import { Plot } from './plot.ts';
import { chartPng } from './png.ts';
import { save } from './save.ts';
import { lastOf } from './source.ts';
import type { ChartsView } from './view.ts';

const words = text.curves;

interface ChartProps {
  chart: ChartDef;
  runs: readonly DrawnRun[];
  view: ChartsView;
}

export const Chart = memo(function Chart({ chart, runs, view }: ChartProps) {
  const { isLog } = useStore(view.store);
  const figure = useRef<HTMLElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const step = useRef<HTMLSpanElement>(null);
  const note = useRef<HTMLParagraphElement>(null);
  const plot = useRef<Plot>(null);
  useEffect(() => {
    const made = new Plot(chart, view, {
      box: box.current!,
      values: () => [...figure.current!.querySelectorAll<HTMLElement>('.key b')],
      step: step.current!,
      note: note.current!,
    });
    plot.current = made;
    return () => made.destroy();
  }, [chart, view]);
  useEffect(() => plot.current!.show(runs), [runs]);

  const legend = legendOf(chart, runs);
  const hasRun = runs.some(({ history }) => history.steps.length > 1);
  const isAbsent = hasRun && legend.every(({ run, line }) => lastOf(run.history, line.source) === null);
  return (
    <figure className="chart" ref={figure}>
      <figcaption>
        <div className="chart-head">
          <strong>{chart.title}</strong>
          <span className="hint" ref={step} />
          <Buttons
            chart={chart}
            figure={figure}
            onPng={() => void savePicture(chart, legend, figure.current!, plot.current!)}
          />
        </div>
        <p className="hint">{chart.meaning}</p>
        {runs.map((run) => (
          <ul className="key" key={run.id}>
            {legend
              .filter((item) => item.run === run)
              .map((item) => (
                <li key={item.line.source.key}>
                  <LegendMark item={item} /> {runs.length > 1 && `${markOf(run)} `}
                  {item.line.label}
                  {/* The plot writes the numbers: they follow the pointer. */} <b />
                </li>
              ))}
          </ul>
        ))}
      </figcaption>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form */}
      <div
        className="plot-keys"
        role="group"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes keys
        tabIndex={0}
        aria-label={words.keys(chart.title)}
        onKeyDown={(event) => onKey(event, view)}
      >
        <div ref={box} className="plot" role="img" aria-label={plotLabel(chart, runs)} />
      </div>
      {isAbsent && chart.absent && <p className="absent">{chart.absent}</p>}
      <p className="hint" ref={note} hidden>
        {words.notOnLog}
      </p>
      {isLog && !chart.canLog && <p className="hint">{words.noLog}</p>}
      {chart.isStack && runs.length > 1 && <p className="hint">{words.othersAsLines}</p>}
    </figure>
  );
});

function Buttons({
  chart: { title },
  figure,
  onPng,
}: {
  chart: ChartDef;
  figure: React.RefObject<HTMLElement | null>;
  onPng: () => void;
}) {
  const isFull = useSyncExternalStore(
    (listener) => {
      document.addEventListener('fullscreenchange', listener);
      return () => document.removeEventListener('fullscreenchange', listener);
    },
    () => figure.current !== null && document.fullscreenElement === figure.current,
  );
  return (
    <span className="chart-buttons">
      <button type="button" aria-label={words.pngOf(title)} onClick={onPng}>
        {words.png}
      </button>
      {document.fullscreenEnabled && (
        <button
          type="button"
          aria-label={isFull ? words.leaveFull : words.fullOf(title)}
          onClick={() =>
            void (isFull ? document.exitFullscreen() : figure.current!.requestFullscreen()).catch(() => {
              // The browser refuses: the chart stays as it is.
            })
          }
        >
          {isFull ? words.leaveFull : words.full}
        </button>
      )}
    </span>
  );
}

export function LegendMark({
  item: { color, dash, look },
}: {
  item: Pick<LegendItem, 'color' | 'dash' | 'look'>;
}) {
  return (
    <svg className="mark" viewBox="0 0 22 10" aria-hidden="true" style={{ color: `var(${color})` }}>
      {look === 'area' ? (
        <rect width="22" height="10" fill="currentColor" fillOpacity="0.45" />
      ) : (
        <line
          x2="22"
          y1="5"
          y2="5"
          stroke="currentColor"
          strokeWidth="2"
          strokeDasharray={dash.join(' ') || undefined}
        />
      )}
      {look === 'points' && <circle cx="11" cy="5" r="3.5" fill="currentColor" />}
    </svg>
  );
}

const listed = (run: DrawnRun, lines: readonly ChartLine[]) =>
  lines.map(({ label, source }) => words.value(label, short(lastOf(run.history, source)))).join(', ');

function plotLabel({ title, lines, spread = [] }: ChartDef, runs: readonly DrawnRun[]): string {
  const [first] = runs;
  const steps = ({ history }: DrawnRun) => history.steps[history.steps.length - 1];
  if (runs.length === 1) return words.plot(title, steps(first), listed(first, lines), listed(first, spread));
  return words.plotOfRuns(
    title,
    runs.map((run) => ({ name: run.name, steps: steps(run), lasts: listed(run, [...lines, ...spread]) })),
  );
}

const actions: ReadonlyMap<string, (view: ChartsView) => void> = new Map([
  ['+', (view) => view.zoomBy(0.5)],
  ['=', (view) => view.zoomBy(0.5)],
  ['-', (view) => view.zoomBy(2)],
  ['ArrowLeft', (view) => view.pan(-0.2)],
  ['ArrowRight', (view) => view.pan(0.2)],
  ['0', (view) => view.resetZoom()],
]);

function onKey(event: KeyboardEvent, view: ChartsView): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const action = actions.get(event.key);
  if (!action) return;
  // The page's own keys are others.
  event.preventDefault();
  event.stopPropagation();
  action(view);
}

async function savePicture(
  { title, meaning, id }: ChartDef,
  legend: readonly LegendItem[],
  figure: HTMLElement,
  { canvas }: Plot,
): Promise<void> {
  if (!canvas) return;
  const values = [...figure.querySelectorAll('.key b')].map(({ textContent }) => textContent);
  const items = legend.map((item, i) => {
    const label = words.value(item.line.label, values[i]);
    return {
      ...item,
      label: legend.some(({ run }) => run !== item.run)
        ? words.marked(markOf(item.run), `${item.run.name}, ${label}`)
        : label,
    };
  });
  save(await chartPng({ title, meaning, items, canvas, figure }), `${id}.png`);
}
