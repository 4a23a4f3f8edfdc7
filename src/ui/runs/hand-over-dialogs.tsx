/** A checkpoint as a download, into a folder, or pushed to the Hub. */
import { type ReactNode, useState } from 'react';
import type { ExportRequest, RunSummary } from '../../worker/protocol.ts';
import { Dialog } from '../parts/dialog.tsx';
import { CheckField, Select, TextField } from '../parts/fields.tsx';
import { duration, percent } from '../parts/format.ts';
import type { Session } from '../session.ts';
import type { State, Transfer } from '../state.ts';
import { text } from '../text.ts';
import { checkpointOptions } from './checkpoints.ts';

const t = text.runs.handOver;

interface Props {
  run: RunSummary;
  session: Session;
  state: State;
  onClose: () => void;
}

type What = ExportRequest['what'];

/** What there is of a run. What goes to a cluster is no repository. */
const products = ({ hasAdapter }: RunSummary, isPush: boolean): What[] => [
  'model',
  ...(hasAdapter ? (['adapter'] as const) : []),
  'onnx',
  ...(isPush ? [] : (['cluster'] as const)),
];

/** The choices that a download and a push share. */
function useChoices(
  run: RunSummary,
  isGoing: boolean,
  isPush = false,
): { request: ExportRequest; fields: ReactNode } {
  const options = checkpointOptions(run);
  const [chosen, setStep] = useState(options[0]?.value ?? '0');
  // A run that goes on may have dropped the one that was chosen.
  const step = options.some(({ value }) => value === chosen) ? chosen : (options[0]?.value ?? '0');
  const [what, setWhat] = useState<What>('model');
  // A base is stored as it came; weights that were trained here are float32.
  const [dtype, setDtype] = useState<NonNullable<ExportRequest['dtype']>>(
    run.hasAdapter ? 'bfloat16' : 'float32',
  );
  const [onnx, setOnnx] = useState(false);
  const hasDtype = what === 'model' || what === 'cluster';
  const [completions, setCompletions] = useState(false);
  const fields = (
    <>
      <Select
        label={t.what}
        value={what}
        options={products(run, isPush).map((value) => ({ value, label: t.products[value] }))}
        hint={t.productHints[what](run.hasAdapter)}
        disabled={isGoing}
        onChange={(value) => setWhat(value as What)}
      />
      <div className="choices">
        <Select label={t.checkpoint} value={step} options={options} disabled={isGoing} onChange={setStep} />
        {hasDtype && (
          <Select
            label={t.numbers}
            value={dtype}
            options={[
              { value: 'float32', label: t.dtypes.float32 },
              { value: 'bfloat16', label: t.dtypes.bfloat16 },
            ]}
            disabled={isGoing}
            onChange={(value) => setDtype(value as NonNullable<ExportRequest['dtype']>)}
          />
        )}
      </div>
      {what === 'model' && <CheckField label={t.onnx} checked={onnx} disabled={isGoing} onChange={setOnnx} />}
      {what !== 'cluster' && (
        <CheckField
          label={t.completions}
          checked={completions}
          disabled={isGoing}
          onChange={setCompletions}
        />
      )}
    </>
  );
  const request = {
    run: run.id,
    step: Number(step),
    what,
    ...(hasDtype && { dtype }),
    onnx: what === 'model' && onnx,
    completions: what !== 'cluster' && completions,
  };
  return { request, fields };
}

export function DownloadDialog({ run, session, state: { transfer }, onClose }: Props) {
  const isGoing = transfer?.state === 'going';
  const { request, fields } = useChoices(run, isGoing);
  const { handOver } = session;
  const close = () => {
    handOver.close();
    onClose();
  };
  return (
    <Dialog title={t.download(run.name)} onClose={close}>
      {fields}
      <TransferView transfer={transfer} />
      <div className="buttons">
        <button
          type="button"
          className="primary"
          disabled={isGoing}
          onClick={() => void handOver.zip(request)}
        >
          {t.zip}
        </button>
        {handOver.canPickFolder && (
          <button type="button" disabled={isGoing} onClick={() => void handOver.folder(request)}>
            {t.folder}
          </button>
        )}
        <CloseButton isGoing={isGoing} onCancel={() => handOver.cancel()} onClose={close} />
      </div>
    </Dialog>
  );
}

export function PushDialog({ run, session, state: { transfer }, onClose }: Props) {
  const isGoing = transfer?.state === 'going';
  const { request, fields } = useChoices(run, isGoing, true);
  const [repository, setRepository] = useState('');
  const [token, setToken] = useState('');
  const [isPrivate, setPrivate] = useState(true);
  const { handOver } = session;
  const isNamed = /^[^\s/]+\/[^\s/]+$/.test(repository.trim());
  const close = () => {
    setToken('');
    handOver.close();
    onClose();
  };
  return (
    <Dialog title={t.push(run.name)} onClose={close}>
      <form
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          // Used for this one push, and forgotten at once.
          setToken('');
          void handOver.push({ ...request, repo_id: repository.trim(), token: token.trim(), isPrivate });
        }}
      >
        {fields}
        <TextField
          label={t.repository}
          value={repository}
          inputMode="text"
          hint={t.repositoryHint}
          problem={repository !== '' && !isNamed ? t.repositoryProblem : undefined}
          disabled={isGoing}
          onChange={setRepository}
        />
        <TextField
          label={t.token}
          type="password"
          value={token}
          inputMode="text"
          hint={t.tokenHint}
          disabled={isGoing}
          onChange={setToken}
        />
        <CheckField label={t.private} checked={isPrivate} disabled={isGoing} onChange={setPrivate} />
        <TransferView transfer={transfer} />
        <div className="buttons">
          <button type="submit" className="primary" disabled={isGoing || !isNamed || token.trim() === ''}>
            {t.pushIt}
          </button>
          <CloseButton isGoing={isGoing} onCancel={() => handOver.cancel()} onClose={close} />
        </div>
      </form>
    </Dialog>
  );
}

function CloseButton({
  isGoing,
  onCancel,
  onClose,
}: {
  isGoing: boolean;
  onCancel: () => void;
  onClose: () => void;
}) {
  return (
    <button type="button" onClick={isGoing ? onCancel : onClose}>
      {isGoing ? t.cancel : t.close}
    </button>
  );
}

function TransferView({ transfer }: { transfer: Transfer | undefined }) {
  if (!transfer) return null;
  const { state, progress, message, url } = transfer;
  if (state === 'failed')
    return (
      <p className="problem" role="alert">
        {message}
      </p>
    );
  if (state === 'done')
    return (
      <p className="done" data-testid="transferred">
        {message} {url && <a href={url}>{url}</a>}
      </p>
    );
  return (
    <div className="progress">
      <progress aria-label={t.progress} max={1} value={progress?.fraction} />
      <p className="hint">
        {progress ? `${percent(progress.fraction)}, ${progress.message}` : t.reading}
        {progress && progress.secondsLeft !== null && ` · ${t.left(duration(progress.secondsLeft))}`}
      </p>
    </div>
  );
}
