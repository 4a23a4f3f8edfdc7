// What a fresh machine needs before anything else runs: the right Node and the packages. Node's own modules only,
// because this file runs when nothing is installed yet. It writes to stderr: stdout belongs to the command.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Ends the process with one sentence for a person to act on. */
export function fail(message) {
  console.error(`\n${message}\n`);
  process.exit(1);
}

/** True for the Node releases that Vite supports: 20.19 and later 20.x, 22.12 and later. */
export function isSupportedNode(version) {
  const [major, minor] = version.split('.').map(Number);
  return (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
}

export function requireNode() {
  if (isSupportedNode(process.versions.node)) return;
  fail(`This is Node ${process.versions.node}; Node 20.19 or later (22.12 or later for 22) is needed.`);
}

/**
 * True when node_modules holds what package-lock.json asks for. npm writes node_modules/.package-lock.json last, so
 * an interrupted install counts as none; contents are compared because Git sets dates as it likes.
 */
export function packagesInstalled(folder = root) {
  const installedFile = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  try {
    const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages;
    const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      const there = installed[path];
      if (path === '' || (!there && (entry.optional || entry.devOptional))) return true;
      return there?.version === entry.version && there?.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

/**
 * Installs the packages of package-lock.json where they are missing or others. Not `npm ci`: npm 11's refuses a lock
 * file that lacks some platform's optional packages; `npm install` takes what the file pins and adds this platform's.
 */
export function installPackages() {
  if (packagesInstalled()) return;
  console.error('Installing packages (npm install) …');
  const args = ['install', '--no-save', '--include=dev', '--no-audit', '--no-fund'];
  const npmCli = process.env.npm_execpath?.endsWith('npm-cli.js') ? process.env.npm_execpath : null;
  const options = { cwd: root, stdio: ['ignore', 2, 2] };
  const result = npmCli
    ? spawnSync(process.execPath, [npmCli, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (result.error) fail(`npm could not be run (${result.error.message}); install Node.js with npm.`);
  if (result.status !== 0) {
    fail('`npm install` failed (its messages are above): check the network, then run the command again.');
  }
}

/** Call first: ends the process with a clear sentence where the machine cannot run the project. */
export function setup() {
  requireNode();
  installPackages();
}
