/** Refusals as sentences that say what to do. */
import { UserError } from '../errors.ts';
import type { HubModel } from './model-id.ts';
import { isOffline, type Refused } from './web-request.ts';

const pick = 'or download the folder there and pick it here';

/** What is known of a request that the Hub refused. */
export interface HubAsked extends HubModel {
  /** The model's address. */
  readonly page: string;
  readonly hasToken: boolean;
  /** The Hub has said that a licence must be accepted. */
  readonly isGated: boolean;
}

/** What to tell somebody who asked the Hub for a model. */
export function hubError(refusal: Refused, { id, revision, page, hasToken, isGated }: HubAsked): UserError {
  const { status, code, detail, retryAfter } = refusal;
  const said = detail ? ` The Hub said: ${detail}` : '';
  if (status === null) return offlineError(refusal, 'The Hub', 'pick the model as a folder or a zip');
  if (code === 'GatedRepo' || (isGated && (status === 401 || status === 403))) {
    return new UserError(
      hasToken
        ? `${id} is gated, and this token has no access to it (${status}): accept the licence at ${page} with the token's account, and see that the token may read gated repositories, ${pick}.`
        : `${id} is gated (${status}): accept the licence at ${page} and give an access token (hf_…), ${pick}.`,
    );
  }
  if (code === 'DisabledRepo') return new UserError(`${id} was disabled by the Hub (${status}).${said}`);
  if (code === 'RevisionNotFound' || (status === 404 && /invalid rev|revision/i.test(detail))) {
    return new UserError(
      `${id} has no revision "${revision}" (${status}): look at the branches, tags and commits at ${page}/tree/main, or leave the revision out for main.`,
    );
  }
  if (status === 401 && hasToken && code !== 'RepoNotFound') {
    return new UserError(`The Hub refused the token (401): it is wrong, or no longer valid.${said}`);
  }
  if (status === 401 || code === 'RepoNotFound' || (status === 404 && code !== 'EntryNotFound')) {
    // The Hub does not tell a stranger whether a private repository exists.
    const whenPrivate = hasToken
      ? 'If it is private, this token has no access to it.'
      : 'If it is private or gated, give an access token (hf_…).';
    return new UserError(
      `The Hub has no model ${id} (${status}): is it spelt as at ${page}, capitals and hyphens too? ${whenPrivate}`,
    );
  }
  if (status === 404)
    return new UserError(`${id} no longer has a file that it listed (404): load it again.${said}`);
  if (status === 403) return new UserError(`The Hub does not give ${id} away (403): look at ${page}.${said}`);
  if (status === 429) return tooManyError('The Hub', retryAfter);
  if (status >= 500) {
    return new UserError(
      `The Hub is not well (${status}), also when asked again: try later, ${pick}.${said}`,
    );
  }
  return new UserError(`The Hub refused ${id} (${status}).${said}`);
}

/** The same for an address on the page's own origin. */
export function siteError(refusal: Refused, url: string): UserError {
  const { status, detail, retryAfter } = refusal;
  if (status === null) return offlineError(refusal, url, 'pick the model as a folder or a zip');
  if (status === 429) return tooManyError(url, retryAfter);
  const said = detail ? ` It said: ${detail}` : '';
  const again = status >= 500 ? ', also when asked again' : '';
  return new UserError(`${url} could not be loaded: the server answered ${status}${again}.${said}`);
}

function offlineError({ detail }: Refused, what: string, instead: string): UserError {
  return new UserError(
    isOffline()
      ? `There is no network: connect and try again, ${instead}, or choose a model that is kept in this browser.`
      : `${what} cannot be reached (${detail}): look at the connection and try again, or ${instead}. What has arrived is kept.`,
  );
}

function tooManyError(what: string, retryAfter: number | null): UserError {
  const when = retryAfter === null ? 'in some minutes' : `in ${Math.ceil(retryAfter)} seconds`;
  return new UserError(
    `${what} has had too many requests (429): try again ${when}. What has arrived is kept.`,
  );
}
