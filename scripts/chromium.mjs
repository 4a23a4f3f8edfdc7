// Finds a Chromium that starts, or installs one. The browser tests need it; CHROME_PATH names another one.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fail, root } from './setup.mjs';

const windows = process.platform === 'win32';
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function usualPlaces() {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const places = windows ? [] : names.flatMap((name) => folders.map((folder) => join(folder, name)));
  if (process.platform === 'darwin') {
    for (const app of ['Chromium', 'Google Chrome'])
      places.push(`/Applications/${app}.app/Contents/MacOS/${app}`);
  }
  if (windows) {
    for (const folder of [
      process.env.ProgramFiles,
      process.env['ProgramFiles(x86)'],
      process.env.LOCALAPPDATA,
    ]) {
      if (folder) places.push(join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe'));
    }
  }
  return places;
}

/** Why `path` is no Chromium that starts, or null when it is one. Ubuntu's apt package is a stub that does not. */
function problem(path) {
  if (!existsSync(path)) return 'there is no such file';
  // On Windows `chrome.exe --version` opens a window instead of answering.
  if (windows) return null;
  const { status, stdout, stderr, error } = spawnSync(path, ['--version'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (error) return `it could not be run (${error.message})`;
  if (status === 0 && /(chrom|edge|brave).* \d+\.\d+/i.test(stdout)) return null;
  const answer = (stderr || stdout || '').trim().split('\n')[0];
  return `\`${path} --version\` ended with status ${status} and said "${answer}"`;
}

async function playwrightChromium() {
  const { chromium } = await import('playwright');
  return chromium.executablePath();
}

async function find() {
  const places = [...usualPlaces(), await playwrightChromium()];
  return places.find((path) => existsSync(path) && problem(path) === null) ?? null;
}

function command(file, args, env = {}) {
  const options = { cwd: root, stdio: ['ignore', 2, 2], env: { ...process.env, ...env } };
  return spawnSync(file, args, options).status === 0;
}

function isDebianLike() {
  if (process.platform !== 'linux' || !existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/** Debian's `chromium`. Ubuntu has no such package (its `chromium-browser` needs snap): Playwright's serves there. */
function installWithApt() {
  console.error('No Chromium found: installing it with apt-get …');
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  command('apt-get', ['update', '-q'], env);
  const packages = ['chromium', 'fonts-liberation'];
  return command('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], env);
}

function installWithPlaywright(withSystemLibraries) {
  console.error("Installing Playwright's Chromium …");
  const cli = join(root, 'node_modules', 'playwright', 'cli.js');
  const install = (args) => command(process.execPath, [cli, 'install', ...args, '--no-shell', 'chromium']);
  return (withSystemLibraries && install(['--with-deps'])) || install([]);
}

/** The path of a Chromium that starts: CHROME_PATH, an installed one, or one installed now. Ends the process if none. */
export async function requireChromium() {
  const given = process.env.CHROME_PATH;
  if (given) {
    const why = problem(given);
    if (why)
      fail(`CHROME_PATH is "${given}", but ${why}. Set it to a Chromium or Chrome executable, or unset it.`);
    return given;
  }
  let found = await find();
  if (found) return found;
  const aptAsRoot = isDebianLike() && process.getuid?.() === 0;
  if (aptAsRoot && installWithApt()) found = await find();
  if (!found && installWithPlaywright(aptAsRoot)) {
    found = await find();
    if (!found) console.error(problem(await playwrightChromium()));
  }
  if (found) return found;
  return fail(
    'The browser tests need Chromium and none could be installed: install Chromium or Chrome by hand (on ' +
      'Debian: `sudo apt-get install chromium`), or set CHROME_PATH to its executable, then run `npm test` again.',
  );
}
