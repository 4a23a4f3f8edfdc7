/** A part of the page whose code is loaded when it is first shown, so that the first visit does not wait for it. */
import { type ComponentType, useCallback, useEffect, useState } from 'react';
import { messageOf } from '../core.ts';
import { text } from '../text.ts';

const t = text.messages;

export interface Later<P> {
  (props: P): React.ReactNode;
  /** Loads it before anybody asks; what fails here is tried again when it is shown. */
  readonly preload: () => void;
}

export function later<P extends object>(load: () => Promise<ComponentType<P>>): Later<P> {
  let Part: ComponentType<P> | undefined;
  const fetchPart = async () => {
    Part ??= await load();
  };

  // biome-ignore lint/correctness/noComponentHookFactories: called once for each part, outside of any component
  function Shown(props: P) {
    const [, draw] = useState(0);
    const [problem, setProblem] = useState<string>();
    const ask = useCallback(() => {
      setProblem(undefined);
      fetchPart().then(
        () => draw((times) => times + 1),
        (error: unknown) => setProblem(messageOf(error)),
      );
    }, []);
    useEffect(() => {
      if (!Part) ask();
    }, [ask]);
    if (Part) return <Part {...props} />;
    if (problem === undefined)
      return (
        <p className="panel hint" role="status">
          {t.loadingPanel}
        </p>
      );
    return (
      <div className="error-box" role="alert">
        <p>{t.panelFailed(problem)}</p>
        <div>
          <button type="button" onClick={ask}>
            {t.tryAgain}
          </button>
        </div>
      </div>
    );
  }

  return Object.assign(Shown, { preload: () => void fetchPart().catch(() => undefined) });
}

/** Loads these when the browser has nothing better to do. */
export function preloadWhenIdle(parts: readonly { readonly preload: () => void }[]): void {
  const all = () => {
    for (const { preload } of parts) preload();
  };
  // Safari has no idle callbacks.
  if ('requestIdleCallback' in window) requestIdleCallback(all);
  else setTimeout(all, 1000);
}
