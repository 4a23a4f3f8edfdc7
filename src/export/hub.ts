// push_to_hub: a folder of OutFiles becomes one commit in a model repository, through @huggingface/hub. Names and
// defaults are those of transformers' Trainer.push_to_hub (trainer.py, `upload_folder(..., ignore_patterns)`).
import {
  type CommitProgressEvent,
  commitIter,
  createBranch,
  createRepo,
  HUB_URL,
  listCommits,
  modelInfo,
  whoAmI,
} from '@huggingface/hub';
import { UserError } from '../errors.ts';
import { type HeldFile, type HoldFile, holdFile } from './hub-blob.ts';
import { defaultRetries, HubRefusal, hubFetch, type RetryPolicy, withoutToken } from './hub-fetch.ts';
import type { OutFile, OutProgress } from './out-file.ts';

export interface PushProgress extends OutProgress {
  /** `bytes` begins anew in each phase. */
  readonly phase: 'reading' | 'hashing' | 'uploading' | 'committing';
}

export interface HubTarget {
  /** `user/name`, or `name` alone for the token's owner. */
  repo_id: string;
  /** Kept in memory for as long as the push lasts, and nowhere else; sent to the Hub's own origin alone. */
  token: string;
  /** Branch; made where it is missing. Default: main. */
  revision?: string;
  /** First line of the commit. Default: End of training. */
  commit_message?: string;
  /** Who sees a repository that has to be made; as the owner's settings say where it is not given. */
  private?: boolean;
  /** Another Hub. Default: the library's own. */
  hub_url?: string;
  /** Shell patterns of files that are left out. Default: `_*` and `checkpoint-*`, as in transformers. */
  ignore_patterns?: readonly string[];
  onProgress?: (progress: PushProgress) => void;
  /** Ends the push. Until the commit itself has been sent the repository's files stay as they were. */
  signal?: AbortSignal;
  fetch?: typeof fetch;
  retries?: Partial<RetryPolicy>;
  /** Where a file waits for its upload: the browser's disk by default, `holdOnDisk` in Node. */
  hold?: HoldFile;
}

export interface PushResult {
  /** The repository's page, at the branch. */
  url: string;
  /** The commit's hash. */
  commit: string;
}

/** One push: what every request of it needs. */
interface Push {
  readonly hub: URL;
  readonly hubUrl: string;
  readonly token: string;
  readonly branch: string;
  readonly title: string;
  /** A line of the commit's description by which the commit is found again when its answer was lost. */
  readonly mark: string;
  readonly fetch: typeof fetch;
}

function checkHubUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UserError(`hub_url "${text}" is no address: expected https://….`);
  }
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) {
    throw new UserError(`hub_url must begin with https://: the token would travel in the clear.`);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new UserError('hub_url must be an address alone, without name, password, ? or #.');
  }
  return url;
}

function checkToken(token: string): string {
  const trimmed = token.trim();
  // The message does not quote it.
  if (!/^hf_[\x21-\x7e]+$/.test(trimmed)) {
    throw new UserError('token: this is no access token of the Hub: expected one that begins with hf_.');
  }
  return trimmed;
}

function checkRepoId(id: string): void {
  const part = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?';
  if (!new RegExp(`^(?:${part}/)?${part}$`).test(id) || id.length > 96 || /--|\.\.|\.git$/.test(id)) {
    throw new UserError(
      `repo_id "${id}" cannot be a repository: expected user/name or name, of letters, digits, -, _ and ., at most 96 characters.`,
    );
  }
}

/** A shell pattern (`*`, `?`, `[a-z]`, `[!a-z]`) over the whole path, as Python's fnmatch reads it. */
function shellPattern(pattern: string): RegExp {
  const source = (pattern.endsWith('/') ? `${pattern}*` : pattern).replace(
    /\[(!?)([^\]]+)\]|[\s\S]/g,
    (token: string, not: string | undefined, set: string | undefined) => {
      if (set !== undefined) return `[${not ? '^' : ''}${set.replace(/[\\^[]/g, '\\$&')}]`;
      if (token === '*') return '[\\s\\S]*';
      if (token === '?') return '[\\s\\S]';
      return token.replace(/[.+^${}()|[\]\\/]/g, '\\$&');
    },
  );
  return new RegExp(`^${source}$`);
}

/** The files to send, with names that stay inside the repository. */
function chooseFiles(files: readonly OutFile[], ignore: readonly string[]): OutFile[] {
  const patterns = ignore.map(shellPattern);
  const chosen = files.filter(({ name }) => !patterns.some((pattern) => pattern.test(name)));
  const names = new Set<string>();
  for (const { name } of chosen) {
    const parts = name.split('/');
    if (
      /[\\\0]/.test(name) ||
      parts.some((part) => part === '' || part === '.' || part === '..' || part === '.git')
    ) {
      throw new UserError(`"${name}" cannot be a file's path in a repository.`);
    }
    if (names.has(name)) throw new UserError(`"${name}" is there twice.`);
    names.add(name);
  }
  if (chosen.length === 0) throw new UserError('There is no file to push.');
  return chosen;
}

/** `name` as `user/name`. */
async function fullName(push: Push, id: string): Promise<string> {
  if (id.includes('/')) return id;
  const { name } = await whoAmI({ accessToken: push.token, hubUrl: push.hubUrl, fetch: push.fetch });
  const full = `${name}/${id}`;
  checkRepoId(full);
  return full;
}

/** The last commit of `revision`, or null where there is no such repository or branch. */
async function headOf(push: Push, repo: string, revision: string): Promise<string | null> {
  try {
    const { token: accessToken, hubUrl, fetch } = push;
    const info = await modelInfo({
      name: repo,
      revision,
      additionalFields: ['sha'],
      accessToken,
      hubUrl,
      fetch,
    });
    return info.sha ?? null;
  } catch (error) {
    if (error instanceof HubRefusal && error.status === 404) return null;
    throw error;
  }
}

/** Makes what is missing of repository and branch. Returns the branch's last commit, where it has one. */
async function prepareRepo(push: Push, repo: string, isPrivate: boolean | undefined): Promise<string | null> {
  const { token: accessToken, hubUrl, fetch, branch } = push;
  const found = await headOf(push, repo, branch);
  if (found) return found;
  const visibility = isPrivate === undefined ? undefined : isPrivate ? 'private' : 'public';
  if (branch === 'main' || !(await headOf(push, repo, 'main'))) {
    await createRepo({ repo, visibility, accessToken, hubUrl, fetch }).catch(unlessThere);
  }
  if (branch !== 'main') await createBranch({ repo, branch, accessToken, hubUrl, fetch }).catch(unlessThere);
  return headOf(push, repo, branch);
}

function unlessThere(error: unknown): void {
  if (!(error instanceof HubRefusal && error.status === 409)) throw error;
}

/** What the Hub would have answered to the commit of this push, where the branch ends in it; else null. */
async function findOwnCommit(push: Push, repo: string): Promise<Response | null> {
  const { token: accessToken, hubUrl, fetch, branch } = push;
  // The library puts the revision into the path as it is.
  const revision = encodeURIComponent(branch);
  for await (const commit of listCommits({ repo, revision, batchSize: 10, accessToken, hubUrl, fetch })) {
    const isOurs = commit.title === push.title && commit.message.includes(push.mark);
    if (!isOurs) return null;
    return Response.json({ commitOid: commit.oid, commitUrl: `${hubUrl}/${repo}/commit/${commit.oid}` });
  }
  return null;
}

/** A sentence for a request that failed for good. */
function explain(refusal: HubRefusal, repo: string, hub: URL): string {
  const { status, detail, retryAfter } = refusal;
  const said = detail ? ` It said: ${detail}` : '';
  if (status === null) return `The connection to ${hub.host} failed again and again: ${detail}.`;
  if (status === 401) return `The Hub refused the token (401): it is wrong, or no longer valid.${said}`;
  if (status === 403)
    return `The token may not write to ${repo} (403): it needs write permission there.${said}`;
  if (status === 404) return `The Hub does not find ${repo}, or the token may not see it (404).${said}`;
  if (status === 409 || status === 412) {
    return `Somebody else has committed to ${repo} in the meantime (${status}): look at it, and push again.${said}`;
  }
  if (status === 413) return `The Hub finds a file or the commit too large (413).${said}`;
  if (status === 429) {
    const when = retryAfter === null ? 'later' : `in ${Math.ceil(retryAfter)} seconds`;
    return `The Hub has had too many requests (429): push again ${when}.${said}`;
  }
  if (status >= 500)
    return `The Hub is not well (${status}), also when asked again: push again later.${said}`;
  return `The Hub refused the push (${status}).${said}`;
}

/** Bytes done in a phase, from the library's events with a share for each file. */
function progressCounter(files: readonly OutFile[], report: HubTarget['onProgress']) {
  const sizes = new Map(files.map((file) => [file.name, file.size]));
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  const shares: Record<PushProgress['phase'], Map<string, number>> = {
    reading: new Map(),
    hashing: new Map(),
    uploading: new Map(),
    committing: new Map(),
  };
  function add(phase: PushProgress['phase'], file: string, share: number): void {
    shares[phase].set(file, Math.max(share, shares[phase].get(file) ?? 0));
    let bytes = 0;
    for (const [name, done] of shares[phase]) bytes += Math.round(done * (sizes.get(name) ?? 0));
    report?.({ phase, bytes, totalBytes, file });
  }
  return {
    add,
    event(event: CommitProgressEvent): void {
      if (event.event === 'fileProgress' && event.state !== 'error')
        add(event.state, event.path, event.progress);
      if (event.event === 'phase' && event.phase === 'committing') add('committing', '', 0);
    },
    done: () => report?.({ phase: 'committing', bytes: totalBytes, totalBytes, file: '' }),
  };
}

/**
 * Puts `files` into the model repository `repo_id` as one commit; the repository and the branch are made where they
 * are missing. Files that the Hub wants as large ones go first, and only those that it does not have yet. The commit
 * is atomic: a push that fails leaves the repository's files as they were, and is refused if somebody else has
 * committed meanwhile. Lost connections, 429 and 5xx are tried again, with the server's Retry-After.
 *
 * Throws UserError where the Hub refuses or cannot be reached, and the signal's reason after an abort; no error
 * holds the token.
 */
export async function pushToHub(files: readonly OutFile[], options: HubTarget): Promise<PushResult> {
  const { signal, private: isPrivate, ignore_patterns = ['_*', 'checkpoint-*'], hold = holdFile } = options;
  const token = checkToken(options.token);
  const hub = checkHubUrl(options.hub_url ?? HUB_URL);
  checkRepoId(options.repo_id);
  const chosen = chooseFiles(files, ignore_patterns);
  const counter = progressCounter(chosen, options.onProgress);
  let repo = options.repo_id;
  /** Set when the commit was sent and nobody could say whether it arrived. */
  let inDoubt = false;

  const request = hubFetch({
    hub,
    token,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    retries: { ...defaultRetries, ...options.retries },
    async findCommit() {
      inDoubt = true;
      const answer = await findOwnCommit(push, repo);
      inDoubt = false;
      return answer;
    },
  });
  const push: Push = {
    hub,
    hubUrl: hub.href.replace(/\/+$/, ''),
    token,
    branch: options.revision ?? 'main',
    title: options.commit_message ?? 'End of training',
    mark: `Push-Id: ${crypto.randomUUID()}`,
    fetch: (input, init) =>
      request(input, {
        ...init,
        signal: init?.signal && signal ? AbortSignal.any([init.signal, signal]) : (init?.signal ?? signal),
      }),
  };

  const held: HeldFile[] = [];
  try {
    signal?.throwIfAborted();
    repo = await fullName(push, repo);
    const parent = await prepareRepo(push, repo, isPrivate);
    for (const file of chosen) {
      held.push(await hold(file, signal));
      counter.add('reading', file.name, 1);
    }
    const events = commitIter({
      repo,
      branch: push.branch,
      title: push.title,
      description: push.mark,
      parentCommit: parent ?? undefined,
      operations: chosen.map(({ name }, i) => ({
        operation: 'addOrUpdate',
        path: name,
        content: held[i].blob,
      })),
      accessToken: token,
      hubUrl: push.hubUrl,
      fetch: push.fetch,
      abortSignal: signal,
      // Its worker would be made from a blob: address, which our Content-Security-Policy forbids.
      useWebWorkers: false,
      // Where the server offers it: its storage lies below the Hub's own names, all that our
      // Content-Security-Policy lets through. Else the classic uploads, to wherever the server says.
      useXet: true,
    });
    let next = await events.next();
    while (!next.done) {
      counter.event(next.value);
      next = await events.next();
    }
    if (!next.value) throw new HubRefusal(null, 'the commit was not answered');
    counter.done();
    const page = `${push.hubUrl}/${repo}`;
    const url = push.branch === 'main' ? page : `${page}/tree/${encodeURIComponent(push.branch)}`;
    return { url, commit: next.value.commit.oid };
  } catch (error) {
    throw cleaned(error);
  } finally {
    for (const file of held) await file.dispose();
  }

  /** The error that the caller sees: nothing of a request, a response or the token is left in it. */
  function cleaned(error: unknown): unknown {
    if (signal?.aborted) return signal.reason;
    if (error instanceof UserError) return error;
    const text =
      error instanceof HubRefusal
        ? explain(error, repo, hub)
        : `The push failed: ${(error as Error).message}`;
    const state = inDoubt
      ? `Whether the commit arrived is not known: look at ${repo} before you push again.`
      : `No file in ${repo} was changed.`;
    return new UserError(`${withoutToken(text, token)} ${state}`);
  }
}
