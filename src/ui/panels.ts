/** The page's panels, in the order of the navigation. Their names stand in links. */
export const PANELS = [
  'train',
  'rollouts',
  'look',
  'evaluate',
  'try',
  'compare',
  'runs',
  'data',
  'reward',
] as const;
export type Panel = (typeof PANELS)[number];

export const isPanel = (name: string | null): name is Panel => PANELS.some((panel) => panel === name);
