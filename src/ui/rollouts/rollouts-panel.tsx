/** What was sampled at any step of any kept run; before the first step, what will be asked. */
import { useDeferredValue, useEffect, useMemo, useState } from 'react';
import type { GroupView } from '../../worker/protocol.ts';
import { Select } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import type { RolloutsState, RolloutsView, Source } from './controller.ts';
import { Group } from './group.tsx';
import { Legend } from './legend.tsx';
import { Scrubber } from './scrubber.tsx';
import { select } from './selection.ts';
import { newTip, Tip } from './tip.tsx';
import { Toolbar } from './toolbar.tsx';
import './rollouts.css';

const shownAtFirst = 2;

export function RolloutsPanel({ session, state }: { session: Session; state: State }) {
  const view = session.rollouts;
  const shown = useStore(view.store);
  const areAnswered = state.groups.some(({ completions }) => completions.length > 0);
  const newest = areAnswered ? state.progress?.step : undefined;
  const isAtHand = shown.run === undefined || shown.run === state.keptId;
  const source: Source = shown.run ?? state.keptId ?? null;
  const hasSource = shown.run !== undefined || state.keptId !== undefined || newest !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new step is one more in the list
  useEffect(() => {
    if (hasSource) void view.list(source);
  }, [view, source, hasSource, isAtHand ? newest : undefined]);
  return (
    <section className="panel rollouts" aria-labelledby="rollouts-title">
      <RunChoice view={view} shown={shown} state={state} />
      {hasSource ? (
        <StepOf
          view={view}
          shown={shown}
          state={state}
          source={source}
          newest={isAtHand ? newest : undefined}
        />
      ) : (
        <Samples groups={state.groups} />
      )}
    </section>
  );
}

/** Kept runs, and the one at hand. */
function RunChoice({ view, shown, state }: { view: RolloutsView; shown: RolloutsState; state: State }) {
  const others = state.runs.filter(({ id }) => id !== state.keptId);
  if (others.length === 0) return null;
  const atHand = isGoing(state) || state.keptId !== undefined || state.progress !== undefined;
  return (
    <Select
      label={text.rollouts.run}
      value={shown.run !== undefined && shown.run !== state.keptId ? shown.run : ''}
      options={[
        { value: '', label: atHand ? text.rollouts.atHand : text.rollouts.noRun },
        ...others.map(({ id, name, step }) => ({ value: id, label: text.rollouts.keptRun(name, step) })),
      ]}
      onChange={(run) => view.chooseRun(run || undefined)}
    />
  );
}

function Samples({ groups }: { groups: readonly GroupView[] }) {
  const [tip] = useState(newTip);
  return (
    <>
      <h2 id="rollouts-title">{text.rollouts.samples}</h2>
      <p className="hint">{text.rollouts.samplesHint}</p>
      <div className="samples">
        {groups.map((group) => (
          <Group key={group.id} group={group} colouring="kl" showsDifference={false} tip={tip} />
        ))}
      </div>
    </>
  );
}

interface StepProps {
  readonly view: RolloutsView;
  readonly shown: RolloutsState;
  readonly state: State;
  readonly source: Source;
  /** The last step of the run at hand. */
  readonly newest: number | undefined;
}

function StepOf({ view, shown, state, source, newest }: StepProps) {
  const { steps, loaded, isLoading, error } = shown;
  const last = newest ?? steps.steps.at(-1);
  const wanted = shown.step ?? last;
  // The newest step of the run at hand came by itself.
  const isHere = wanted === newest;
  useEffect(() => {
    if (wanted !== undefined && !isHere) void view.load(source, wanted);
  }, [view, source, wanted, isHere]);

  const isOwn = loaded?.source === source;
  const groups = isHere ? state.groups : isOwn ? loaded.groups : [];
  const step = isHere || !isOwn ? wanted : loaded.step;
  if (wanted === undefined || step === undefined)
    return (
      <>
        <h2 id="rollouts-title">{text.rollouts.title}</h2>
        {error ? <Failure message={error} /> : <p className="hint">{text.rollouts.nothing}</p>}
      </>
    );
  return (
    <>
      <h2 id="rollouts-title">{text.rollouts.titleOf(step)}</h2>
      <Scrubber
        steps={steps}
        step={wanted}
        follows={shown.step === undefined}
        onChange={(next) => view.set({ step: next })}
      />
      <Toolbar view={view} shown={shown} />
      {error && <Failure message={error} />}
      <p className="hint" role="status">
        {isLoading && step !== wanted ? text.rollouts.loading(wanted) : ''}
      </p>
      <Groups view={view} shown={shown} groups={groups} isBusy={step !== wanted} />
    </>
  );
}

function Failure({ message }: { message: string }) {
  return (
    <p className="problem" role="alert">
      {message}
    </p>
  );
}

interface GroupsProps {
  readonly view: RolloutsView;
  readonly shown: RolloutsState;
  readonly groups: readonly GroupView[];
  readonly isBusy: boolean;
}

function Groups({ view, shown, groups, isBusy }: GroupsProps) {
  const { filter, order, showsAll } = shown;
  const [tip] = useState(newTip);
  // Thousands of tokens: the controls answer at once, and the list follows in slices.
  const colouring = useDeferredValue(shown.colouring);
  const showsDifference = useDeferredValue(shown.showsDifference);
  const selected = useMemo(() => select(groups, filter, order), [groups, filter, order]);
  const wanted = useMemo(() => (showsAll ? selected : selected.slice(0, shownAtFirst)), [selected, showsAll]);
  const list = useDeferredValue(wanted, []);
  const isBehind = list !== wanted || colouring !== shown.colouring;
  useEffect(() => {
    if (groups) tip.set({ at: undefined });
  }, [groups, tip]);
  const isKnown =
    shown.colouring !== 'kl' ||
    groups.length === 0 ||
    groups.some(({ completions }) => completions.some(({ tokens }) => tokens.some(({ kl }) => kl !== null)));
  return (
    <>
      <Legend colouring={shown.colouring} isKnown={isKnown} />
      {filter !== 'all' && groups.length > 0 && (
        <p className="hint">{text.rollouts.fitting(selected.length, groups.length)}</p>
      )}
      <div className="groups" aria-busy={isBusy || isBehind}>
        {list.map((group, p) => (
          <Group
            // biome-ignore lint/suspicious/noArrayIndexKey: a dataset may hold a prompt twice
            key={`${group.id} ${p}`}
            group={group}
            colouring={colouring}
            showsDifference={showsDifference}
            tip={tip}
          />
        ))}
      </div>
      {selected.length > shownAtFirst && (
        <button type="button" onClick={() => view.set({ showsAll: !showsAll })}>
          {showsAll ? text.rollouts.fewer : text.rollouts.all(selected.length)}
        </button>
      )}
      <Tip store={tip} />
    </>
  );
}
