/**
 * A local server that speaks as much of a model hub's API as @huggingface/hub uses for a push, with the trouble that
 * a test asks for. Large files go to a second server, as they go to a file store elsewhere in earnest.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What goes wrong with a request: nothing of it is done, all but the answer, the answer is cut off, or a refusal. */
export type Fault =
  | { kind: 'drop' | 'drop-answer' | 'cut-answer' }
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string }
  | { kind: 'slow'; milliseconds: number };

export interface RecordedRequest {
  /** From 1, over both servers. */
  n: number;
  method: string;
  url: string;
  to: 'hub' | 'store';
  authorization: string | null;
  body: Buffer;
}

interface Commit {
  oid: string;
  title: string;
  message: string;
  files: Map<string, Buffer>;
}

interface Repo {
  isPrivate: boolean;
  /** By branch, oldest first. */
  branches: Map<string, Commit[]>;
}

export interface FakeHub {
  url: string;
  token: string;
  requests: RecordedRequest[];
  repos: Map<string, Repo>;
  /** Large files that have arrived, by SHA-256. */
  objects: Map<string, Buffer>;
  /** Asked for each request; may look at it and do things. */
  fault: ((request: RecordedRequest) => Fault | undefined) | null;
  /** The files of a branch's last commit. */
  files(repo: string, branch?: string): Map<string, Buffer>;
  commits(repo: string, branch?: string): Commit[];
  /** A commit by somebody else. */
  commitBySomebody(repo: string, files: Record<string, string>): void;
  close(): Promise<void>;
}

interface Answer {
  status: number;
  json?: unknown;
  headers?: Record<string, string>;
}

/** `partSize`: large files are asked for in parts of this many bytes. `largeFrom`: the smallest large file. */
export async function startFakeHub({
  token = 'hf_FakeTokenOfATest0123456789',
  user = 'somebody',
  largeFrom = 1000,
  partSize = 0,
  mayWrite = true,
} = {}): Promise<FakeHub> {
  const repos = new Map<string, Repo>();
  const objects = new Map<string, Buffer>();
  const parts = new Map<string, Map<number, Buffer>>();
  const requests: RecordedRequest[] = [];
  const hash = () => randomBytes(20).toString('hex');
  const error = (status: number, message: string): Answer => ({ status, json: { error: message } });

  function branchOf(name: string, branch: string): Commit[] | undefined {
    return repos.get(name)?.branches.get(branch === 'HEAD' ? 'main' : branch);
  }

  function batch(request: { objects: { oid: string; size: number }[] }): Answer {
    const answers = request.objects.map(({ oid, size }) => {
      if (objects.has(oid)) return { oid, size };
      if (!partSize) return { oid, size, actions: { upload: { href: `${storeUrl}/${oid}` } } };
      const header: Record<string, string> = { chunk_size: String(partSize) };
      const count = Math.ceil(size / partSize);
      for (let i = 1; i <= count; i++) header[String(i).padStart(5, '0')] = `${storeUrl}/${oid}?part=${i}`;
      return { oid, size, actions: { upload: { href: `${storeUrl}/complete/${oid}`, header } } };
    });
    return { status: 200, json: { transfer: partSize ? 'multipart' : 'basic', objects: answers } };
  }

  /** All lines are read and checked before anything is changed. */
  function commit(name: string, branch: string, body: Buffer): Answer {
    const history = branchOf(name, branch);
    if (!history) return error(404, 'Revision not found');
    const lines = body
      .toString()
      .split('\n')
      .map((line) => JSON.parse(line));
    const files = new Map(history.at(-1)!.files);
    const { summary, description, parentCommit } = lines[0].value;
    if (lines[0].key !== 'header' || !summary) return error(400, 'The first line must be the header');
    if (parentCommit && parentCommit !== history.at(-1)!.oid) {
      return error(412, 'A commit has happened since. Please refresh and try again.');
    }
    for (const { key, value } of lines.slice(1)) {
      if (key === 'file') files.set(value.path, Buffer.from(value.content, 'base64'));
      else if (key === 'deletedFile') files.delete(value.path);
      else if (key !== 'lfsFile') return error(400, `What is ${key}?`);
      else {
        const object = objects.get(value.oid);
        if (object?.length !== value.size) return error(422, `${value.path} was never uploaded`);
        files.set(value.path, object!);
      }
    }
    const oid = hash();
    history.push({ oid, title: summary, message: description ?? '', files });
    return {
      status: 200,
      json: { success: true, commitOid: oid, commitUrl: `${hubUrl}/${name}/commit/${oid}` },
    };
  }

  function onHub({ method, url, authorization, body }: RecordedRequest): Answer {
    const path = decodeURI(new URL(url, hubUrl).pathname);
    const isRight = authorization === `Bearer ${token}`;
    if (!isRight) return error(401, 'Invalid username or password.');
    if (path === '/api/whoami-v2')
      return { status: 200, json: { type: 'user', name: user, auth: { type: 'access_token' } } };
    if (method !== 'GET' && !mayWrite) return error(403, 'This token has the role "read".');
    if (path === '/api/repos/create') {
      const { name, organization, visibility } = JSON.parse(body.toString());
      const full = `${organization}/${name}`;
      if (repos.has(full)) return error(409, 'You already created this model repo');
      const first = {
        oid: hash(),
        title: 'initial commit',
        message: '',
        files: new Map([['.gitattributes', Buffer.from('')]]),
      };
      repos.set(full, { isPrivate: visibility === 'private', branches: new Map([['main', [first]]]) });
      return { status: 200, json: { url: `${hubUrl}/${full}`, id: full } };
    }
    const lfs = /^\/([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/.exec(path);
    if (lfs)
      return repos.has(lfs[1]) ? batch(JSON.parse(body.toString())) : error(404, 'Repository not found');
    const [, name, what, encoded = ''] = /^\/api\/models\/([^/]+\/[^/]+)\/([^/]+)\/([^/]+)/.exec(path) ?? [];
    const branch = decodeURIComponent(encoded);
    const repo = repos.get(name);
    if (!repo) return error(404, 'Repository not found');
    if (what === 'branch') {
      if (repo.branches.has(branch)) return error(409, 'Reference already exists');
      repo.branches.set(branch, [...repo.branches.get('main')!]);
      return { status: 200, json: {} };
    }
    const history = branchOf(name, branch);
    if (!history) return error(404, 'Invalid rev id');
    if (what === 'revision')
      return {
        status: 200,
        json: { _id: name, id: name, sha: history.at(-1)!.oid, private: repo.isPrivate },
      };
    if (what === 'commits') {
      const list = history.map(({ oid, title, message }) => ({
        id: oid,
        title,
        message,
        authors: [{ user }],
        date: new Date(),
      }));
      return { status: 200, json: list.reverse() };
    }
    if (what === 'preupload') {
      const { files } = JSON.parse(body.toString()) as { files: { path: string; size: number }[] };
      const modes = files.map(({ path, size }) => ({
        path,
        uploadMode: size >= largeFrom ? 'lfs' : 'regular',
      }));
      return { status: 200, json: { files: modes } };
    }
    if (what === 'commit' && method === 'POST') return commit(name, branch, body);
    return error(404, 'Not found');
  }

  function keep(oid: string, bytes: Buffer): Answer {
    if (createHash('sha256').update(bytes).digest('hex') !== oid)
      return error(400, 'The checksum does not agree');
    objects.set(oid, bytes);
    return { status: 200 };
  }

  function onStore({ method, url, body }: RecordedRequest): Answer {
    const { pathname, searchParams } = new URL(url, storeUrl);
    const oid = pathname.split('/').at(-1)!;
    if (method === 'POST') {
      const arrived = parts.get(oid) ?? new Map<number, Buffer>();
      const asked = (JSON.parse(body.toString()) as { parts: { partNumber: number; etag: string }[] }).parts;
      if (asked.some(({ partNumber, etag }) => !etag || !arrived.has(partNumber)))
        return error(400, 'A part is missing');
      return keep(oid, Buffer.concat(asked.map(({ partNumber }) => arrived.get(partNumber)!)));
    }
    const part = Number(searchParams.get('part'));
    if (!part) return keep(oid, body);
    if (!parts.has(oid)) parts.set(oid, new Map());
    parts.get(oid)!.set(part, body);
    return { status: 200, headers: { ETag: `"${part}"` } };
  }

  async function handle(
    to: 'hub' | 'store',
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const cors = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Headers': '*, Authorization',
      'Access-Control-Allow-Methods': 'GET, POST, PUT',
      'Access-Control-Expose-Headers': 'ETag, Retry-After, X-Request-Id',
    };
    if (request.method === 'OPTIONS') {
      response.writeHead(204, cors).end();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const recorded: RecordedRequest = {
      n: requests.length + 1,
      method: request.method!,
      url: request.url!,
      to,
      authorization: request.headers.authorization ?? null,
      body: Buffer.concat(chunks),
    };
    requests.push(recorded);
    const fault = hub.fault?.(recorded);
    if (fault?.kind === 'drop') {
      response.destroy();
      return;
    }
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, { 'Content-Type': 'application/json', ...cors, ...fault.headers });
      response.end(fault.body ?? JSON.stringify({ error: 'as the test wants it' }));
      return;
    }
    if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, fault.milliseconds));
    const answer = to === 'hub' ? onHub(recorded) : onStore(recorded);
    if (fault?.kind === 'drop-answer') {
      response.destroy();
      return;
    }
    const text = answer.json === undefined ? '' : JSON.stringify(answer.json);
    response.writeHead(answer.status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text) + (fault?.kind === 'cut-answer' ? 10 : 0),
      ...cors,
      ...answer.headers,
    });
    if (fault?.kind === 'cut-answer') response.write(text.slice(0, -1), () => response.destroy());
    else response.end(text);
  }

  const listen = async (to: 'hub' | 'store'): Promise<[Server, string]> => {
    const server = createServer((request, response) => {
      // A request that was broken off cannot be answered.
      handle(to, request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  };
  const [hubServer, hubUrl] = await listen('hub');
  const [storeServer, storeUrl] = await listen('store');

  const hub: FakeHub = {
    url: hubUrl,
    token,
    requests,
    repos,
    objects,
    fault: null,
    commits: (repo, branch = 'main') => branchOf(repo, branch) ?? [],
    files: (repo, branch = 'main') => branchOf(repo, branch)?.at(-1)?.files ?? new Map(),
    commitBySomebody(repo, files) {
      const history = branchOf(repo, 'main')!;
      const all = new Map(history.at(-1)!.files);
      for (const [name, text] of Object.entries(files)) all.set(name, Buffer.from(text));
      history.push({ oid: hash(), title: 'Theirs', message: '', files: all });
    },
    async close() {
      for (const server of [hubServer, storeServer]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
  return hub;
}
