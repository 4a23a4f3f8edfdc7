/** What the lesson keeps across a reload. */
import type { LessonState } from './lesson-controller.ts';

const key = 'papo-web lesson';

export interface Memory {
  readonly lesson: Pick<LessonState, 'step' | 'met' | 'runs' | 'before'>;
  readonly isOpen: boolean;
}

export function kept(): Memory | undefined {
  try {
    return (JSON.parse(localStorage.getItem(key) ?? 'null') as Memory | null) ?? undefined;
  } catch {
    // Storage is denied, or holds what an older page wrote.
    return undefined;
  }
}

export function keep(memory: Memory): void {
  try {
    localStorage.setItem(key, JSON.stringify(memory));
  } catch {
    // Storage is denied: the lesson lasts as long as the page.
  }
}
