/** A checkpoint as a download, into a folder, or pushed to the Hub. */
import { type ReactNode, useState } from 'react';
import type { ExportRequest, RunSummary } from '../../worker/protocol.ts';
import { checkpointOptions } from './checkpoints.ts';
import { Dialog } from '../parts/dialog.tsx';
import { CheckField, Select, TextField } from '../parts/fields.tsx';
import { duration, percent } from '../parts/format.ts';
import type { Session } from '../session.ts';
import type { State, Transfer } from '../state.ts';

interface Props {
  run: RunSummary;
  session: Session;
  state: State;
  onClose: () => void;
}

/** The choices that a download and a push share. */
function useChoices(run: RunSummary, isGoing: boolean): { request: ExportRequest; fields: ReactNode } {
  const options = checkpointOptions(run);
  const [chosen, setStep] = useState(options[0]?.value ?? '0');
  // A run that goes on may have dropped the one that was chosen.
  const step = options.some(({ value }) => value === chosen) ? chosen : (options[0]?.value ?? '0');
  const [dtype, setDtype] = useState<ExportRequest['dtype']>('float32');
  const [onnx, setOnnx] = useState(false);
  const [completions, setCompletions] = useState(false);
  const fields = (
    <>
      <div className="choices">
        <Select label="Checkpoint" value={step} options={options} disabled={isGoing} onChange={setStep} />
        <Select
          label="Numbers as"
          value={dtype}
          options={[
            { value: 'float32', label: 'float32' },
            { value: 'bfloat16', label: 'bfloat16 (half the size)' },
          ]}
          disabled={isGoing}
          onChange={(value) => setDtype(value as ExportRequest['dtype'])}
        />
      </div>
      <CheckField
        label="With ONNX files for transformers.js"
        checked={onnx}
        disabled={isGoing}
        onChange={setOnnx}
      />
      <CheckField
        label="With all sampled completions"
        checked={completions}
        disabled={isGoing}
        onChange={setCompletions}
      />
    </>
  );
  return { request: { run: run.id, step: Number(step), dtype, onnx, completions }, fields };
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
    <Dialog title={`Download “${run.name}”`} onClose={close}>
      <p className="hint">A Hugging Face folder: transformers, TRL and this page open it.</p>
      {fields}
      <TransferView transfer={transfer} />
      <div className="buttons">
        <button
          type="button"
          className="primary"
          disabled={isGoing}
          onClick={() => void handOver.zip(request)}
        >
          Download zip
        </button>
        {handOver.canPickFolder && (
          <button type="button" disabled={isGoing} onClick={() => void handOver.folder(request)}>
            Into a folder…
          </button>
        )}
        <CloseButton isGoing={isGoing} onCancel={() => handOver.cancel()} onClose={close} />
      </div>
    </Dialog>
  );
}

export function PushDialog({ run, session, state: { transfer }, onClose }: Props) {
  const isGoing = transfer?.state === 'going';
  const { request, fields } = useChoices(run, isGoing);
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
    <Dialog title={`Push “${run.name}” to the Hub`} onClose={close}>
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
          label="Repository"
          value={repository}
          inputMode="text"
          hint="As user/name; it is made if it is not there."
          problem={repository !== '' && !isNamed ? 'expected user/name' : undefined}
          disabled={isGoing}
          onChange={setRepository}
        />
        <TextField
          label="Token"
          type="password"
          value={token}
          inputMode="text"
          hint="One that may write. It stays in memory, for this push alone."
          disabled={isGoing}
          onChange={setToken}
        />
        <CheckField label="Private" checked={isPrivate} disabled={isGoing} onChange={setPrivate} />
        <TransferView transfer={transfer} />
        <div className="buttons">
          <button type="submit" className="primary" disabled={isGoing || !isNamed || token.trim() === ''}>
            Push
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
      {isGoing ? 'Cancel' : 'Close'}
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
      <progress aria-label="Progress" max={1} value={progress?.fraction} />
      <p className="hint">
        {progress ? `${percent(progress.fraction)}, ${progress.message}` : 'Reading the checkpoint'}
        {progress && progress.secondsLeft !== null && ` · ${duration(progress.secondsLeft)} left`}
      </p>
    </div>
  );
}
