import { useEffect, useState } from 'react';
import { duration } from '../parts/format.ts';
import type { State } from '../state.ts';

/** A bar and a sentence for whatever goes on. */
export function RunProgress({ state }: { state: State }) {
  const { loading, loaded, run, pending, activity, progress } = state;
  if (loading) return <Bar label={loading.message} value={loading.fraction} />;
  if (!loaded) return <Bar label="No model is loaded." value={0} />;
  if (run === 'none') return <Bar label="Ready. One click trains it." value={0} />;
  const done = progress ? progress.step / progress.totalSteps : 0;
  if (run === 'failed') return <Bar label="The run failed; the message above says why." value={done} />;
  const where = progress ? `Step ${progress.step} of ${progress.totalSteps}` : 'Step 0';
  if (run !== 'running') {
    const after = { paused: 'paused', stopped: 'stopped', finished: 'finished' }[run];
    return <Bar label={`${where}, ${after}.`} value={done} facts={<Facts state={state} />} />;
  }
  if (pending === 'pause') return <Bar label={`${where}: this step ends, then it pauses.`} value={done} />;
  if (pending === 'stop') return <Bar label={`${where}: this step ends, then it stops.`} value={done} />;
  if (activity?.kind === 'compiling' || activity?.kind === 'evaluating') {
    const what =
      activity.kind === 'compiling'
        ? 'compiling the passes'
        : `measuring held-out accuracy${progress ? '' : ' before training'}`;
    return (
      <Bar
        label={
          <>
            {where}: {what} (<Clock since={activity.since} expected={activity.expectedSeconds} />)
          </>
        }
        value={progress ? done : undefined}
        facts={<Facts state={state} />}
      />
    );
  }
  return <Bar label={`${where}.`} value={done} facts={<Facts state={state} />} />;
}

function Bar({
  label,
  value,
  facts,
}: {
  label: React.ReactNode;
  /** From 0 to 1; undefined where nobody knows. */
  value: number | undefined;
  facts?: React.ReactNode;
}) {
  return (
    <div className="progress">
      <progress aria-label="Training progress" max={1} value={value} />
      <p>
        <span data-testid="status">{label}</span> {facts}
      </p>
    </div>
  );
}

function Facts({ state: { progress, run } }: { state: State }) {
  if (!progress || progress.stepsPerSecond === null || progress.tokensPerSecond === null) return null;
  const isGoing = run === 'running' || run === 'paused';
  return (
    <span className="facts">
      {progress.stepsPerSecond.toFixed(progress.stepsPerSecond < 10 ? 2 : 0)} steps/s ·{' '}
      {Math.round(progress.tokensPerSecond).toLocaleString('en')} tokens/s
      {isGoing && progress.secondsLeft !== null && ` · ${duration(progress.secondsLeft)} left`}
    </span>
  );
}

/** Seconds gone by, and what is left of those expected. */
function Clock({ since, expected }: { since: number; expected: number | null }) {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const gone = Math.max(0, (now - since) / 1000);
  if (expected === null) return <>{duration(gone)} so far</>;
  return <>{gone < expected ? `about ${duration(expected - gone)} left` : 'nearly done'}</>;
}
