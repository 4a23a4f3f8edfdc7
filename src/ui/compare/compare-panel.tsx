/** Trains two settings with the same seed, draws them over each other, and says what differs. */
import { useEffect } from 'react';
import { nameOfData, questionCounts, sampleCounts } from '../evaluate/evaluations.ts';
import { Select, TextField } from '../parts/fields.tsx';
import type { Session } from '../session.ts';
import { isGoing, requestOf, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import './compare.css';
import { ComparedCurves } from './compared-curves.tsx';
import type { CompareState } from './comparison.ts';
import { armsOf, PAIRS, type PairId, sharedBy } from './pairs.ts';
import { PlanProgress } from './plan-progress.tsx';
import { WhatDiffers } from './what-differs.tsx';

const t = text.compare;

export function ComparePanel({ session, state }: { session: Session; state: State }) {
  const { comparison } = session;
  const own = useStore(comparison.store);
  const { plan } = own;
  useEffect(() => {
    if (plan && state.loaded) void comparison.readHistories();
  }, [comparison, plan, state.loaded]);
  return (
    <div className="compare">
      <section className="panel" aria-labelledby="compare-title">
        <h2 id="compare-title">{t.title}</h2>
        <p className="hint">{t.meaning}</p>
        {own.phase === 'idle' && <Setup session={session} state={state} own={own} />}
        {own.error !== undefined && (
          <p className="problem" role="alert">
            {own.error}
          </p>
        )}
        {!plan && own.error === undefined && <p className="hint">{t.nothingYet}</p>}
        {plan && <PlanProgress session={session} state={state} own={own} plan={plan} />}
      </section>
      {plan && <WhatDiffers plan={plan} />}
      {plan && <ComparedCurves session={session} state={state} own={own} plan={plan} />}
    </div>
  );
}

function Setup({ session, state, own }: { session: Session; state: State; own: CompareState }) {
  const { comparison } = session;
  const { choice, plan } = own;
  const { pair, seeds, questions, samples } = choice;
  const isBusy = isGoing(state) || state.pending !== undefined;
  const shared = sharedBy(requestOf(state.form), armsOf(pair, choice.own));
  return (
    <>
      <Select
        label={t.pair}
        value={pair}
        options={PAIRS.map((id) => ({ value: id, label: t.pairs[id].label }))}
        hint={t.pairs[pair].meaning}
        onChange={(value) => comparison.choose({ pair: value as PairId })}
      />
      {pair === 'own' && (
        <div className="choices">
          {([0, 1] as const).map((arm) => (
            <OwnSettings
              key={arm}
              label={t.ownLabel(t.pairs.own.arms[arm])}
              value={choice.own[arm]}
              onChange={(value) =>
                comparison.choose({ own: arm === 0 ? [value, choice.own[1]] : [choice.own[0], value] })
              }
            />
          ))}
        </div>
      )}
      <div className="choices">
        <Select
          label={t.seeds}
          value={String(seeds)}
          options={[1, 2, 3, 4, 5].map((n) => ({ value: String(n) }))}
          hint={t.seedsHint}
          onChange={(value) => comparison.choose({ seeds: Number(value) })}
        />
        <TextField label={t.steps} value={choice.steps} onChange={(steps) => comparison.choose({ steps })} />
        <Select
          label={t.questions}
          value={String(questions)}
          options={questionCounts.map((n) => ({ value: String(n) }))}
          onChange={(value) => comparison.choose({ questions: Number(value) })}
        />
        <Select
          label={t.samples}
          value={String(samples)}
          options={sampleCounts.map((n) => ({ value: String(n) }))}
          onChange={(value) => comparison.choose({ samples: Number(value) })}
        />
      </div>
      <p className="hint">
        {t.shared(shared.preset, nameOfData(state), Object.keys(shared.settings).length)}
        {plan && ` ${t.replaces}`}
      </p>
      <div className="buttons">
        <button
          type="button"
          className={plan && !plan.result ? undefined : 'primary'}
          disabled={!state.loaded || isBusy}
          onClick={() => void comparison.start()}
        >
          {seeds === 1 ? t.start : t.startSeveral(seeds)}
        </button>
      </div>
      {isBusy && <p className="hint">{t.goesOnElsewhere}</p>}
    </>
  );
}

function OwnSettings({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <label className="field own-settings">
      <span>{label}</span>
      <textarea
        rows={3}
        spellCheck={false}
        value={value}
        placeholder={t.ownExample}
        onChange={({ target }) => onChange(target.value)}
      />
    </label>
  );
}
