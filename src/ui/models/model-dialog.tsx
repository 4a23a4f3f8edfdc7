/** The model picker: what is offered, any model of the Hub, the visitor's own files, the site's, and what is kept here. */
import { type ReactNode, useId, useState } from 'react';
import type { ModelChoice, ModelNeeds } from '../../worker/model-protocol.ts';
import { Picker } from '../data/files.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { TextField } from '../parts/fields.tsx';
import { bytes, count } from '../parts/format.ts';
import type { Session } from '../session.ts';
import { isGoing, type State } from '../state.ts';
import { useStore } from '../store.ts';
import { text } from '../text.ts';
import './models.css';
import { machineMemory } from './machine-memory.ts';
import { offers } from './offers.ts';

const t = text.models;

interface Props {
  readonly session: Session;
  readonly state: State;
}

export function ModelDialog({ session, state }: Props) {
  const { models } = session;
  const { problem } = useStore(models.store);
  const isBusy = isGoing(state) || state.loading !== undefined || state.pending !== undefined;
  return (
    <Dialog title={t.title} onClose={() => models.close()}>
      <div className="models">
        {isGoing(state) && <p className="notice">{t.stopFirst}</p>}
        {problem !== undefined && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <Offers session={session} state={state} isBusy={isBusy} />
        <OfHub session={session} isBusy={isBusy} />
        <Kept session={session} isBusy={isBusy} />
        <section aria-labelledby="models-files">
          <h3 id="models-files">{t.ownFiles}</h3>
          <p className="hint">{t.ownFilesHint}</p>
          <div className="buttons small">
            <Picker label={t.folder} folder disabled={isBusy} onFiles={(files) => take(session, files)} />
            <Picker label={t.zip} accept=".zip" disabled={isBusy} onFiles={(files) => take(session, files)} />
          </div>
        </section>
        <OfSite session={session} isBusy={isBusy} />
      </div>
      <div className="buttons">
        <button type="button" onClick={() => models.close()}>
          {t.close}
        </button>
      </div>
    </Dialog>
  );
}

function take({ models, files }: Session, picked: Parameters<typeof files.take>[0]): void {
  models.close();
  void files.take(picked, 'model');
}

function Offers({ session, state, isBusy }: Props & { isBusy: boolean }) {
  const { models } = session;
  const { needs } = useStore(models.store);
  return (
    <section aria-labelledby="models-offered">
      <h3 id="models-offered">{t.offered}</h3>
      {state.loaded && <p className="hint">{t.memoryHint(state.loaded.device.label, there(needs))}</p>}
      <ul className="model-list">
        {offers().map(({ id, name, choice, parameters, downloadBytes, license, address }) => {
          const isLoaded = state.loaded?.name === name;
          const facts = {
            parameters,
            downloadBytes,
            license: t.licenses[license] ?? license,
            needs: needs[id],
            isBuiltIn: choice.kind === 'built-in',
          };
          return (
            <ModelCard key={id} name={name} says={t.about[id]} address={address} facts={facts}>
              <LoadButton
                name={name}
                isLoaded={isLoaded}
                isBusy={isBusy}
                onLoad={() => void models.load(choice)}
              />
            </ModelCard>
          );
        })}
      </ul>
    </section>
  );
}

/** How much memory there is, as far as anybody says. */
function there(needs: Readonly<Record<string, ModelNeeds | string>>): string {
  const known = Object.values(needs).find((one) => typeof one !== 'string');
  if (known && known.limit !== null) return t.thereIs(bytes(known.limit));
  const machine = machineMemory();
  return machine === undefined ? '' : t.machineHas(machine);
}

function LoadButton({
  name,
  isLoaded,
  isBusy,
  onLoad,
}: {
  name: string;
  isLoaded: boolean;
  isBusy: boolean;
  onLoad: () => void;
}) {
  return (
    <button
      type="button"
      disabled={isBusy || isLoaded}
      aria-label={isLoaded ? t.isLoaded(name) : t.load(name)}
      onClick={onLoad}
    >
      {isLoaded ? t.loaded : t.loadShort}
    </button>
  );
}

interface Facts {
  readonly parameters: number;
  readonly downloadBytes: number;
  readonly license: string;
  readonly needs: ModelNeeds | string | undefined;
  readonly isBuiltIn?: boolean;
}

function ModelCard({
  name,
  says,
  address,
  facts,
  children,
}: {
  name: string;
  says?: string;
  address?: string;
  facts: Facts;
  children: ReactNode;
}) {
  const id = useId();
  const { needs } = facts;
  const memory = (kind: 'lora' | 'full') => {
    if (needs === undefined) return t.workingOut;
    if (typeof needs === 'string') return needs;
    const needed = needs[kind];
    if (!needed) return t.cannot;
    const size = bytes(needed.bytes);
    if (needs.limit === null) return needed.fits ? size : t.needsTooMuch(size);
    return needed.fits ? t.needsOf(size, bytes(needs.limit)) : t.needsMore(size, bytes(needs.limit));
  };
  const rows = [
    [t.parameters, count(facts.parameters)],
    [
      t.download,
      facts.isBuiltIn ? t.isHere(bytes(facts.downloadBytes)) : t.aboutSize(bytes(facts.downloadBytes)),
    ],
    [t.license, facts.license],
    [t.lora, memory('lora')],
    [t.full, memory('full')],
  ];
  return (
    <li aria-labelledby={id}>
      <div className="title-row">
        <h4 id={id}>{address === undefined ? name : <a href={address}>{name}</a>}</h4>
        {children}
      </div>
      {says !== undefined && <p>{says}</p>}
      <dl className="model-facts">
        {rows.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </li>
  );
}

function OfHub({ session, isBusy }: { session: Session; isBusy: boolean }) {
  const { models } = session;
  const { isLookingUp, found } = useStore(models.store);
  const [id, setId] = useState('');
  const [revision, setRevision] = useState('');
  // Lives as long as this dialog, and is sent to the Hub alone.
  const [token, setToken] = useState('');
  const isNamed = id.trim() !== '';
  const load = (choice: ModelChoice) => void models.load(choice, token.trim() || undefined);
  return (
    <section aria-labelledby="models-hub">
      <h3 id="models-hub">{t.hub}</h3>
      <p className="hint">{t.hubHint}</p>
      <form
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault();
          void models.lookUp({ id, revision, token });
        }}
      >
        <div className="model-fields">
          <TextField label={t.id} inputMode="text" value={id} hint={t.idHint} onChange={setId} />
          <TextField
            label={t.revision}
            inputMode="text"
            value={revision}
            hint={t.revisionHint}
            onChange={setRevision}
          />
          <TextField
            label={t.token}
            type="password"
            inputMode="text"
            value={token}
            hint={t.tokenHint}
            onChange={setToken}
          />
        </div>
        <div className="buttons small">
          <button type="submit" disabled={!isNamed || isLookingUp}>
            {isLookingUp ? t.lookingUp : t.lookUp}
          </button>
          <button
            type="button"
            disabled={!isNamed || isBusy}
            onClick={() =>
              load({ kind: 'hub', id: id.trim(), ...(revision.trim() && { revision: revision.trim() }) })
            }
          >
            {t.loadTyped}
          </button>
        </div>
      </form>
      <div role="status">
        {found && (
          <ul className="model-list">
            <ModelCard
              name={t.at(found.id, found.revision)}
              says={found.isGated ? t.gated : undefined}
              facts={{
                parameters: found.needs.parameters,
                downloadBytes: found.downloadBytes,
                license:
                  found.license === null
                    ? t.noLicense
                    : t.cardSays(t.licenses[found.license] ?? found.license),
                needs: found.needs,
              }}
            >
              <LoadButton
                name={found.id}
                isLoaded={false}
                isBusy={isBusy}
                onLoad={() =>
                  load({ kind: 'hub', id: found.id, revision: found.revision, commit: found.commit })
                }
              />
            </ModelCard>
          </ul>
        )}
      </div>
    </section>
  );
}

function Kept({ session, isBusy }: { session: Session; isBusy: boolean }) {
  const { models } = session;
  const { cached } = useStore(models.store);
  return (
    <section aria-labelledby="models-kept">
      <h3 id="models-kept">{t.kept}</h3>
      {cached.length === 0 && <p className="hint">{t.nothingKept}</p>}
      <ul className="model-list" aria-labelledby="models-kept">
        {cached.map(({ key, name, source, bytes: size, totalBytes, isWhole }) => {
          const commit = source.kind === 'hub' && source.commit ? source.commit.slice(0, 7) : undefined;
          return (
            <li key={key} className="model-kept">
              <span>
                <strong>{name}</strong> {commit && <code>{commit}</code>}{' '}
                <span className="hint">
                  {isWhole
                    ? bytes(size)
                    : t.partly(bytes(size), totalBytes > size ? bytes(totalBytes) : null)}
                </span>
              </span>
              <span className="buttons small">
                <button
                  type="button"
                  disabled={isBusy}
                  aria-label={t.load(name)}
                  onClick={() => void models.load(source)}
                >
                  {isWhole ? t.loadShort : t.goOn}
                </button>
                <button type="button" aria-label={t.delete(name)} onClick={() => void models.delete(key)}>
                  {t.deleteShort}
                </button>
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function OfSite({ session, isBusy }: { session: Session; isBusy: boolean }) {
  const { models } = session;
  const { site } = useStore(models.store);
  const [path, setPath] = useState('');
  const load = (folder: string) => {
    const url = new URL(folder.endsWith('/') ? folder : `${folder}/`, document.baseURI).href;
    void models.load({ kind: 'site', url });
  };
  const others = site.filter((name) => name !== 'papo-nano');
  return (
    <section aria-labelledby="models-site">
      <h3 id="models-site">{t.site}</h3>
      {others.length > 0 && (
        <ul className="model-list" aria-labelledby="models-site">
          {others.map((name) => (
            <li key={name} className="model-kept">
              <strong>{name}</strong>
              <span className="buttons small">
                <button
                  type="button"
                  disabled={isBusy}
                  aria-label={t.load(name)}
                  onClick={() => load(`models/${name}/`)}
                >
                  {t.loadShort}
                </button>
              </span>
            </li>
          ))}
        </ul>
      )}
      <form
        className="model-path"
        onSubmit={(event) => {
          event.preventDefault();
          load(path.trim());
        }}
      >
        <TextField label={t.path} inputMode="text" value={path} hint={t.pathHint} onChange={setPath} />
        <div className="buttons small">
          <button type="submit" disabled={path.trim() === '' || isBusy}>
            {t.loadPath}
          </button>
        </div>
      </form>
    </section>
  );
}
