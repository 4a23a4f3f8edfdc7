// The `fetch` that the Hub's library is given: it tries again what may be tried again, turns every refusal into a
// HubRefusal without the token in it, and sends the token to the Hub's own origin alone.

/** How often and how patiently a request is repeated. Times in milliseconds. */
export interface RetryPolicy {
  /** Tries in all, the first one included. */
  readonly attempts: number;
  /** Wait before the second try; doubled each time. */
  readonly firstDelay: number;
  /** No wait is longer; a server that asks for a longer one is not asked again. */
  readonly longestDelay: number;
  /** Time for an answer; uploads get a second more for every 10 kB. */
  readonly timeout: number;
}

export const defaultRetries: RetryPolicy = {
  attempts: 5,
  firstDelay: 1_000,
  longestDelay: 60_000,
  timeout: 120_000,
};

/** A request that failed for good. `status` is null where no whole answer came. */
export class HubRefusal extends Error {
  override name = 'HubRefusal';
  readonly status: number | null;
  /** What the server or the connection said, the token taken out. */
  readonly detail: string;
  /** Seconds the server asks to wait, where it does. */
  readonly retryAfter: number | null;

  constructor(status: number | null, detail: string, retryAfter: number | null = null) {
    super(status === null ? detail : `${status} ${detail}`);
    this.status = status;
    this.detail = detail;
    this.retryAfter = retryAfter;
  }
}

export interface HubFetchOptions {
  hub: URL;
  token: string;
  fetch: typeof fetch;
  retries: RetryPolicy;
  /**
   * Asked where a commit may have arrived though its answer did not: the answer that it would have had, or null where
   * it did not arrive.
   */
  findCommit(): Promise<Response | null>;
}

/** What the library hands to `fetch` with each part of a large file. */
interface ProgressHint {
  part?: number;
  numParts?: number;
  progressCallback(progress: number): void;
}

const longestDetail = 300;
const worthAnotherTry = [408, 425, 429, 500, 502, 503, 504];

export function withoutToken(text: string, token: string): string {
  return text.replaceAll(token, '[token]');
}

/** Resolves after `milliseconds`; rejects with the signal's reason when that comes first. */
export async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Seconds of a Retry-After header: a number, or a date. */
export function secondsToWait(headers: Headers): number | null {
  const text = headers.get('retry-after')?.trim();
  if (!text) return null;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

/** What the Hub says in an error: JSON with `error` or `message`, or plain text. */
export function saidBy(body: string, headers: Headers): string {
  const inHeader = headers.get('x-error-message');
  if (inHeader) return inHeader;
  try {
    const json = JSON.parse(body) as Record<string, unknown>;
    const parts = [json.error ?? json.message, json.error_description];
    return parts.filter((part) => typeof part === 'string').join(': ');
  } catch {
    return headers.get('content-type')?.startsWith('text/plain') ? body : '';
  }
}

/** One try: an answer with status 2xx or 3xx whose body is all here, or a HubRefusal. */
async function once(url: URL, init: RequestInit, options: HubFetchOptions): Promise<Response> {
  const size = init.body instanceof Blob ? init.body.size : 0;
  const limit = AbortSignal.timeout(options.retries.timeout + Math.ceil(size / 10));
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
  let answer: Response;
  let body: ArrayBuffer;
  try {
    answer = await options.fetch(url.href, { ...init, signal });
    // A connection can be lost in the midst of an answer too.
    body = await answer.arrayBuffer();
  } catch (error) {
    init.signal?.throwIfAborted();
    if (limit.aborted) throw new HubRefusal(null, 'no answer came in time');
    const cause = (error as { cause?: unknown }).cause;
    const why = cause instanceof Error && cause.message ? cause.message : String((error as Error).message);
    throw new HubRefusal(null, withoutToken(why, options.token).slice(0, longestDetail));
  }
  if (answer.ok) {
    return new Response(answer.status === 204 ? null : body, {
      status: answer.status,
      headers: answer.headers,
    });
  }
  // Only the Hub's own words: a file store's XML quotes signed addresses. The token goes before anything is cut off.
  const said =
    url.origin === options.hub.origin ? saidBy(new TextDecoder().decode(body), answer.headers) : '';
  const detail = withoutToken(said, options.token).slice(0, longestDetail);
  throw new HubRefusal(answer.status, detail, secondsToWait(answer.headers));
}

/** Milliseconds until the next try, or null where there shall be none. */
export function delayAfter(refusal: HubRefusal, attempt: number, policy: RetryPolicy): number | null {
  const { status, retryAfter } = refusal;
  if (attempt >= policy.attempts || (status !== null && !worthAnotherTry.includes(status))) return null;
  const backOff = Math.min(policy.firstDelay * 2 ** (attempt - 1), policy.longestDelay);
  const asked = retryAfter === null ? backOff * (0.5 + Math.random() / 2) : retryAfter * 1000;
  return asked <= policy.longestDelay ? asked : null;
}

/** A `fetch` for @huggingface/hub. Rejects with HubRefusal for every answer but 2xx, or with the signal's reason. */
export function hubFetch(options: HubFetchOptions): typeof fetch {
  const { hub, token, retries } = options;
  const partsDone = new WeakMap<object, number>();

  /** The library counts on its fetch for the progress of a file sent in parts. */
  function countPart(hint: ProgressHint | undefined): void {
    if (hint?.part === undefined || !hint.numParts) return;
    const done = (partsDone.get(hint.progressCallback) ?? 0) + 1;
    partsDone.set(hint.progressCallback, done);
    hint.progressCallback(done / hint.numParts);
  }

  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init.headers);
    // The library does not send it elsewhere; a changed library shall not either.
    if (url.origin !== hub.origin && headers.get('authorization')?.includes(token))
      headers.delete('authorization');
    const request: RequestInit = {
      method: init.method,
      body: init.body,
      signal: init.signal,
      headers,
      credentials: 'omit',
      cache: 'no-store',
      referrerPolicy: 'no-referrer',
    };
    const isCommit = init.method === 'POST' && /^\/api\/models\/[^/]+\/[^/]+\/commit\//.test(url.pathname);
    let mayHaveArrived = false;
    for (let attempt = 1; ; attempt++) {
      init.signal?.throwIfAborted();
      try {
        const answer = await once(url, request, options);
        countPart((init as { progressHint?: ProgressHint }).progressHint);
        return answer;
      } catch (error) {
        if (!(error instanceof HubRefusal)) throw error;
        mayHaveArrived ||= isCommit && (error.status === null || error.status >= 500);
        const commit = mayHaveArrived ? await options.findCommit() : null;
        if (commit) return commit;
        const delay = delayAfter(error, attempt, retries);
        if (delay === null) throw error;
        await wait(delay, init.signal ?? undefined);
      }
    }
  };
}
