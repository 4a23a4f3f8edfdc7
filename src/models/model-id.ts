/** What people type or paste to name a model on the Hub. */
import { UserError } from '../errors.ts';

/** A repository of models, and a branch, tag or commit of it. */
export interface HubModel {
  /** `owner/name`. */
  readonly id: string;
  readonly revision: string;
}

const hosts = ['huggingface.co', 'www.huggingface.co', 'hf.co'];
const expected = 'expected owner/name, such as HuggingFaceTB/SmolVLM-256M-Instruct, or its address';
const otherKinds = ['datasets', 'spaces', 'docs', 'papers', 'collections', 'blog'];

const quoted = (text: string) => JSON.stringify(text.slice(0, 200));

/** The parts of a path behind the host: `owner/name`, and the revision of …/tree/main, …/blob/main/config.json. */
function fromPath(path: string, typed: string): { id: string; revision?: string } {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts[0] === 'models') parts.shift();
  if (otherKinds.includes(parts[0])) {
    throw new UserError(`${quoted(typed)} is no model, but one of the Hub's ${parts[0]}; ${expected}.`);
  }
  if (parts.length < 2) throw new UserError(`${quoted(typed)} names no model; ${expected}.`);
  const [owner, name, view, ...rest] = parts;
  const hasRevision = ['tree', 'blob', 'resolve', 'raw', 'commit'].includes(view) && rest.length > 0;
  if (!hasRevision) return { id: `${owner}/${name}` };
  // A pull request's files are at refs/pr/7.
  return { id: `${owner}/${name}`, revision: rest[0] === 'refs' ? rest.slice(0, 3).join('/') : rest[0] };
}

function fromAddress(text: string): { id: string; revision?: string } {
  let url: URL;
  try {
    url = new URL(/^https?:/i.test(text) ? text : `https://${text}`);
  } catch {
    throw new UserError(`${quoted(text)} is no address; ${expected}.`);
  }
  if (!hosts.includes(url.hostname))
    throw new UserError(`${quoted(text)} is not on huggingface.co; ${expected}.`);
  let path: string;
  try {
    path = decodeURIComponent(url.pathname);
  } catch {
    throw new UserError(`${quoted(text)} is no address; ${expected}.`);
  }
  return fromPath(path, text);
}

/** Throws UserError unless `revision` can be a branch, a tag or a commit. */
function checkRevision(revision: string): void {
  if (
    !/^[A-Za-z0-9][A-Za-z0-9._/+-]*$/.test(revision) ||
    revision.length > 200 ||
    /\.\.|\/\/|\/$/.test(revision)
  ) {
    throw new UserError(
      `${quoted(revision)} cannot be a revision; expected a branch, a tag or a commit's hash, such as main.`,
    );
  }
}

/**
 * The model that `text` names: `owner/name`, `owner/name@revision`, or an address on huggingface.co, also of a branch or
 * a file there. `revision` goes before what the text says; main is what is left. Throws UserError for anything else.
 */
export function parseHubModel(text: string, revision?: string): HubModel {
  const typed = text.trim();
  const isAddress =
    /^https?:\/\//i.test(typed) || hosts.some((host) => typed.toLowerCase().startsWith(`${host}/`));
  let found: { id: string; revision?: string };
  if (isAddress) found = fromAddress(typed);
  else {
    const [id, at, ...more] = typed.split('@');
    if (more.length > 0) throw new UserError(`${quoted(typed)} names no model; ${expected}.`);
    found = { id, revision: at };
  }
  const part = '[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?';
  if (!new RegExp(`^${part}/${part}$`).test(found.id) || found.id.length > 96 || /--|\.\./.test(found.id))
    throw new UserError(`${quoted(found.id)} names no model; ${expected}.`);
  const chosen = revision?.trim() || found.revision || 'main';
  checkRevision(chosen);
  return { id: found.id, revision: chosen };
}
