/** Models on the page's own origin, which lists nothing: files are asked for by name, and read by ranges. */
import { UserError } from '../errors.ts';
import { delayAfter, wait } from '../export/hub-fetch.ts';
import { checkFileName, indexFile, type ModelFiles, readWeightMap, weightsFile } from '../store/hf-folder.ts';
import { bytesInMemory, type RangedFile } from '../store/tensor-source.ts';
import type { RemoteFile, RemoteModel } from './cache.ts';
import { siteError } from './explain.ts';
import { connectionError, Refused, request, retriesOf, type WebOptions } from './web-request.ts';

/** What a request for a file's beginning told of it. */
interface Probe {
  readonly url: URL;
  readonly size: number | null;
  readonly hasRanges: boolean;
  /** ETag, else the time of the last change. */
  readonly mark: string | undefined;
  /** Its beginning, or all of it where it is small. */
  readonly start: Uint8Array | null;
}

/** Read in one request; small tensors that follow one another are many. */
const windowBytes = 8 * 2 ** 20;
/** Whole files up to this size are read at once, whatever the server can do. */
const smallBytes = 32 * 2 ** 20;
const firstBytes = 256 * 1024;

const explain = (error: unknown, url: string) => (error instanceof Refused ? siteError(error, url) : error);

/**
 * A request whose body is wanted at once, where `wants` says so: one that breaks off is asked for again. Throws Refused,
 * or the signal's reason.
 */
async function ask(
  url: URL,
  headers: Record<string, string>,
  options: WebOptions,
  wants: (response: Response) => boolean,
): Promise<{ response: Response; bytes: Uint8Array | null }> {
  for (let attempt = 1; ; attempt++) {
    const response = await request(url, headers, options);
    if (!wants(response)) {
      await response.body?.cancel();
      return { response, bytes: null };
    }
    try {
      return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
    } catch (error) {
      options.signal?.throwIfAborted();
      const cut = connectionError(error);
      const delay = delayAfter(cut, attempt, retriesOf(options));
      if (delay === null) throw cut;
      await wait(delay, options.signal);
    }
  }
}

/** Servers of single-page apps answer a missing file with their page and status 200. */
const isPage = ({ headers }: Response) => headers.get('content-type')?.startsWith('text/html') ?? false;

/** The length that is told; that of a compressed body is not the file's. */
function lengthOf({ headers }: Response): number | null {
  const length = headers.get('content-encoding') ? null : headers.get('content-length');
  return length === null ? null : Number(length);
}

/** The file of this address, or null where there is none. */
async function probe(url: URL, options: WebOptions): Promise<Probe | null> {
  let answer: Awaited<ReturnType<typeof ask>>;
  try {
    answer = await ask(url, { Range: `bytes=0-${firstBytes - 1}` }, options, (response) => {
      if (isPage(response)) return false;
      return response.status === 206 || (lengthOf(response) ?? Infinity) <= smallBytes;
    });
  } catch (error) {
    if (error instanceof Refused && (error.status === 404 || error.status === 410)) return null;
    // An empty file has no first byte.
    if (error instanceof Refused && error.status === 416)
      return { url, size: 0, hasRanges: true, mark: undefined, start: new Uint8Array() };
    throw explain(error, url.href);
  }
  const { response, bytes: start } = answer;
  if (isPage(response)) return null;
  const { headers, status } = response;
  const mark = headers.get('etag') ?? headers.get('last-modified') ?? undefined;
  if (status !== 206) return { url, size: lengthOf(response), hasRanges: false, mark, start };
  const total = /^bytes 0-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
  if (total === undefined) throw new UserError(`${url.href}: the server does not say how large it is.`);
  return { url, size: Number(total), hasRanges: true, mark, start };
}

/** A file whose server gives parts of it. What follows the wanted part is kept for the read that follows. */
function rangesOf({ url, size, mark, start }: Probe & { size: number }, options: WebOptions): RangedFile {
  let held = { begin: 0, bytes: start ?? new Uint8Array() };
  return {
    size,
    async read(begin, end, signal) {
      if (begin === end) return new Uint8Array();
      const isHeld = begin >= held.begin && end <= held.begin + held.bytes.byteLength;
      if (isHeld) return held.bytes.slice(begin - held.begin, end - held.begin);
      const last = Math.min(size, Math.max(end, begin + windowBytes));
      const headers: Record<string, string> = { Range: `bytes=${begin}-${last - 1}` };
      // A weak ETag is not allowed to stand here.
      if (mark && !mark.startsWith('W/')) headers['If-Range'] = mark;
      const all = { ...options, signal: signal ?? options.signal };
      let bytes: Uint8Array | null;
      try {
        ({ bytes } = await ask(url, headers, all, ({ status }) => status === 206));
      } catch (error) {
        throw explain(error, url.href);
      }
      if (!bytes) throw new UserError(`${url.href} was changed while it was read: load the model again.`);
      held = { begin, bytes };
      // Large tensors are handed over as they are; a copy for the next read would hold them twice.
      if (bytes.byteLength === end - begin) {
        held = { begin: 0, bytes: new Uint8Array() };
        return bytes;
      }
      return bytes.slice(0, end - begin);
    },
  };
}

/** `model.safetensors` at `folder`, which ends in a slash. */
function at(folder: URL, name: string): URL {
  checkFileName(name, folder.href);
  return new URL(encodeURIComponent(name), folder);
}

/** A model at an address of the page's own origin. */
export class SiteModel {
  private readonly probes = new Map<string, Promise<Probe | null>>();

  constructor(
    private readonly folder: URL,
    private readonly options: WebOptions = {},
  ) {
    if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  }

  private probe(name: string): Promise<Probe | null> {
    let found = this.probes.get(name);
    if (!found) {
      found = probe(at(this.folder, name), this.options);
      this.probes.set(name, found);
    }
    return found;
  }

  /** Whether the weights can be read where they lie: by parts, or because they are small. */
  async canReadWeights(): Promise<boolean> {
    const canRead = async (name: string) => {
      const found = await this.probe(name);
      return !found || found.hasRanges || found.start !== null;
    };
    if (await this.probe(weightsFile)) return canRead(weightsFile);
    const list = await this.files().read(indexFile);
    // Nothing is there: whoever reads will say so.
    if (!list) return true;
    const weightMap = readWeightMap(list, `${this.folder.href}: ${indexFile}`);
    for (const shard of new Set(weightMap.values())) if (!(await canRead(shard))) return false;
    return true;
  }

  /** Its files, read where they lie. Throws UserError for a large file of a server without ranges. */
  files(): ModelFiles {
    const open = async (name: string): Promise<RangedFile | null> => {
      const found = await this.probe(name);
      if (!found) return null;
      const { size, start, url } = found;
      if (start && start.byteLength === size) return bytesInMemory(start);
      if (size !== null && found.hasRanges) return rangesOf({ ...found, size }, this.options);
      throw new UserError(
        `${url.href}: the server gives no parts of files (Range), and it is too large to hold.`,
      );
    };
    return {
      where: this.folder.href,
      open,
      async read(name) {
        const file = await open(name);
        return file === null ? null : file.read(0, file.size);
      },
    };
  }

  /** The same, to be downloaded. */
  remote(): RemoteModel {
    const find = async (name: string): Promise<RemoteFile | null> => {
      const found = await this.probe(name);
      return found && { name, size: found.size, etag: found.mark };
    };
    return {
      key: `site:${this.folder.href}`,
      kind: 'site',
      name: this.folder.href,
      revision: null,
      commit: null,
      where: this.folder.href,
      names: null,
      find,
      url: (name) => at(this.folder, name),
      headers: {},
      explain: (error) => explain(error, this.folder.href),
    };
  }
}
