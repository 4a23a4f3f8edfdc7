/** tests/model-hub.ts behind HTTP: the Hub at one port, its store of large files at another, and a plain static site. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Answer, chunksOf, FakeModelHub, rangeAnswer, type Trouble } from './model-hub.ts';

async function listen(handler: RequestListener): Promise<[Server, string]> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

const headersOf = (request: IncomingMessage) =>
  new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));

async function* paced(answer: Answer): AsyncGenerator<Uint8Array> {
  try {
    yield* chunksOf(answer);
  } catch (error) {
    // What was written shall arrive before the connection is lost.
    await new Promise((resolve) => setTimeout(resolve, 50));
    throw error;
  }
}

async function send(answer: Answer, response: ServerResponse): Promise<void> {
  response.writeHead(answer.status, answer.headers);
  response.flushHeaders();
  // A cut, or a client that has gone.
  await pipeline(Readable.from(paced(answer)), response).catch(() => {});
}

export async function startModelHub(): Promise<FakeModelHub & { close(): Promise<void> }> {
  const hub = new FakeModelHub();
  const at = (to: 'hub' | 'store') =>
    listen((request, response) => {
      hub
        .answer(new URL(request.url!, 'http://localhost'), headersOf(request), to)
        .then((answer) => send(answer, response))
        .catch(() => response.destroy());
    });
  const [hubServer, hubUrl] = await at('hub');
  const [storeServer, storeUrl] = await at('store');
  return Object.assign(hub, {
    hubUrl,
    storeUrl,
    close: async () => {
      await close(hubServer);
      await close(storeServer);
    },
  });
}

export interface StaticSite {
  url: string;
  files: Map<string, { bytes: Uint8Array; etag: string }>;
  /** `name first-byte`, in order. */
  requests: string[];
  trouble: ((name: string, range: string | null) => Trouble | undefined) | null;
  close(): Promise<void>;
}

/** Serves `files` at /models/own/. */
export async function startSite(): Promise<StaticSite> {
  const site: Pick<StaticSite, 'files' | 'requests' | 'trouble'> = {
    files: new Map(),
    requests: [],
    trouble: null,
  };
  const [server, origin] = await listen((request, response) => {
    const name = decodeURIComponent(request.url!).replace('/models/own/', '');
    const range = request.headers.range ?? null;
    site.requests.push(`${name} ${range?.replace('bytes=', '') ?? 'all'}`);
    const trouble = site.trouble?.(name, range) ?? {};
    const file = site.files.get(name);
    const answer: Answer = trouble.status
      ? { status: trouble.status, headers: trouble.headers ?? {}, body: new Uint8Array() }
      : file
        ? rangeAnswer(file.bytes, file.etag, range, (request.headers['if-range'] as string) ?? null, trouble)
        : { status: 404, headers: {}, body: new Uint8Array() };
    void send({ ...answer, cutAfter: trouble.cutAfter, slow: trouble.slow }, response);
  });
  return Object.assign(site, { url: `${origin}/models/own/`, close: () => close(server) });
}
