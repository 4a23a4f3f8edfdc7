import type { Problem } from '../worker/protocol.ts';
import type { Panel } from './panels.ts';

/** The panel on which a problem can be mended. */
export const panelOf = ({ field }: Problem): Panel => (field === 'rewards' ? 'reward' : 'train');

/** A start that a setting prevents puts the reader where the mistake is. */
export function focusFirstProblem(): void {
  // The panel is drawn in the next frame.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      const field = document.querySelector<HTMLElement>('[aria-invalid="true"]');
      for (let at = field?.closest('details'); at; at = at.parentElement?.closest('details')) at.open = true;
      field?.focus();
    }),
  );
}
