/** Statistics of questions and answers: what the answers are, and how far guessing gets without looking. */
import type { CountOf, DataStatistics, KindStatistics } from './data-protocol.ts';

/** One question as it is counted. */
export interface CountedQuestion {
  readonly answer: string | null;
  readonly kind?: string;
  readonly visionDependency?: string;
  /** Tokens of its prompt, where a model is loaded. */
  readonly promptTokens?: number;
}

/** Answers of one kind that are listed. */
const listedAnswers = 16;

class Counter {
  private readonly counts = new Map<string, number>();

  add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /** Most frequent first; equally frequent ones by name. */
  sorted(): CountOf[] {
    return [...this.counts]
      .map(([name, count]) => ({ name, count }))
      .sort((a, b) => b.count - a.count || a.name.localeCompare(b.name, 'en', { numeric: true }));
  }
}

export class Tally {
  private questions = 0;
  private readonly kinds = new Map<string | null, { answers: Counter; withoutAnswer: number; all: number }>();
  private readonly dependencies = new Counter();
  private readonly lengths: number[] = [];

  add({ answer, kind, visionDependency, promptTokens }: CountedQuestion): void {
    this.questions++;
    const name = kind ?? null;
    const known = this.kinds.get(name) ?? { answers: new Counter(), withoutAnswer: 0, all: 0 };
    this.kinds.set(name, known);
    known.all++;
    if (answer === null) known.withoutAnswer++;
    else known.answers.add(answer);
    if (visionDependency !== undefined) this.dependencies.add(visionDependency);
    if (promptTokens !== undefined) this.lengths.push(promptTokens);
  }

  result(isSample: boolean): DataStatistics {
    const kinds = [...this.kinds].map(([kind, { answers, withoutAnswer, all }]): KindStatistics => {
      const sorted = answers.sorted();
      return {
        kind,
        questions: all,
        answers: sorted.slice(0, listedAnswers),
        distinct: sorted.length,
        withoutAnswer,
      };
    });
    kinds.sort((a, b) => b.questions - a.questions);
    const answered = kinds.reduce((sum, kind) => sum + kind.questions - kind.withoutAnswer, 0);
    const guessed = kinds.reduce((sum, kind) => sum + (kind.answers[0]?.count ?? 0), 0);
    const lengths = this.lengths.toSorted((a, b) => a - b);
    return {
      questions: this.questions,
      isSample,
      kinds,
      guessing: answered > 0 ? guessed / answered : null,
      dependencies: this.dependencies.sorted(),
      promptTokens:
        lengths.length > 0
          ? { least: lengths[0], median: lengths[(lengths.length - 1) >> 1], most: lengths.at(-1)! }
          : null,
    };
  }
}
