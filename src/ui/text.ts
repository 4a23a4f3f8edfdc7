/**
 * Every word that the page says, in one place: to translate it, write a second object of this shape. Sentences with
 * something to fill in are functions, so that a translation can order the parts its own way. What the trainer itself
 * says (settings' meanings, errors) comes from the worker; see docs/architecture.md.
 */
export const text = {
  /** The frame around the panels. */
  shell: {
    name: 'papo-web',
    skip: 'Skip to the panel',
    navigation: 'Panels',
    lesson: 'Lesson',
    panels: {
      train: 'Train',
      rollouts: 'Rollouts',
      look: 'Look',
      evaluate: 'Evaluate',
      try: 'Try it',
      compare: 'Compare',
      runs: 'Runs',
      data: 'Data',
      reward: 'Reward',
    },
    theme: { label: 'Colours', system: 'as the system', light: 'light', dark: 'dark' },
    about: 'Trains a small vision-language model on your machine, in this page, with PAPO:',
    paper: 'Perception-Aware Policy Optimization',
    stays: 'Nothing leaves it unless you push it.',
    copyLink: 'Copy link',
    linkCopied: 'Link copied',
    keys: 'Keys: space starts, pauses and goes on; → makes one step; esc stops.',
  },
  /** Messages of the session itself. */
  session: {
    linkUnknown: (name: string, part: string) =>
      `The link asks for "${name}", which is none of the ${part} here.`,
    linkParts: { presets: 'presets', tasks: 'tasks', rewards: 'rewards' },
  },
  train: {
    run: 'Run',
    start: 'Train with PAPO',
    startAgain: 'Train again from the start',
    pause: 'Pause',
    goOn: 'Go on',
    singleStep: 'Single step',
    stop: 'Stop',
    saveNow: 'Save now',
  },
  curves: {},
  rollouts: {},
  look: {},
  evaluate: {},
  tryIt: {},
  compare: {},
  runs: {},
  data: {},
  reward: {},
  lesson: {},
} as const;
