/** One request for something to download: repeated where that may help, its body left to be streamed. */
import {
  defaultRetries,
  delayAfter,
  HubRefusal,
  type RetryPolicy,
  saidBy,
  secondsToWait,
  wait,
  withoutToken,
} from '../export/hub-fetch.ts';

export interface WebOptions {
  readonly fetch?: typeof fetch;
  readonly retries?: Partial<RetryPolicy>;
  readonly signal?: AbortSignal;
}

/** A request that failed for good. */
export class Refused extends HubRefusal {
  override name = 'Refused';
  /** The Hub's own word for what is wrong (X-Error-Code): GatedRepo, RepoNotFound, RevisionNotFound, EntryNotFound, … */
  readonly code: string | null;
  readonly headers: Headers | null;

  constructor(
    status: number | null,
    detail: string,
    retryAfter: number | null = null,
    headers: Headers | null = null,
  ) {
    super(status, detail, retryAfter);
    this.code = headers?.get('x-error-code') ?? null;
    this.headers = headers;
  }
}

export const retriesOf = ({ retries }: WebOptions): RetryPolicy => ({ ...defaultRetries, ...retries });

const longestDetail = 300;

/** The browser knows that there is no network: asking again would only take time. */
export const isOffline = () => (globalThis.navigator as Partial<Navigator> | undefined)?.onLine === false;

/** What a failed connection said. */
export function connectionError(error: unknown, token = ''): Refused {
  const cause = (error as { cause?: unknown }).cause;
  const why = cause instanceof Error && cause.message ? cause.message : String((error as Error).message);
  const text = token ? withoutToken(why, token) : why;
  return new Refused(null, text.slice(0, longestDetail));
}

async function once(url: URL, headers: Headers, token: string, options: WebOptions): Promise<Response> {
  const { signal } = options;
  const limit = new AbortController();
  // Until the answer begins; its body may take as long as it keeps coming.
  const timer = setTimeout(() => limit.abort(), retriesOf(options).timeout);
  let response: Response;
  try {
    response = await (options.fetch ?? fetch)(url.href, {
      headers,
      signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
      credentials: 'same-origin',
      // A copy in the browser's cache beside the one that is kept here would take the room twice.
      cache: 'no-store',
      // The Hub turns some referrers away.
      referrerPolicy: 'no-referrer',
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw limit.signal.aborted ? new Refused(null, 'no answer came in time') : connectionError(error, token);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  const body = await response.text().catch(() => '');
  const said = saidBy(body, response.headers);
  const detail = (token ? withoutToken(said, token) : said).slice(0, longestDetail);
  throw new Refused(response.status, detail, secondsToWait(response.headers), response.headers);
}

/**
 * The answer to a GET, with status 2xx. Lost connections, 408, 425, 429 and 5xx are tried again with growing delays, or
 * when the server says (Retry-After). Throws Refused, or the signal's reason. `token` is kept out of every message.
 */
export async function request(
  url: URL,
  headers: Record<string, string>,
  options: WebOptions,
  token = '',
): Promise<Response> {
  const policy = retriesOf(options);
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted();
    try {
      return await once(url, new Headers(headers), token, options);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const delay = error.status === null && isOffline() ? null : delayAfter(error, attempt, policy);
      if (delay === null) throw error;
      await wait(delay, options.signal);
    }
  }
}
