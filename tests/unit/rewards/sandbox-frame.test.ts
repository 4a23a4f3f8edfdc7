/** The frame's document allows its own script by hash: an edit of the script needs the new hash. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const html = readFileSync(join(import.meta.dirname, '../../../public/sandbox.html'), 'utf8');

test('the policy in sandbox.html allows its one script and nothing else', () => {
  const scripts = [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)];
  expect(scripts).toHaveLength(1);
  const hash = createHash('sha256').update(scripts[0][1]).digest('base64');
  const policy = /content="(default-src[^"]*)"/.exec(html)?.[1];
  expect(policy).toBe(
    `default-src 'none'; script-src 'sha256-${hash}' 'wasm-unsafe-eval'; worker-src blob:; base-uri 'none'; form-action 'none'`,
  );
});
