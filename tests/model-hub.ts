/**
 * As much of the Hub as a download asks for, and the trouble that a test wants: a function from requests to answers,
 * which tests/model-hub-server.ts puts behind HTTP, and browser tests behind `fetch`.
 */

export interface AskedFor {
  readonly path: string;
  readonly range: string | null;
  readonly ifRange: string | null;
  readonly authorization: string | null;
  /** Large files come from another origin. */
  readonly to: 'hub' | 'store';
}

export interface Trouble {
  /** An answer in place of the right one. */
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** The connection is lost after so many bytes of the body. */
  readonly cutAfter?: number;
  /** Range is passed over. */
  readonly noRange?: boolean;
  /** A byte of the body is wrong. */
  readonly damage?: boolean;
  /** Range is passed over, and the size is not told. */
  readonly noLength?: boolean;
  /** Milliseconds between chunks. */
  readonly slow?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  readonly cutAfter?: number;
  readonly slow?: number;
}

export interface FakeRepo {
  /** By branch or tag. */
  readonly revisions: Map<string, string>;
  /** By commit. */
  readonly commits: Map<string, Map<string, Uint8Array>>;
  gated: false | 'auto' | 'manual';
  isPrivate: boolean;
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const hex = (bytes: ArrayBuffer) =>
  Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
const digest = async (name: string, bytes: Uint8Array) =>
  hex(await crypto.subtle.digest(name, bytes as Uint8Array<ArrayBuffer>));

async function gitBlobOid(bytes: Uint8Array): Promise<string> {
  const head = utf8(`blob ${bytes.byteLength}\0`);
  const all = new Uint8Array(head.byteLength + bytes.byteLength);
  all.set(head);
  all.set(bytes, head.byteLength);
  return digest('SHA-1', all);
}

export class FakeModelHub {
  /** Where this answers, set by what puts it behind something. */
  hubUrl = 'https://hub.test';
  storeUrl = 'https://store.test';
  readonly token = 'hf_FakeTokenOfATest0123456789';
  readonly repos = new Map<string, FakeRepo>();
  readonly requests: AskedFor[] = [];
  /** Asked for each request. */
  trouble: ((asked: AskedFor) => Trouble | undefined) | null = null;
  private readonly objects = new Map<string, Uint8Array>();
  private made = 0;

  /** A new commit of `id` with these files at `revision`. Returns its hash. */
  commit(id: string, files: Record<string, Uint8Array | string>, revision = 'main'): string {
    const repo: FakeRepo = this.repos.get(id) ?? {
      revisions: new Map(),
      commits: new Map(),
      gated: false,
      isPrivate: false,
    };
    this.repos.set(id, repo);
    const commit = (++this.made).toString(16).padStart(40, 'c');
    repo.revisions.set(revision, commit);
    repo.commits.set(
      commit,
      new Map(
        Object.entries(files).map(([name, data]) => [name, typeof data === 'string' ? utf8(data) : data]),
      ),
    );
    return commit;
  }

  /** Requests for the content of files: names, with the first byte that was asked for. */
  get downloads(): string[] {
    return this.requests
      .filter(({ path }) => path.includes('/resolve/'))
      .map(({ path, range }) => `${path.split('/').at(-1)} ${/\d+/.exec(range ?? '')?.[0] ?? 'all'}`);
  }

  private isLarge = (name: string) => name.endsWith('.safetensors') || name.endsWith('.bin');

  private error(status: number, code: string, message: string): Answer {
    return {
      status,
      headers: { 'Content-Type': 'application/json', 'X-Error-Code': code, 'X-Error-Message': message },
      body: utf8(JSON.stringify({ error: message })),
    };
  }

  private json(value: unknown, headers: Record<string, string> = {}): Answer {
    return {
      status: 200,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: utf8(JSON.stringify(value)),
    };
  }

  async answer(url: URL, headers: Headers, to: 'hub' | 'store'): Promise<Answer> {
    const asked: AskedFor = {
      path: decodeURIComponent(url.pathname),
      range: headers.get('range'),
      ifRange: headers.get('if-range'),
      authorization: headers.get('authorization'),
      to,
    };
    this.requests.push(asked);
    const trouble = this.trouble?.(asked) ?? {};
    if (trouble.status) {
      return { status: trouble.status, headers: trouble.headers ?? {}, body: utf8(trouble.body ?? '') };
    }
    return { ...(await this.right(asked, url, trouble)), cutAfter: trouble.cutAfter, slow: trouble.slow };
  }

  private async right(asked: AskedFor, url: URL, trouble: Trouble): Promise<Answer> {
    if (asked.to === 'store') {
      const bytes = this.objects.get(asked.path.slice(1));
      if (!bytes) return this.error(403, '', 'no such object');
      return this.file(bytes, `"store-${asked.path.slice(1, 9)}"`, asked, trouble);
    }
    const isKnown = asked.authorization === `Bearer ${this.token}`;
    if (asked.authorization && !isKnown)
      return this.error(401, '', 'Invalid credentials in Authorization header');
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(asked.path);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(asked.path);
    const [, id, view, rest] = api ?? [null, resolve?.[1], 'resolve', ''];
    const repo = this.repos.get(id ?? '');
    if (!repo || (repo.isPrivate && !isKnown)) {
      return isKnown
        ? this.error(404, 'RepoNotFound', 'Repository not found')
        : this.error(401, 'RepoNotFound', 'Invalid username or password.');
    }
    const revision = resolve?.[2] ?? rest;
    const commit = repo.commits.has(revision) ? revision : repo.revisions.get(revision);
    if (!commit) return this.error(404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    const files = repo.commits.get(commit)!;
    if (view === 'revision')
      return this.json({ _id: 'x', id, sha: commit, gated: repo.gated, private: repo.isPrivate });
    if (view === 'tree') return this.tree(id!, commit, files, url);
    if (repo.gated && !isKnown) {
      return this.error(401, 'GatedRepo', `Access to model ${id} is restricted. Please log in.`);
    }
    const bytes = files.get(resolve![3]);
    if (!bytes) return this.error(404, 'EntryNotFound', 'Entry not found');
    if (!this.isLarge(resolve![3])) return this.file(bytes, `"${await gitBlobOid(bytes)}"`, asked, trouble);
    const oid = await digest('SHA-256', bytes);
    this.objects.set(oid, bytes);
    return {
      status: 302,
      headers: {
        Location: `${this.storeUrl}/${oid}`,
        'X-Linked-ETag': `"${oid}"`,
        'X-Linked-Size': String(bytes.byteLength),
      },
      body: new Uint8Array(),
    };
  }

  /** Two files a page, to see that all pages are read. */
  private async tree(id: string, commit: string, files: Map<string, Uint8Array>, url: URL): Promise<Answer> {
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const entries: unknown[] = [{ type: 'directory', path: 'onnx', size: 0, oid: 'd'.repeat(40) }];
    for (const [path, bytes] of files) {
      const lfs = { oid: await digest('SHA-256', bytes), size: bytes.byteLength, pointerSize: 130 };
      const isLarge = this.isLarge(path);
      const oid = isLarge ? 'e'.repeat(40) : await gitBlobOid(bytes);
      entries.push({ type: 'file', path, size: bytes.byteLength, oid, ...(isLarge && { lfs }) });
    }
    const next = `${this.hubUrl}/api/models/${id}/tree/${commit}?cursor=${from + 2}`;
    return this.json(
      entries.slice(from, from + 2),
      from + 2 < entries.length ? { Link: `<${next}>; rel="next"` } : {},
    );
  }

  private file(bytes: Uint8Array, etag: string, { range, ifRange }: AskedFor, trouble: Trouble): Answer {
    return rangeAnswer(bytes, etag, range, ifRange, trouble);
  }
}

/** A static server's answer. One with the ETag `*` does not know If-Range. */
export function rangeAnswer(
  bytes: Uint8Array,
  etag: string,
  range: string | null,
  ifRange: string | null,
  trouble: Trouble,
): Answer {
  const headers: Record<string, string> = { ETag: etag, 'Content-Type': 'application/octet-stream' };
  const damaged = (part: Uint8Array) => {
    if (!trouble.damage || part.byteLength === 0) return part;
    const copy = part.slice();
    copy[copy.byteLength >> 1] ^= 1;
    return copy;
  };
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  const isWhole =
    first === undefined ||
    trouble.noRange ||
    trouble.noLength ||
    (ifRange !== null && ifRange !== etag && etag !== '*');
  if (isWhole) {
    if (!trouble.noLength) headers['Content-Length'] = String(bytes.byteLength);
    return { status: 200, headers, body: damaged(bytes) };
  }
  const begin = Number(first);
  if (begin >= bytes.byteLength) {
    return {
      status: 416,
      headers: { ...headers, 'Content-Range': `bytes */${bytes.byteLength}` },
      body: new Uint8Array(),
    };
  }
  const end = Math.min(bytes.byteLength, last ? Number(last) + 1 : Infinity);
  headers['Content-Range'] = `bytes ${begin}-${end - 1}/${bytes.byteLength}`;
  headers['Content-Length'] = String(end - begin);
  return { status: 206, headers, body: damaged(bytes.subarray(begin, end)) };
}

/** `answer`'s body in chunks, broken off where that is asked for. */
export async function* chunksOf({ body, cutAfter, slow }: Answer, size = 16_384): AsyncGenerator<Uint8Array> {
  const end = Math.min(body.byteLength, cutAfter ?? Infinity);
  for (let at = 0; at < end; at += size) {
    if (slow) await new Promise((resolve) => setTimeout(resolve, slow));
    yield body.subarray(at, Math.min(end, at + size));
  }
  if (end < body.byteLength) throw new Error('cut');
}

/** The hub behind `fetch`, redirects followed. */
export function fetchFrom(hub: FakeModelHub): typeof fetch {
  return async (input, init) => {
    let url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    for (;;) {
      init?.signal?.throwIfAborted();
      const to = url.origin === hub.storeUrl ? 'store' : 'hub';
      if (to === 'store') headers.delete('authorization');
      const answer = await hub.answer(url, headers, to);
      if (answer.status === 302) {
        url = new URL(answer.headers.Location);
        continue;
      }
      const chunks = chunksOf(answer);
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            if (init?.signal?.aborted) return controller.error(init.signal.reason);
            try {
              const { value, done } = await chunks.next();
              if (done) controller.close();
              else controller.enqueue(value);
            } catch (error) {
              controller.error(error);
            }
          },
        },
        { highWaterMark: 0 },
      );
      return new Response(answer.body.byteLength === 0 ? null : body, {
        status: answer.status,
        headers: answer.headers,
      });
    }
  };
}
