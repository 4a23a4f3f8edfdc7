import { Tabs } from 'radix-ui';
import { type ComponentType, useEffect, useRef, useSyncExternalStore } from 'react';
import { DropZone } from './data/files.tsx';
import { LiveRegion } from './live-region.tsx';
import { Messages } from './messages.tsx';
import { PANELS, type Panel } from './panels.ts';
import { later, preloadWhenIdle } from './parts/later.tsx';
import { DeletedRuns } from './runs/deleted.tsx';
import type { Session } from './session.ts';
import { useShortcuts } from './shortcuts.ts';
import type { State } from './state.ts';
import { text } from './text.ts';
import { TopBar } from './top-bar.tsx';
import { RunBar } from './train/run-bar.tsx';
import { TrainPanel } from './train/train-panel.tsx';

interface PanelProps {
  readonly session: Session;
  readonly state: State;
}

/** All but the first panel: loaded once the model is, or when they are shown before. */
const others = {
  rollouts: later<PanelProps>(async () => (await import('./rollouts/rollouts-panel.tsx')).RolloutsPanel),
  look: later<PanelProps>(async () => (await import('./look/look-panel.tsx')).LookPanel),
  evaluate: later<PanelProps>(async () => (await import('./evaluate/evaluate-panel.tsx')).EvaluatePanel),
  try: later<PanelProps>(async () => (await import('./try-it/try-it-panel.tsx')).TryPanel),
  compare: later<PanelProps>(async () => (await import('./compare/compare-panel.tsx')).ComparePanel),
  runs: later<PanelProps>(async () => (await import('./runs/runs-panel.tsx')).RunsPanel),
  data: later<PanelProps>(async () => (await import('./data/data-panel.tsx')).DataPanel),
  reward: later<PanelProps>(async () => (await import('./reward/reward-panel.tsx')).RewardPanel),
};
const panels: Readonly<Record<Panel, ComponentType<PanelProps>>> = { train: TrainPanel, ...others };
const Lesson = later<PanelProps>(async () => (await import('./lesson/lesson.tsx')).Lesson);
const DatasetDialog = later(async () => (await import('./data/dataset-dialog.tsx')).DatasetDialog);

export function App({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  useShortcuts(session);
  const Shown = panels[state.panel];
  const isLoaded = state.loaded !== undefined;
  useEffect(() => {
    if (isLoaded) preloadWhenIdle([...Object.values(others), Lesson, DatasetDialog]);
  }, [isLoaded]);
  // On a phone the tabs are wider than the screen, and a link may open any of them.
  const tabs = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when another panel is shown
  useEffect(() => {
    const tab = tabs.current?.querySelector('[data-state="active"]');
    tab?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [state.panel]);
  return (
    <Tabs.Root
      className="app"
      value={state.panel}
      activationMode="manual"
      onValueChange={(panel) => session.goTo(panel as Panel)}
    >
      <a className="skip" href="#panel">
        {text.shell.skip}
      </a>
      <TopBar session={session} state={state} />
      <nav aria-label={text.shell.navigation}>
        <Tabs.List ref={tabs} className="tabs" aria-label={text.shell.navigation}>
          {PANELS.map((panel) => (
            <Tabs.Trigger className="tab" key={panel} value={panel}>
              {text.shell.panels[panel]}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
      </nav>
      <main id="panel">
        <Messages session={session} state={state} />
        <RunBar session={session} state={state} />
        <Tabs.Content className="shown" value={state.panel}>
          <Shown session={session} state={state} />
        </Tabs.Content>
      </main>
      {state.lessonIsOpen && <Lesson session={session} state={state} />}
      {state.offered && <DatasetDialog view={state.offered} session={session} />}
      <DropZone session={session} />
      <DeletedRuns session={session} />
      <LiveRegion state={state} />
    </Tabs.Root>
  );
}
