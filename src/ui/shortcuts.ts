/** Space starts, pauses and goes on; → makes one step; esc stops. Keys that a control or a dialog needs stay its own. */
import { useEffect } from 'react';
import type { Session } from './session.ts';
import { isGoing } from './state.ts';

const controls =
  'a[href], button, input, select, textarea, summary, [contenteditable], [role=tab], [role=slider], [role=switch], ' +
  '[role=radio], [role=menuitem], [tabindex]:not([tabindex="-1"])';

export function useShortcuts(session: Session): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      // A dialog is open, or a panel fills the screen: its keys are its own.
      if (document.querySelector('dialog[open]') || document.fullscreenElement) return;
      const action = actionOf(event.key, session);
      if (!action) return;
      const isControl = event.target instanceof Element && event.target.closest(controls) !== null;
      if (isControl && !(event.key === 'Escape' && !isTyping(event.target as Element))) return;
      event.preventDefault();
      // Held down it would start and pause in turns.
      if (!event.repeat) action();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [session]);
}

const isTyping = (target: Element) => target.closest('input, select, textarea, [contenteditable]') !== null;

function actionOf(key: string, session: Session): (() => void) | undefined {
  const { run, loaded, loading, pending } = session.state;
  const isFree = loaded !== undefined && loading === undefined && pending === undefined;
  if (key === ' ' && isFree) {
    if (run === 'running') return () => void session.pause();
    if (run === 'paused') return () => void session.resume();
    return () => void session.begin(() => session.start());
  }
  if (key === 'ArrowRight' && isFree && run !== 'running')
    return () => void session.begin(() => session.step());
  if (key === 'Escape' && isGoing(session.state) && pending !== 'stop') return () => void session.stop();
  return undefined;
}
