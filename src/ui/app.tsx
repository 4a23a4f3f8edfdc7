import { Tabs } from 'radix-ui';
import { type ComponentType, useSyncExternalStore } from 'react';
import { ComparePanel } from './compare/compare-panel.tsx';
import { DataPanel } from './data/data-panel.tsx';
import { DatasetDialog } from './data/dataset-dialog.tsx';
import { DropZone } from './data/files.tsx';
import { EvaluatePanel } from './evaluate/evaluate-panel.tsx';
import { Lesson } from './lesson/lesson.tsx';
import { LiveRegion } from './live-region.tsx';
import { LookPanel } from './look/look-panel.tsx';
import { Messages } from './messages.tsx';
import { PANELS, type Panel } from './panels.ts';
import { RewardPanel } from './reward/reward-panel.tsx';
import { RolloutsPanel } from './rollouts/rollouts-panel.tsx';
import { RunsPanel } from './runs/runs-panel.tsx';
import type { Session } from './session.ts';
import { useShortcuts } from './shortcuts.ts';
import type { State } from './state.ts';
import { text } from './text.ts';
import { TopBar } from './top-bar.tsx';
import { RunBar } from './train/run-bar.tsx';
import { TrainPanel } from './train/train-panel.tsx';
import { TryPanel } from './try-it/try-it-panel.tsx';

const panels: Readonly<Record<Panel, ComponentType<{ session: Session; state: State }>>> = {
  train: TrainPanel,
  rollouts: RolloutsPanel,
  look: LookPanel,
  evaluate: EvaluatePanel,
  try: TryPanel,
  compare: ComparePanel,
  runs: RunsPanel,
  data: DataPanel,
  reward: RewardPanel,
};

export function App({ session }: { session: Session }) {
  const state = useSyncExternalStore(session.subscribe, session.snapshot);
  useShortcuts(session);
  const Shown = panels[state.panel];
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
        <Tabs.List className="tabs" aria-label={text.shell.navigation}>
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
      <LiveRegion state={state} />
    </Tabs.Root>
  );
}
