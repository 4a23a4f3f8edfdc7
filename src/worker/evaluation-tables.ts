/** What comes of an evaluation: its numbers with their intervals, and every answer as a table. */
import type { Evaluation } from '../data/evaluate.ts';
import { shareDifference, shareInterval } from '../data/statistics.ts';
import type { EvaluationRow, EvaluationView } from './evaluation-protocol.ts';

/** One subject's answers to all questions in one view. */
export interface Cell {
  readonly subject: number;
  readonly view: EvaluationView;
  readonly evaluation: Evaluation;
}

const columns = ['kind', 'vision_dependency'] as const;
const dependencies = ['low', 'medium', 'high'];
const causes = ['perception', 'reasoning', 'format'] as const;

/** Rows by view: all questions, by kind, by vision dependency, errors by cause. */
export function evaluationRows(cells: readonly Cell[], subjects: number, samples: number): EvaluationRow[] {
  const views = [...new Set(cells.map(({ view }) => view))];
  return views.flatMap((view) => {
    const own = cells.filter((cell) => cell.view === view).sort((a, b) => a.subject - b.subject);
    const row = (
      by: EvaluationRow['by'],
      name: string,
      shares: (evaluation: Evaluation) => number[],
    ): EvaluationRow => {
      const lists = own.map(({ evaluation }) => shares(evaluation));
      const difference =
        subjects === 2 ? shareDifference(lists[1].map((share, i) => share - lists[0][i])) : null;
      return { by, name, view, values: lists.map((list) => shareInterval(list, samples)), difference };
    };
    const { rows, errors } = own[0].evaluation;
    const hasAnswers = rows.some(({ answer }) => answer !== null);
    return [
      ...(hasAnswers ? [row('all', '', (e) => rightShares(e, samples, () => true))] : []),
      ...columns.flatMap((column) =>
        namesOf(own[0].evaluation, column).map((name) =>
          row(column, name, (e) => rightShares(e, samples, (i) => e.rows[i].columns[column] === name)),
        ),
      ),
      ...(errors
        ? causes.map((cause) =>
            row('error', cause, (e) => shares(e, samples, (n) => e.errors?.[n] === cause)),
          )
        : []),
    ];
  });
}

/** Of each question, the share of its samples for which `test` holds. */
function shares({ rows }: Evaluation, samples: number, test: (n: number) => boolean): number[] {
  return rows.map((_, i) => {
    let count = 0;
    for (let k = 0; k < samples; k++) if (test(i * samples + k)) count++;
    return count / samples;
  });
}

/** The share of right samples of each question that has an answer and is wanted. */
const rightShares = (evaluation: Evaluation, samples: number, wanted: (i: number) => boolean) =>
  shares(evaluation, samples, (n) => evaluation.correct[n] === true).filter(
    (_, i) => evaluation.rows[i].answer !== null && wanted(i),
  );

function namesOf({ rows }: Evaluation, column: (typeof columns)[number]): string[] {
  const names = rows.flatMap(({ answer, columns: all }) => {
    const name = all[column];
    return answer !== null && typeof name === 'string' ? [name] : [];
  });
  const order = (name: string) => dependencies.indexOf(name);
  return [...new Set(names)].sort((a, b) => order(a) - order(b) || a.localeCompare(b));
}

/** One line an answer, as RFC 4180 has it. */
export function answersCsv(cells: readonly Cell[], samples: number): string[] {
  const head = 'subject,view,question,kind,vision_dependency,prompt,answer,sample,completion,correct,error';
  const lines = cells.flatMap(({ subject, view, evaluation: { rows, completions, correct, errors } }) =>
    completions.texts.map((text, n) => {
      const { id, prompt, answer, columns: all } = rows[Math.floor(n / samples)];
      return [
        subject + 1,
        view,
        id,
        all.kind,
        all.vision_dependency,
        prompt,
        answer,
        (n % samples) + 1,
        text,
        correct[n],
        errors?.[n],
      ]
        .map(csvField)
        .join(',');
    }),
  );
  return [head, ...lines].map((line) => `${line}\r\n`);
}

function csvField(value: unknown): string {
  const text = value === null || value === undefined ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
