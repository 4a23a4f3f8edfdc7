// What is installed is what was reviewed: every package is pinned by version and checksum, from a registry and nowhere else.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Entry {
  version?: string;
  integrity?: string;
  resolved?: string;
  link?: boolean;
  hasInstallScript?: boolean;
}

const read = (name: string) => JSON.parse(readFileSync(name, 'utf8'));
const { packages } = read('package-lock.json') as { packages: Record<string, Entry> };
const { dependencies, devDependencies } = read('package.json') as Record<string, Record<string, string>>;
const installed = Object.entries(packages).filter(([path]) => path !== '');

it('every package has a version and a SHA-512, and none is a link or an address', () => {
  expect(installed.length).toBeGreaterThan(100);
  for (const [path, { version, integrity, resolved, link }] of installed) {
    expect(version, path).toMatch(/^\d+\.\d+\.\d+/);
    expect(integrity, path).toMatch(/^sha512-/);
    expect(resolved ?? link, path).toBeUndefined();
  }
});

it('what package.json asks for is there', () => {
  for (const name of Object.keys({ ...dependencies, ...devDependencies }))
    expect(packages[`node_modules/${name}`], name).toBeDefined();
});

it('no package runs a script when it is installed', () => {
  expect(readFileSync('.npmrc', 'utf8')).toMatch(/^ignore-scripts=true$/m);
});
