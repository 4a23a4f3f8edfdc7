/** All numbers of the runs as CSV (RFC 4180), each as it was recorded: wide, a row a step, or long, a row a value. */
import type { History } from './history.ts';

export type CsvForm = 'wide' | 'long';

interface NamedRun {
  readonly name: string;
  readonly history: History;
}

/** Rows a piece. */
const pieceRows = 500;
/** As long as the page may stand still. */
const sliceMs = 10;

/** The file piece by piece, each with the share that is done. */
export function* csvPieces(
  runs: readonly NamedRun[],
  form: CsvForm,
): Generator<{ text: string; done: number }> {
  const names = [...new Set(runs.flatMap(({ history }) => [...history.columns.keys()]))];
  yield {
    text: line(form === 'wide' ? ['run', 'step', ...names] : ['run', 'step', 'metric', 'value']),
    done: 0,
  };
  const total = runs.reduce((sum, { history }) => sum + history.steps.length, 0);
  let written = 0;
  for (const { name, history } of runs) {
    // It may grow meanwhile.
    const rows = history.steps.length;
    const columns = names.map((metric) => history.columns.get(metric));
    for (let row = 0; row < rows; ) {
      let text = '';
      for (const end = Math.min(rows, row + pieceRows); row < end; row++, written++) {
        const values = columns.map((column) => column?.at(row) ?? null);
        // Nothing was measured before the first step.
        if (values.every((value) => value === null)) continue;
        const step = String(history.steps[row]);
        if (form === 'wide') text += line([name, step, ...values.map((v) => (v === null ? '' : String(v)))]);
        else
          values.forEach((value, i) => {
            if (value !== null) text += line([name, step, names[i], String(value)]);
          });
      }
      yield { text, done: written / total };
    }
  }
}

/** The whole file, made without the page standing still. Ends early, with nothing, where `signal` says so. */
export async function csvFile(
  runs: readonly NamedRun[],
  form: CsvForm,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Blob | undefined> {
  const parts: Blob[] = [];
  let began = performance.now();
  for (const { text, done } of csvPieces(runs, form)) {
    parts.push(new Blob([text]));
    if (performance.now() - began < sliceMs) continue;
    onProgress(done);
    await new Promise((resolve) => setTimeout(resolve));
    if (signal.aborted) return undefined;
    began = performance.now();
  }
  return new Blob(parts, { type: 'text/csv' });
}

const line = (cells: readonly string[]) => `${cells.map(cell).join(',')}\r\n`;

const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
