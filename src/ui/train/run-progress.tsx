/** A bar and a sentence for whatever goes on, and the run's numbers. */
import { useEffect, useState } from 'react';
import type { LoadProgress } from '../../worker/protocol.ts';
import { bytes, duration } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { text } from '../text.ts';

const t = text.train;

export function RunProgress({ session, state }: { session: Session; state: State }) {
  const { loading, loaded, run, pending, activity, progress } = state;
  if (loading) {
    const { message, fraction, bytes: counted } = loading;
    // A page's own model is here before anybody could want to stop it.
    const cancel = counted && (
      <button type="button" className="small" onClick={() => session.cancelLoad()}>
        {t.cancelLoad}
      </button>
    );
    return <Bar label={counted ? `${message}: ${pace(counted)}` : message} value={fraction} facts={cancel} />;
  }
  if (!loaded) return <Bar label={t.noModel} value={0} />;
  const facts = <Facts state={state} />;
  if (run === 'none') return <Bar label={t.ready} value={0} facts={facts} />;
  const done = progress ? progress.step / progress.totalSteps : 0;
  if (run === 'failed') return <Bar label={t.failed} value={done} />;
  const where = progress ? t.stepOf(progress.step, progress.totalSteps) : t.stepNone;
  if (run !== 'running') return <Bar label={t.after[run](where)} value={done} facts={facts} />;
  if (pending === 'pause') return <Bar label={t.endsThenPauses(where)} value={done} facts={facts} />;
  if (pending === 'stop') return <Bar label={t.endsThenStops(where)} value={done} facts={facts} />;
  if (activity?.kind === 'compiling' || activity?.kind === 'evaluating') {
    const sentence = activity.kind === 'compiling' ? t.compiling : progress ? t.measuring : t.measuringFirst;
    return (
      <Bar
        label={
          <Clock
            since={activity.since}
            expected={activity.expectedSeconds}
            sentence={(clock) => sentence(where, clock)}
          />
        }
        value={progress ? done : undefined}
        facts={facts}
      />
    );
  }
  return <Bar label={t.at(where)} value={done} facts={facts} />;
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
      <progress aria-label={t.progress} max={1} value={value} />
      <div className="progress-line">
        <span data-testid="status">{label}</span>
        {facts}
      </div>
    </div>
  );
}

/** "12.3 MB of 513 MB, 4.1 MB/s, 2 min 2 s left": what is known of it. */
const pace = ({ loaded, total, perSecond, secondsLeft }: NonNullable<LoadProgress['bytes']>) =>
  [
    t.bytesOf(bytes(loaded), bytes(total)),
    perSecond !== null && t.bytesPerSecond(bytes(Math.round(perSecond))),
    secondsLeft !== null && t.left(duration(secondsLeft)),
  ]
    .filter(Boolean)
    .join(', ');

/** Speed, time left, memory, device: what is known of them. */
function Facts({ state }: { state: State }) {
  const { progress, loaded } = state;
  const { stepsPerSecond: steps, tokensPerSecond: tokens, secondsLeft: left, memory } = progress ?? {};
  const known: (string | false)[] = [
    steps != null && t.stepsPerSecond(steps.toFixed(steps < 10 ? 2 : 0)),
    tokens != null && t.tokensPerSecond(Math.round(tokens).toLocaleString('en')),
    left != null && isGoing(state) && t.left(duration(left)),
  ];
  return (
    <ul className="run-facts" aria-label={t.facts}>
      {known.map((fact) => fact && <li key={fact}>{fact}</li>)}
      {memory != null && <li title={t.memoryMeaning}>{t.memory(bytes(memory))}</li>}
      {loaded && <li title={loaded.device.label}>{t.devices[loaded.device.kind]}</li>}
    </ul>
  );
}

/** Seconds gone by, or what is left of those expected, in a sentence. */
function Clock({
  since,
  expected,
  sentence,
}: {
  since: number;
  expected: number | null;
  sentence: (clock: string) => string;
}) {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const gone = Math.max(0, (now - since) / 1000);
  if (expected === null) return sentence(t.soFar(duration(gone)));
  return sentence(gone < expected ? t.aboutLeft(duration(expected - gone)) : t.nearlyDone);
}
