// `npm test`: sets the project up where needed (a Chromium included), then lint, types and every test.
//   npm test -- tests/unit/store          only these tests: the arguments go to vitest, lint and types are left out
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { requireChromium } from './chromium.mjs';
import { root, setup } from './setup.mjs';

setup();
const chromePath = await requireChromium();

/** Runs a package's command-line program; true when it ended well. */
function run(title, program, args) {
  console.log(`\n── ${title}`);
  const env = { ...process.env, CHROME_PATH: chromePath };
  const path = join(root, 'node_modules', ...program);
  const { status, error } = spawnSync(process.execPath, [path, ...args], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
  if (error) console.error(error.message);
  return status === 0;
}

const testArgs = process.argv.slice(2);
const wholeSuite = testArgs.length === 0;
/** One line each: what went wrong besides single failed tests. */
const troubles = [];

if (wholeSuite) {
  if (!run('lint and format (biome)', ['@biomejs', 'biome', 'bin', 'biome'], ['check']))
    troubles.push('lint');
  if (!run('types (tsc)', ['typescript', 'bin', 'tsc'], ['--noEmit'])) troubles.push('types');
}

const scratch = mkdtempSync(join(tmpdir(), 'papo-web-tests-'));
const reportFile = join(scratch, 'vitest.json');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
const vitestOk = run(
  `tests (vitest, ${chromePath})`,
  ['vitest', 'vitest.mjs'],
  ['run', ...reporters, ...testArgs],
);
const report = existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, 'utf8')) : null;
rmSync(scratch, { recursive: true, force: true });

const files = report?.testResults ?? [];
const count = (...statuses) =>
  files.flatMap((file) => file.assertionResults).filter((test) => statuses.includes(test.status)).length;

for (const file of files) {
  const failedInside = file.assertionResults.some((test) => test.status === 'failed');
  if (file.status === 'failed' && !failedInside) troubles.push(`${relative(root, file.name)} did not run`);
}
if (wholeSuite) {
  // A test file that vitest passed over (a browser that never came up, a wrong pattern) must not look like success.
  const ran = new Set(files.map((file) => relative(root, file.name).split(sep).join('/')));
  for (const file of readdirSync(join(root, 'tests'), { recursive: true })) {
    const path = `tests/${file.split(sep).join('/')}`;
    if (path.endsWith('.test.ts') && !ran.has(path)) troubles.push(`${path} did not run`);
  }
}
const failed = count('failed');
if (files.length === 0) troubles.push('no test ran');
else if (!vitestOk && failed === 0 && troubles.length === 0) troubles.push('vitest (its messages are above)');

console.log('');
for (const trouble of troubles) console.log(`failed: ${trouble}`);
const skipped = count('pending', 'skipped', 'todo');
console.log(
  `${count('passed')} passed, ${failed + troubles.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
);
process.exit(vitestOk && failed === 0 && troubles.length === 0 ? 0 : 1);
