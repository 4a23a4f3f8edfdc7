/** One writer a folder: a file run.<id>.lock that names the process, and is void when that process is gone. */
import { randomUUID } from 'node:crypto';
import { appendFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import { diskError, isMissing } from './node-files.ts';

const lockName = /^run\.[\w-]+\.lock$/;
/** The last line of a lock whose owner has the run, and does not merely try. */
const held = 'held\n';

/** When a process began, in its system's ticks, or null where that is not told: process numbers are used again. */
async function startOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // proc(5): field 22; the second is a name in brackets that may hold anything.
  return stat === null ? null : (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Who holds a lock of this text, or null when nobody does any more. */
async function holderOf(text: string): Promise<string | null> {
  const [pid, host, start] = text.trim().split('\n');
  if (!/^[1-9]\d*$/.test(pid ?? '')) return null;
  if (host !== hostname()) return `process ${pid} on ${host}`;
  if (!isAlive(Number(pid))) return null;
  const now = await startOf(Number(pid));
  const isSame = !start || now === null || now === start;
  return isSame ? `process ${pid}` : null;
}

/** Who of the others holds the folder, or is about to; locks of the dead are removed. */
async function findOther(directory: string, mine: string): Promise<{ path: string; text: string } | null> {
  let other: { path: string; text: string } | null = null;
  for (const name of await readdir(directory)) {
    if (!lockName.test(name) || name === mine) continue;
    const path = join(directory, name);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    if (text === null) continue;
    // No two locks have the same name: this cannot hit a new one.
    if ((await holderOf(text)) === null) await rm(path, { force: true });
    else if (!other?.text.endsWith(held)) other = { path, text };
  }
  return other;
}

/**
 * Takes the folder's lock and returns what gives it back. Throws a UserError naming who has it.
 *
 * Everybody puts down a lock of their own name and only then looks for others: of two at once, at least one sees the
 * other. Who sees somebody takes the own lock away, and gives up if the other one has won, else tries again.
 */
export async function lockFolder(directory: string): Promise<() => Promise<void>> {
  const text = `${process.pid}\n${hostname()}\n${(await startOf(process.pid)) ?? ''}\n`;
  for (let attempt = 0; attempt < 100; attempt++) {
    const name = `run.${randomUUID()}.lock`;
    const path = join(directory, name);
    let other: Awaited<ReturnType<typeof findOther>>;
    try {
      // Never seen half-written.
      await writeFile(`${path}.tmp`, text, { flag: 'wx' });
      await rename(`${path}.tmp`, path);
      other = await findOther(directory, name);
      if (!other) {
        await appendFile(path, held);
        return () => rm(path, { force: true });
      }
      await rm(path, { force: true });
    } catch (error) {
      for (const left of [path, `${path}.tmp`]) await rm(left, { force: true }).catch(() => {});
      // Who has the run sweeps unfinished files, this one too: the next look finds them.
      if (isMissing(error) && attempt < 5) continue;
      throw diskError(error, path);
    }
    if (other.text.endsWith(held))
      throw new UserError(
        `The run in ${directory} is open in another trainer (${await holderOf(other.text)}). ` +
          `If that is no longer so, delete ${other.path}.`,
      );
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * (attempt + 1)));
  }
  throw new UserError(`The run in ${directory} could not be opened: others try it again and again.`);
}
