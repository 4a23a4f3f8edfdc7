/** Models on the Hub: what a repository holds at one commit, by @huggingface/hub and the Hub's documented addresses. */
import { HUB_URL, listFiles, modelInfo } from '@huggingface/hub';
import { UserError } from '../errors.ts';
import type { RemoteFile, RemoteModel } from './cache.ts';
import type { CachedModel } from './cache-index.ts';
import { type HubAsked, hubError } from './explain.ts';
import type { HubModel } from './model-id.ts';
import { Refused, request, type WebOptions } from './web-request.ts';

export interface HubOptions extends WebOptions {
  /** Kept in memory for as long as the download lasts, and nowhere else; sent to the Hub's own origin alone. */
  readonly token?: string;
  /** Another Hub. Default: the library's own. */
  readonly hubUrl?: string;
}

/** The key of a commit of a model in the cache. */
export const hubKey = (id: string, commit: string) => `hub:${id}@${commit}`;

export const isCommit = (revision: string) => /^[0-9a-f]{40}$/.test(revision);

function checkToken(token: string | undefined): string | undefined {
  const trimmed = token?.trim();
  // The message does not quote it.
  if (trimmed && !/^hf_[\x21-\x7e]+$/.test(trimmed)) {
    throw new UserError('token: this is no access token of the Hub: expected one that begins with hf_.');
  }
  return trimmed || undefined;
}

interface Server {
  readonly hub: string;
  readonly token?: string;
  readonly headers: Record<string, string>;
}

function serverOf(options: HubOptions): Server {
  const token = checkToken(options.token);
  return {
    hub: (options.hubUrl ?? HUB_URL).replace(/\/+$/, ''),
    token,
    headers: token ? { Authorization: `Bearer ${token}` } : {},
  };
}

/** The refusal as a sentence; other errors as they are. */
const explain = (error: unknown, asked: HubAsked) =>
  error instanceof Refused ? hubError(error, asked) : error;

function fileUrl({ hub }: Server, id: string, commit: string, name: string): URL {
  return new URL(`${hub}/${id}/resolve/${commit}/${encodeURIComponent(name)}`);
}

/**
 * The files of `model` at the commit that its revision is now. Throws UserError where the Hub refuses, Refused where it
 * cannot be reached, is not well or has no time (429), or the signal's reason.
 */
export async function hubModel(model: HubModel, options: HubOptions = {}): Promise<RemoteModel> {
  const { id, revision } = model;
  const server = serverOf(options);
  const { hub, token } = server;
  const asked = { ...model, page: `${hub}/${id}`, hasToken: Boolean(token), isGated: false };
  // The library's errors know neither Retry-After nor the Hub's error codes: it is given answers with status 2xx alone.
  const libraryFetch: typeof fetch = (input, init) =>
    request(
      new URL(input instanceof Request ? input.url : input),
      Object.fromEntries(new Headers(init?.headers)),
      options,
      token,
    );
  const shared = { accessToken: token, hubUrl: hub, fetch: libraryFetch };
  let commit: string | undefined;
  const files = new Map<string, RemoteFile>();
  try {
    const info = await modelInfo({ name: id, revision, additionalFields: ['sha'], ...shared });
    commit = info.sha;
    asked.isGated = Boolean(info.gated);
    if (!commit || !isCommit(commit)) {
      throw new UserError(`The Hub did not say which commit "${revision}" of ${id} is: try again.`);
    }
    for await (const { type, path, size, oid, lfs } of listFiles({
      repo: { type: 'model', name: id },
      revision: commit,
      ...shared,
    })) {
      if (type !== 'file') continue;
      // A large file's own oid is that of the pointer in git.
      files.set(path, {
        name: path,
        size: lfs?.size ?? size,
        ...(lfs ? { sha256: lfs.oid.replace(/^sha256:/, '') } : oid && { gitBlob: oid }),
      });
    }
  } catch (error) {
    const isUnreachable =
      error instanceof Refused && (error.status === null || error.status === 429 || error.status >= 500);
    throw isUnreachable ? error : explain(error, asked);
  }
  const known = commit;
  return {
    key: hubKey(id, known),
    kind: 'hub',
    name: id,
    revision,
    commit: known,
    where: id,
    names: [...files.keys()],
    find: async (name) => files.get(name) ?? null,
    url: (name) => fileUrl(server, id, known, name),
    headers: server.headers,
    token,
    explain: (error) => explain(error, asked),
  };
}

/** A model that is kept, as its commit on the Hub: nothing is asked unless something of it is damaged. */
export function keptHubModel(kept: CachedModel, options: HubOptions = {}): RemoteModel {
  const server = serverOf(options);
  const asked: HubAsked = {
    id: kept.name,
    revision: kept.commit!,
    page: `${server.hub}/${kept.name}`,
    hasToken: Boolean(server.token),
    isGated: false,
  };
  return {
    ...kept,
    where: kept.name,
    names: kept.files.map(({ name }) => name),
    find: async (name) => kept.files.find((file) => file.name === name) ?? null,
    url: (name) => fileUrl(server, kept.name, kept.commit!, name),
    headers: server.headers,
    token: server.token,
    explain: (error) => explain(error, asked),
  };
}

/** What to throw where the Hub could not be asked and nothing is kept. */
export function unreachableHub(refusal: Refused, model: HubModel, options: HubOptions): UserError {
  const { hub, token } = serverOf(options);
  return hubError(refusal, {
    ...model,
    page: `${hub}/${model.id}`,
    hasToken: Boolean(token),
    isGated: false,
  });
}
