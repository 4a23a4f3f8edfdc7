import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserError } from '../../../src/errors.ts';
import { type HubTarget, type PushProgress, pushToHub } from '../../../src/export/hub.ts';
import { holdOnDisk } from '../../../src/export/hub-blob-node.ts';
import { bytesFile, type OutFile } from '../../../src/export/out-file.ts';
import { type FakeHub, type Fault, type RecordedRequest, startFakeHub } from '../../fake-hub.ts';

const repo = 'somebody/papo-nano';

/** Bytes that differ from file to file. */
function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

/** A file that comes in pieces, as the weights do. */
function pieces(name: string, bytes: Uint8Array<ArrayBuffer>, size = 700): OutFile {
  return {
    name,
    size: bytes.byteLength,
    async *chunks() {
      for (let at = 0; at < bytes.byteLength; at += size) yield bytes.slice(at, at + size);
    },
  };
}

const contents: Record<string, Uint8Array<ArrayBuffer>> = {
  'config.json': new TextEncoder().encode('{"model_type":"idefics3"}\n'),
  'README.md': new TextEncoder().encode('# Größe\n'),
  'model.safetensors': noise(5000, 1),
  'onnx/embed_tokens.onnx': noise(2500, 2),
  'empty.txt': new Uint8Array(0),
};
const folder = Object.entries(contents).map(([name, bytes]) => pieces(name, bytes));

let hub: FakeHub;
beforeEach(async () => {
  hub = await startFakeHub();
});
afterEach(() => hub.close());

const quick = { attempts: 4, firstDelay: 1, longestDelay: 50, timeout: 2000 };

function push(options: Partial<HubTarget> = {}, files: readonly OutFile[] = folder) {
  return pushToHub(files, { repo_id: repo, token: hub.token, hub_url: hub.url, retries: quick, ...options });
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.unreachable('it did not fail'),
    (error: Error) => error,
  );
}

function expectFolder(files: Map<string, Buffer>): void {
  expect([...files.keys()].sort()).toEqual(['.gitattributes', ...Object.keys(contents)].sort());
  for (const [name, bytes] of Object.entries(contents)) {
    expect(files.get(name)!.equals(bytes), name).toBe(true);
  }
}

/** A fault for the n-th request, and none for later ones. */
function faultAt(n: number, fault: Fault) {
  return (request: RecordedRequest) => (request.n === n ? fault : undefined);
}

describe('a push', () => {
  it('brings every file byte for byte, as one commit, into a repository that it makes', async () => {
    const result = await push({ private: true, commit_message: 'Step 40' });
    expectFolder(hub.files(repo));
    const commits = hub.commits(repo);
    expect(commits.map(({ title }) => title)).toEqual(['initial commit', 'Step 40']);
    expect(result).toEqual({ url: `${hub.url}/${repo}`, commit: commits[1].oid });
    expect(hub.repos.get(repo)!.isPrivate).toBe(true);
  });

  it('is called "End of training" where nobody says otherwise', async () => {
    await push();
    expect(hub.commits(repo).at(-1)!.title).toBe('End of training');
  });

  it('sends large files in parts where the Hub asks for parts', async () => {
    await hub.close();
    hub = await startFakeHub({ partSize: 900 });
    const progress: PushProgress[] = [];
    await push({ onProgress: (event) => progress.push(event) });
    expectFolder(hub.files(repo));
    const shares = progress.filter(
      ({ phase, file }) => phase === 'uploading' && file === 'model.safetensors',
    );
    expect(new Set(shares.map(({ bytes }) => bytes)).size).toBeGreaterThan(4);
  });

  it('hashes a file of more than 10 MB, which the library reads as a stream', async () => {
    const large = noise(10_500_000, 3);
    await push({}, [pieces('model.safetensors', large, 1 << 20)]);
    expect(hub.files(repo).get('model.safetensors')!.equals(large)).toBe(true);
  });

  it('keeps files on the disk while they wait, where it is told to, and takes them away again', async () => {
    const folderOfTest = await mkdtemp(join(tmpdir(), 'papo-web-hub-test-'));
    vi.stubEnv('TMPDIR', folderOfTest);
    const during: string[] = [];
    await push({
      hold: holdOnDisk,
      onProgress: ({ phase }) => phase === 'hashing' && during.push(...readdirSync(folderOfTest)),
    });
    expectFolder(hub.files(repo));
    expect(new Set(during).size).toBe(folder.length);
    expect(readdirSync(folderOfTest)).toEqual([]);
    const tooShort = { ...pieces('model.safetensors', noise(5000, 1)), size: 5001 };
    const error = await failure(push({ hold: holdOnDisk }, [tooShort]));
    expect(error.message).toContain('5001 bytes were announced');
    expect(readdirSync(folderOfTest)).toEqual([]);
    vi.unstubAllEnvs();
    await rm(folderOfTest, { recursive: true });
  });

  it('takes the name alone for a repository of the token’s owner', async () => {
    const { url } = await push({ repo_id: 'papo-nano' });
    expect(url).toBe(`${hub.url}/${repo}`);
  });

  it('makes a branch and leaves main alone', async () => {
    await push();
    const { url } = await push({ revision: 'try/2', commit_message: 'On a branch' }, [
      bytesFile('a.txt', 'a'),
    ]);
    expect(url).toBe(`${hub.url}/${repo}/tree/try%2F2`);
    expect(hub.files(repo, 'try/2').get('a.txt')!.toString()).toBe('a');
    expect(hub.files(repo).has('a.txt')).toBe(false);
  });

  it('leaves out what transformers leaves out, or what it is told to', async () => {
    const files = ['_log.txt', 'checkpoint-5/model.safetensors', 'a.txt', 'b.md'].map((name) =>
      bytesFile(name, name),
    );
    await push({}, files);
    expect([...hub.files(repo).keys()]).toEqual(['.gitattributes', 'a.txt', 'b.md']);
    await push({ repo_id: 'somebody/other', ignore_patterns: ['[ab].?d', 'checkpoint-*'] }, files);
    expect([...hub.files('somebody/other').keys()]).toEqual(['.gitattributes', '_log.txt', 'a.txt']);
  });

  it('goes on where an earlier one ended: large files that are there are not sent again', async () => {
    await push();
    hub.requests.length = 0;
    const changed = folder.map((file) =>
      file.name === 'onnx/embed_tokens.onnx' ? pieces(file.name, noise(3000, 9)) : file,
    );
    await push({ commit_message: 'Again' }, changed);
    expect(hub.requests.filter(({ to }) => to === 'store')).toHaveLength(1);
    expect(hub.files(repo).get('onnx/embed_tokens.onnx')!.equals(noise(3000, 9))).toBe(true);
    expect(hub.commits(repo)).toHaveLength(3);
  });

  it('tells how far it is, never backwards within a phase', async () => {
    const progress: PushProgress[] = [];
    await push({ onProgress: (event) => progress.push(event) });
    const total = Object.values(contents).reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect([...new Set(progress.map(({ phase }) => phase))]).toEqual([
      'reading',
      'hashing',
      'uploading',
      'committing',
    ]);
    for (const phase of ['reading', 'hashing', 'uploading', 'committing']) {
      const bytes = progress.filter((event) => event.phase === phase).map((event) => event.bytes);
      expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
    }
    expect(progress.at(-1)).toEqual({ phase: 'committing', bytes: total, totalBytes: total, file: '' });
  });
});

describe('an interruption', () => {
  const faults: Record<string, Fault> = {
    'a connection lost before anything is done': { kind: 'drop' },
    'a connection lost before the answer': { kind: 'drop-answer' },
    'an answer cut off': { kind: 'cut-answer' },
    'a 500': { kind: 'status', status: 500 },
    'a 429 that asks for patience': { kind: 'status', status: 429, headers: { 'Retry-After': '0' } },
  };

  for (const [name, fault] of Object.entries(faults)) {
    for (const partSize of [0, 1500]) {
      it(`is got over, whichever request it hits: ${name}, ${partSize ? 'files in parts' : 'files whole'}`, async () => {
        await hub.close();
        hub = await startFakeHub({ partSize });
        await push();
        const count = hub.requests.length;
        expect(count).toBeGreaterThan(6);
        for (let n = 1; n <= count; n++) {
          await hub.close();
          hub = await startFakeHub({ partSize });
          hub.fault = faultAt(n, fault);
          const { commit } = await push();
          expectFolder(hub.files(repo));
          // Not twice, though the first answer was lost.
          expect(
            hub.commits(repo).map(({ title }) => title),
            `request ${n}`,
          ).toEqual(['initial commit', 'End of training']);
          expect(commit).toBe(hub.commits(repo).at(-1)!.oid);
        }
      });
    }
  }

  it('that does not end is told, and leaves the files as they were, whichever request it hits', async () => {
    await push();
    const count = hub.requests.length;
    for (const fault of [{ kind: 'drop' }, { kind: 'status', status: 503 }] satisfies Fault[]) {
      for (let n = 1; n <= count; n++) {
        await hub.close();
        hub = await startFakeHub();
        hub.fault = (request) => (request.n >= n ? fault : undefined);
        const error = await failure(push());
        expect(error).toBeInstanceOf(UserError);
        expect(error.message).toMatch(/failed again and again|is not well \(503\)/);
        expect(error.message).toMatch(/No file in .* was changed|Whether the commit arrived is not known/);
        expect([...hub.files(repo).keys()].filter((file) => file !== '.gitattributes')).toEqual([]);
        hub.fault = null;
        await push();
        expectFolder(hub.files(repo));
      }
    }
  });

  it('after which nobody can say whether the commit arrived is told as that', async () => {
    hub.fault = ({ url }) =>
      /\/commit\//.test(url)
        ? { kind: 'drop-answer' }
        : /\/commits\//.test(url)
          ? { kind: 'drop' }
          : undefined;
    const error = await failure(push());
    expect(error.message).toContain('Whether the commit arrived is not known');
    expectFolder(hub.files(repo));
  });

  it('waits as long as Retry-After says, and not longer than it has patience for', async () => {
    hub.fault = faultAt(2, { kind: 'status', status: 429, headers: { 'Retry-After': '1' } });
    const start = performance.now();
    await push({ retries: { ...quick, longestDelay: 1500 } });
    expect(performance.now() - start).toBeGreaterThan(990);

    hub.fault = () => ({ kind: 'status', status: 429, headers: { 'Retry-After': '3600' } });
    hub.requests.length = 0;
    const error = await failure(push());
    expect(error.message).toContain('too many requests (429): push again in 3600 seconds');
    expect(hub.requests).toHaveLength(1);
  });

  it('by a server that never answers ends', async () => {
    hub.fault = () => ({ kind: 'slow', milliseconds: 5000 });
    const error = await failure(push({ retries: { attempts: 2, firstDelay: 1, timeout: 50 } }));
    expect(error.message).toContain('no answer came in time');
  });
});

describe('a refusal', () => {
  const cases: [number, RegExp][] = [
    [401, /refused the token \(401\)/],
    [403, /may not write to somebody\/papo-nano \(403\)/],
    [404, /does not find somebody\/papo-nano/],
    [409, /Somebody else has committed/],
    [412, /Somebody else has committed/],
    [413, /too large \(413\)/],
    [418, /refused the push \(418\)/],
  ];
  for (const [status, message] of cases) {
    it(`${status} is told in words, at once, with what the Hub says`, async () => {
      await push({}, [bytesFile('old.txt', 'old')]);
      hub.fault = ({ url }) =>
        url.includes('/preupload/')
          ? { kind: 'status', status, body: '{"error":"Says the Hub."}' }
          : undefined;
      hub.requests.length = 0;
      const error = await failure(push());
      expect(error).toBeInstanceOf(UserError);
      expect(error.message).toMatch(message);
      expect(error.message).toContain('Says the Hub. No file in somebody/papo-nano was changed.');
      expect(hub.requests).toHaveLength(2);
      expect([...hub.files(repo).keys()]).toEqual(['.gitattributes', 'old.txt']);
    });
  }

  it('of a read-only token and of a wrong one names the token’s fault', async () => {
    expect((await failure(push({ token: 'hf_another' }))).message).toContain('refused the token (401)');
    await hub.close();
    hub = await startFakeHub({ mayWrite: false });
    expect((await failure(push())).message).toContain('needs write permission');
  });

  it('comes when somebody else commits while the files are on their way', async () => {
    await push();
    hub.fault = ({ to }) => {
      if (to === 'store') hub.commitBySomebody(repo, { 'theirs.txt': 'theirs' });
      return undefined;
    };
    const error = await failure(push({}, [pieces('model.safetensors', noise(4000, 7))]));
    expect(error.message).toContain('Somebody else has committed');
    expect(hub.commits(repo).at(-1)!.title).toBe('Theirs');
    expectFolder(new Map([...hub.files(repo)].filter(([name]) => name !== 'theirs.txt')));
  });

  it('by the user ends the push at any request', async () => {
    for (let n = 1; n <= 6; n++) {
      await hub.close();
      hub = await startFakeHub();
      const stop = new AbortController();
      hub.fault = (request) => {
        if (request.n === n) stop.abort();
        return { kind: 'slow', milliseconds: 20 };
      };
      const error = await failure(push({ signal: stop.signal }));
      expect(error.name).toBe('AbortError');
      expect(hub.requests.length).toBeLessThanOrEqual(n + 2);
      expect(hub.commits(repo).length).toBeLessThanOrEqual(1);
    }
    expect((await failure(push({ signal: AbortSignal.abort() }))).name).toBe('AbortError');
  });

  it('comes before the first request for what cannot be meant', async () => {
    const wrong: [Partial<HubTarget>, RegExp, OutFile[]?][] = [
      [{ token: 'secret' }, /begins with hf_/],
      [{ token: 'hf_with space' }, /begins with hf_/],
      [{ repo_id: 'a/b/c' }, /cannot be a repository/],
      [{ repo_id: '../x' }, /cannot be a repository/],
      [{ repo_id: 'a/b?token=1' }, /cannot be a repository/],
      [{ hub_url: 'http://example.com' }, /https/],
      [{ hub_url: 'nonsense' }, /no address/],
      [{ hub_url: 'https://name:word@example.com' }, /address alone/],
      [{}, /cannot be a file's path/, [bytesFile('../a', '')]],
      [{}, /cannot be a file's path/, [bytesFile('/a', '')]],
      [{}, /cannot be a file's path/, [bytesFile('.git/config', '')]],
      [{}, /there twice/, [bytesFile('a', ''), bytesFile('a', '')]],
      [{}, /no file to push/, [bytesFile('_a', '')]],
    ];
    for (const [options, message, files] of wrong) {
      const error = await failure(push(options, files));
      expect(error).toBeInstanceOf(UserError);
      expect(error.message).toMatch(message);
      expect(error.message).not.toContain('secret');
    }
    expect(hub.requests).toHaveLength(0);
  });

  it('comes for a file that is not as long as it says', async () => {
    for (const size of [4999, 5001]) {
      const error = await failure(push({}, [{ ...pieces('model.safetensors', noise(5000, 1)), size }]));
      expect(error.message).toContain(`model.safetensors: ${size} bytes were announced`);
      expect(hub.commits(repo)).toHaveLength(1);
    }
  });
});

describe('the token', () => {
  /** Everything that an error shows, also to a debugger. */
  function allOf(error: unknown): string {
    const seen: string[] = [];
    for (let e = error as Error | undefined; e; e = e.cause as Error | undefined) {
      const own = Object.getOwnPropertyNames(e).map((key) => [
        key,
        (e as unknown as Record<string, unknown>)[key],
      ]);
      seen.push(String(e), e.stack ?? '', JSON.stringify(own));
    }
    return seen.join('\n');
  }

  it('is in no error, though the server echoes it in body, header and reason', async () => {
    const echo = (request: RecordedRequest, status: number): Fault => ({
      kind: 'status',
      status,
      headers: {
        'X-Error-Message': `You sent ${request.authorization}`,
        'X-Request-Id': String(request.authorization),
      },
      body: JSON.stringify({
        error: `${'x'.repeat(290)} ${request.authorization}`,
        message: request.authorization,
      }),
    });
    await push();
    const count = hub.requests.length;
    for (const status of [400, 401, 403, 404, 429, 500]) {
      for (let n = 1; n <= count; n++) {
        await hub.close();
        hub = await startFakeHub();
        // A 404 at the first look means a repository to be made, so it goes on until the end.
        hub.fault = (request) => (request.n >= n ? echo(request, status) : undefined);
        const error = await failure(push({ retries: { ...quick, attempts: 2 } }));
        expect(allOf(error)).not.toContain(hub.token);
        expect(allOf(error)).not.toContain(hub.token.slice(0, 12));
      }
    }
  });

  it('is in no error of a fetch that names it', async () => {
    const error = await failure(
      push({
        fetch: async (_, init) => {
          throw new TypeError(`cannot send ${JSON.stringify([...new Headers(init?.headers)])}`, {
            cause: new Error(hub.token),
          });
        },
      }),
    );
    expect(error.message).toContain('[token]');
    expect(allOf(error)).not.toContain(hub.token);
  });

  it('goes to the Hub alone, in one header, and not into addresses, bodies or the log', async () => {
    const logged: unknown[] = [];
    const levels = ['log', 'info', 'warn', 'error', 'debug'] as const;
    const spies = levels.map((level) =>
      vi.spyOn(console, level).mockImplementation((...text) => logged.push(text)),
    );
    const progress: PushProgress[] = [];
    await push({ onProgress: (event) => progress.push(event) });
    await failure(push({ token: 'hf_another' }));
    for (const spy of spies) spy.mockRestore();
    expect(JSON.stringify([logged, progress])).not.toContain('hf_');
    for (const { to, url, body, authorization } of hub.requests) {
      expect(url).not.toContain('hf_');
      expect(body.includes('hf_')).toBe(false);
      expect(authorization !== null).toBe(to === 'hub');
    }
  });

  it('is not sent to another origin, even if the library were to', async () => {
    const { hubFetch, defaultRetries } = await import('../../../src/export/hub-fetch.ts');
    const seen: (string | null)[] = [];
    const send = hubFetch({
      hub: new URL('https://hub.example'),
      token: 'hf_secret',
      retries: defaultRetries,
      findCommit: async () => null,
      fetch: async (_, init) => {
        seen.push(new Headers(init?.headers).get('authorization'));
        return new Response('{}');
      },
    });
    const headers = { Authorization: 'Bearer hf_secret' };
    await send('https://hub.example/api', { headers });
    await send('https://elsewhere.example/file', { headers });
    await send('http://hub.example/api', { headers });
    expect(seen).toEqual(['Bearer hf_secret', null, null]);
  });
});
