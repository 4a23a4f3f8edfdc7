/**
 * Vite plugin: models/index.json, the names of the model folders that lie in public/models when the page is built, for
 * the page's model picker. A host that adds folders later lists them there, or visitors type their path.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

const file = 'models/index.json';

export function siteModels(): Plugin {
  let folder = '';
  const list = () =>
    JSON.stringify(
      readdirSync(folder)
        .filter((name) => existsSync(join(folder, name, 'config.json')))
        .sort(),
    );
  return {
    name: 'papo-site-models',
    configResolved({ publicDir }) {
      folder = join(publicDir, 'models');
    },
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        if (request.url?.split('?')[0] !== `/${file}`) return next();
        response.setHeader('Content-Type', 'application/json').end(list());
      });
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: file, source: list() });
    },
  };
}
