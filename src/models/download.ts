/** One file from a server into its slot: resumed where it broke off, and checked before it counts as whole. */

import { UserError } from '../errors.ts';
import { delayAfter, wait } from '../export/hub-fetch.ts';
import type { CacheSlot } from './cache-disk.ts';
import type { CachedFile } from './cache-index.ts';
import { type Digest, digestBlob, gitBlob, sha256 } from './digest.ts';
import type { ProgressMeter } from './progress.ts';
import { connectionError, Refused, request, retriesOf, type WebOptions } from './web-request.ts';

export interface DownloadOptions extends WebOptions {
  /** Sent along; not to where the server redirects. */
  readonly headers: Record<string, string>;
  readonly token?: string;
  readonly meter: ProgressMeter;
  /** What a message calls the place. */
  readonly where: string;
  /** Keeps what is newly known of the file. */
  save(): Promise<void>;
}

/** Digests over what the slot holds, to go on with. */
class Checks {
  private constructor(
    private readonly sha: Digest,
    private readonly git: Digest | null,
  ) {}

  static async begin(file: CachedFile): Promise<Checks> {
    const git = file.gitBlob && !file.sha256 && file.size !== null ? await gitBlob(file.size) : null;
    return new Checks(await sha256(), git);
  }

  get all(): Digest[] {
    return this.git ? [this.sha, this.git] : [this.sha];
  }

  update(bytes: Uint8Array): void {
    for (const digest of this.all) digest.update(bytes);
  }

  /** The SHA-256, or what disagrees. */
  end(file: CachedFile): { sha256: string; fault: string | null } {
    const found = this.sha.hex();
    const fault = (name: string, was: string, expected: string) =>
      `its ${name} is ${was.slice(0, 12)}…, but should be ${expected.slice(0, 12)}…`;
    if (file.sha256 && found !== file.sha256)
      return { sha256: found, fault: fault('SHA-256', found, file.sha256) };
    const git = this.git?.hex();
    if (git && git !== file.gitBlob) return { sha256: found, fault: fault('git SHA-1', git, file.gitBlob!) };
    return { sha256: found, fault: null };
  }
}

/**
 * What is wrong with what the slot holds of a file that is said to be whole, or null. Reads all of it.
 */
export async function findFault(
  file: CachedFile,
  slot: CacheSlot,
  options: { signal?: AbortSignal; onBytes?: (bytes: number) => void } = {},
): Promise<string | null> {
  const size = await slot.size();
  if (size !== file.size) return `it has ${size} bytes, but should have ${file.size}`;
  const checks = await Checks.begin(file);
  await digestBlob(await slot.blob(), checks.all, options);
  return checks.end(file).fault;
}

/** The whole size that an answer tells, and where its body begins; null where it does not say. */
function placeOf(response: Response): { begin: number; total: number | null } {
  if (response.status === 206) {
    const [, begin, total] =
      /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
    return {
      begin: begin === undefined ? Number.NaN : Number(begin),
      total: total && total !== '*' ? Number(total) : null,
    };
  }
  const length = response.headers.get('content-length');
  // The length of a compressed body is not the file's.
  const isPlain = !response.headers.get('content-encoding');
  return { begin: 0, total: length && isPlain ? Number(length) : null };
}

const markOf = (headers: Headers) => headers.get('etag') ?? headers.get('last-modified') ?? undefined;

/** The body's next chunk; a connection that has gone silent is an error. */
async function nextChunk(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  longest: number,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no byte came for ${longest / 1000} s`)), longest);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects with what the disk said, marked so that nobody takes it for a lost connection. */
class DiskFailure extends Error {
  constructor(readonly reason: unknown) {
    super('the disk failed');
  }
}

const onDisk = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    throw new DiskFailure(error);
  }
};

/** The connection was lost in the midst of a file. */
class Cut extends Refused {}

/** Writes the body behind what the slot holds. Returns when it ends; throws Cut when it breaks off. */
async function append(
  response: Response,
  slot: CacheSlot,
  checks: Checks,
  file: CachedFile,
  options: DownloadOptions,
  room: number,
): Promise<void> {
  if (!response.body) return;
  const { meter, signal, token } = options;
  const { timeout } = retriesOf(options);
  const reader = response.body.getReader();
  const writer = await onDisk(slot.writer());
  const take = async () => {
    let left = room;
    for (;;) {
      signal?.throwIfAborted();
      const { value, done } = await nextChunk(reader, timeout);
      if (done) return;
      if (value.byteLength > left) throw new Cut(null, 'more bytes came than the file has');
      left -= value.byteLength;
      await onDisk(writer.write(value));
      checks.update(value);
      meter.add(file.name, value.byteLength);
    }
  };
  let failure: unknown = null;
  try {
    await take();
  } catch (error) {
    failure = error;
  }
  await reader.cancel().catch(() => {});
  // Whatever has happened, what came is kept; where the disk says only now that it is full, that is what happened.
  await writer.close().catch((error: unknown) => {
    failure ??= new DiskFailure(error);
  });
  if (failure === null) return;
  signal?.throwIfAborted();
  if (failure instanceof DiskFailure || failure instanceof Cut) throw failure;
  throw new Cut(null, connectionError(failure, token).detail);
}

/**
 * Brings `file` from `url` into `slot` and checks it: by size and SHA-256 where the server told them, else by git's
 * SHA-1, else by size alone. Goes on behind the bytes that are there, if they are still a part of what the server has
 * (a checksum or its ETag says so; else the file is started over). Sets `isWhole`, `size`, `sha256` and `etag`.
 *
 * Throws Refused when the server or the connection fails for good, with what has arrived kept; UserError when the bytes
 * are wrong also at a second try, with nothing kept; what the disk says (QuotaExceededError, ENOSPC) as it is; or the
 * signal's reason.
 */
export async function downloadFile(
  file: CachedFile,
  url: URL,
  slot: CacheSlot,
  options: DownloadOptions,
): Promise<void> {
  try {
    await download(file, url, slot, options);
  } catch (error) {
    throw error instanceof DiskFailure ? error.reason : error;
  }
}

async function download(
  file: CachedFile,
  url: URL,
  slot: CacheSlot,
  options: DownloadOptions,
): Promise<void> {
  const { meter, signal } = options;
  const isListed = Boolean(file.sha256 ?? file.gitBlob);
  let present = 0;
  let checks = await Checks.begin(file);
  const startOver = async () => {
    meter.skip(-present);
    await onDisk(slot.remove());
    present = 0;
    checks = await Checks.begin(file);
  };
  /** Takes up what is there. */
  const resume = async () => {
    present = await onDisk(slot.size());
    // Nothing says what the bytes are a part of.
    const isUnknown = !isListed && !file.etag;
    if (present > 0 && (isUnknown || (file.size !== null && present > file.size))) {
      await onDisk(slot.remove());
      present = 0;
    }
    checks = await Checks.begin(file);
    await onDisk(digestBlob(await slot.blob(), checks.all, { signal }));
    meter.skip(present);
  };

  await resume();
  let furthest = present;
  let failures = 0;
  let mistakes = 0;
  for (;;) {
    while (file.size === null || present < file.size) {
      try {
        if (await fetchRest()) break;
      } catch (error) {
        if (!(error instanceof Cut)) throw error;
        // It got further than before: the next try begins a new count.
        failures = present > furthest ? 1 : failures + 1;
        furthest = Math.max(furthest, present);
        const delay = delayAfter(error, failures, retriesOf(options));
        if (delay === null) throw error;
        await wait(delay, signal);
      }
    }
    const { sha256: found, fault } = checks.end(file);
    if (!fault) {
      file.sha256 ??= found;
      file.size ??= present;
      file.isWhole = true;
      await options.save();
      meter.end(file.name);
      return;
    }
    await startOver();
    furthest = 0;
    if (++mistakes > 1) {
      throw new UserError(
        `${options.where}: ${file.name} arrived damaged twice (${fault}), so it was thrown away. ` +
          'Try again; if that stays so, something between here and the server changes it.',
      );
    }
  }

  /** One request for what is missing. Returns whether the body came to its end, where only that tells the size. */
  async function fetchRest(): Promise<boolean> {
    const headers: Record<string, string> = { ...options.headers, Range: `bytes=${present}-` };
    // Other origins need not allow this header, and their files are told by checksum.
    if (present > 0 && !isListed && file.etag) headers['If-Range'] = file.etag;
    let response: Response;
    try {
      response = await request(url, headers, options, options.token);
    } catch (error) {
      if (!(error instanceof Refused && error.status === 416)) throw error;
      if (present === 0) {
        // An empty file has no first byte.
        file.size = 0;
        return true;
      }
      await startOver();
      return false;
    }
    const { begin, total } = placeOf(response);
    const mark = markOf(response.headers);
    const isOther = !isListed && present > 0 && mark !== file.etag;
    // Where the browser hides Content-Range, the checksum has the last word.
    const isElsewhere = Number.isNaN(begin) ? !isListed : begin !== present;
    if (file.size !== null && isListed && total !== null && total !== file.size) {
      await response.body?.cancel();
      throw new UserError(
        `${options.where}: ${file.name} is listed with ${file.size} bytes, but the server has ${total}: load it again.`,
      );
    }
    if (isElsewhere && present === 0) {
      await response.body?.cancel();
      throw new Cut(null, 'the server sent another part of the file than it was asked for');
    }
    if (isOther || isElsewhere) {
      const isWhole = response.status !== 206;
      if (!isWhole) await response.body?.cancel();
      await startOver();
      if (!isWhole) return false;
    }
    if (!isListed) {
      file.etag = mark;
      file.size = total;
      await options.save();
    }
    const room = file.size === null ? Infinity : file.size - present;
    try {
      await append(response, slot, checks, file, options, room);
    } finally {
      present = await onDisk(slot.size());
    }
    if (file.size === null) return true;
    if (present < file.size)
      throw new Cut(null, `the connection was cut after ${present} of ${file.size} bytes`);
    return true;
  }
}
