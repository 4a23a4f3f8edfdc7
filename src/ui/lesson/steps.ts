/** The nine steps, in order: what each does on the page, and how it is checked. */
import * as checks from './checks.ts';
import type { Lesson } from './lesson-controller.ts';

export interface Step {
  readonly id: StepId;
  readonly drive: (lesson: Lesson) => Promise<void>;
  /** Whether it starts a run, so that one that goes on must stop. */
  readonly trains?: boolean;
  readonly check: checks.Check;
}

export type StepId =
  | 'group'
  | 'reward'
  | 'mask'
  | 'term'
  | 'hacking'
  | 'entropy'
  | 'difference'
  | 'home'
  | 'real';

export const STEPS: readonly Step[] = [
  { id: 'group', drive: (lesson) => lesson.train('group', 'rollouts', 1), trains: true, check: checks.group },
  {
    id: 'reward',
    drive: (lesson) => lesson.train('blind', 'rollouts', 1),
    trains: true,
    check: checks.reward,
  },
  { id: 'mask', drive: async (lesson) => lesson.lookAtMask(), check: checks.mask },
  { id: 'term', drive: (lesson) => lesson.train('papo', 'train'), trains: true, check: checks.term },
  { id: 'hacking', drive: (lesson) => lesson.train('hacked', 'train'), trains: true, check: checks.hacking },
  { id: 'entropy', drive: (lesson) => lesson.train('mended', 'train'), trains: true, check: checks.entropy },
  { id: 'difference', drive: (lesson) => lesson.compare(), check: checks.measured },
  { id: 'home', drive: async (lesson) => lesson.takeHome(), check: checks.home },
  { id: 'real', drive: (lesson) => lesson.goReal(), trains: true, check: checks.real },
];
