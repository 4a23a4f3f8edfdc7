/** What holds for all charts: smoothing, the log axis, which are shown, the zoom, and the numbers as a file. */
import { DropdownMenu, Slider, Switch } from 'radix-ui';
import { useEffect, useId, useRef, useState } from 'react';
import { duration, percent } from '../parts/format.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import { CHARTS } from './charts.ts';
import { type CsvForm, csvFile } from './csv.ts';
import type { DrawnRun } from './drawn-run.ts';
import { save } from './save.ts';
import type { ChartsView } from './view.ts';

const words = text.curves;
/** Weights: the more, the finer. */
const most = 0.99;

export function Toolbar({ runs, view }: { runs: readonly DrawnRun[]; view: ChartsView }) {
  const { zoom } = useStore(view.store);
  return (
    <div className="curves-bar" role="toolbar" aria-label={words.toolbar}>
      <Smoothing view={view} />
      <LogAxis view={view} />
      <WhichCharts view={view} />
      <span className="buttons small">
        <button type="button" onClick={() => view.zoomBy(0.5)}>
          {words.zoomIn}
        </button>
        <button type="button" disabled={!zoom} onClick={() => view.zoomBy(2)}>
          {words.zoomOut}
        </button>
        <button type="button" disabled={!zoom} onClick={() => view.resetZoom()}>
          {words.resetZoom}
        </button>
      </span>
      <Csv runs={runs} />
      {zoom && (
        <span className="hint" role="status">
          {words.zoomed(String(Math.ceil(zoom[0])), String(Math.floor(zoom[1])))}
        </span>
      )}
    </div>
  );
}

function Smoothing({ view }: { view: ChartsView }) {
  const { smoothing } = useStore(view.store);
  const id = useId();
  return (
    <span className="smoothing" title={words.smoothingHint}>
      <span id={id}>{words.smoothing}</span>
      <Slider.Root
        className="slider"
        min={0}
        max={most}
        step={0.01}
        value={[smoothing]}
        onValueChange={([value]) => view.store.set({ smoothing: value })}
      >
        <Slider.Track className="slider-track">
          <Slider.Range className="slider-range" />
        </Slider.Track>
        <Slider.Thumb className="slider-thumb" aria-labelledby={id} />
      </Slider.Root>
      <output>{smoothing === 0 ? words.smoothingOff : smoothing.toFixed(2)}</output>
    </span>
  );
}

function LogAxis({ view }: { view: ChartsView }) {
  const { isLog } = useStore(view.store);
  const id = useId();
  return (
    <span className="switch-row">
      <Switch.Root
        className="switch"
        id={id}
        checked={isLog}
        onCheckedChange={(checked) => view.store.set({ isLog: checked })}
      >
        <Switch.Thumb className="switch-thumb" />
      </Switch.Root>
      <label htmlFor={id}>{words.log}</label>
    </span>
  );
}

function WhichCharts({ view }: { view: ChartsView }) {
  const { hidden } = useStore(view.store);
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className="small-button">{words.shown}</DropdownMenu.Trigger>
      <DropdownMenu.Content className="menu" align="start" aria-label={words.shownLabel}>
        {CHARTS.map(({ id, title }) => (
          <DropdownMenu.CheckboxItem
            className="menu-item"
            key={id}
            checked={!hidden.includes(id)}
            // It stays open: one seldom wants to change just one.
            onSelect={(event) => event.preventDefault()}
            onCheckedChange={(isShown) =>
              view.store.set({
                hidden: isShown ? hidden.filter((one) => one !== id) : [...hidden, id],
              })
            }
          >
            <span className="tick" aria-hidden="true" />
            {title}
          </DropdownMenu.CheckboxItem>
        ))}
      </DropdownMenu.Content>
    </DropdownMenu.Root>
  );
}

function Csv({ runs }: { runs: readonly DrawnRun[] }) {
  const [progress, setProgress] = useState<{ share: number; secondsLeft: number | null }>();
  const stop = useRef<AbortController>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const write = async (form: CsvForm) => {
    const own = new AbortController();
    stop.current = own;
    const began = performance.now();
    const onProgress = (share: number) => {
      const seconds = (performance.now() - began) / 1000;
      setProgress({ share, secondsLeft: seconds > 1 && share > 0 ? (seconds / share) * (1 - share) : null });
    };
    const file = await csvFile(runs, form, onProgress, own.signal);
    setProgress(undefined);
    if (file) save(file, `${words.csvName}.csv`);
  };
  if (progress)
    return (
      <span className="csv-progress">
        <progress aria-label={words.csvProgress} max={1} value={progress.share} />
        {words.writing(
          percent(progress.share),
          progress.secondsLeft === null ? null : duration(progress.secondsLeft),
        )}
        <button type="button" className="small-button" onClick={() => stop.current?.abort()}>
          {words.cancel}
        </button>
      </span>
    );
  return (
    <span className="buttons small">
      <button type="button" onClick={() => void write('wide')}>
        {words.csvWide}
      </button>
      <button type="button" onClick={() => void write('long')}>
        {words.csvLong}
      </button>
    </span>
  );
}
