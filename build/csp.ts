/**
 * Vite plugin: the page's Content-Security-Policy, in every page as a meta element (so that any static host has it)
 * and as a header where this project serves the page. A dedicated worker takes its policy from the header of its own
 * script: on a static host that sends none, the meta element covers the page alone.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { HUB_URL } from '@huggingface/hub';
import type { Plugin } from 'vite';

/** The frame for reward code has a policy of its own, in public/sandbox.html. */
const frame = /\/sandbox\.html$/;
const framePolicy = "sandbox allow-scripts; frame-ancestors 'self'";

type Directives = Readonly<Record<string, readonly string[]>>;

/** The built page. Inline styles are set through the DOM, which needs no permission. */
const directives: Directives = {
  'default-src': ["'none'"],
  // WebAssembly is compiled, JavaScript never is.
  'script-src': ["'self'", "'wasm-unsafe-eval'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'blob:', 'data:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'", ...hubSources()],
  'worker-src': ["'self'"],
  'manifest-src': ["'self'"],
  'frame-src': ["'self'"],
  'object-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
};

/** Hot reload needs inline scripts and styles, and a web socket; a development server is for one's own machine. */
const development: Directives = {
  ...directives,
  'script-src': [...directives['script-src'], "'unsafe-inline'"],
  'style-src': [...directives['style-src'], "'unsafe-inline'"],
  'connect-src': [...directives['connect-src'], 'ws:'],
};

const policy = (of: Directives) =>
  Object.entries(of)
    .map(([name, sources]) => [name, ...sources].join(' '))
    .join('; ');

/** The text of the built page's policy. */
export const contentSecurityPolicy = policy(directives);

export function csp(): Plugin {
  return {
    name: 'papo-csp',
    transformIndexHtml: {
      order: 'post',
      handler: (_, { server }) => [
        {
          tag: 'meta',
          attrs: {
            'http-equiv': 'Content-Security-Policy',
            content: server ? policy(development) : contentSecurityPolicy,
          },
          injectTo: 'head-prepend',
        },
      ],
    },
    configurePreviewServer(server) {
      server.middlewares.use((request, response, next) => {
        const path = new URL(request.url ?? '/', 'http://localhost').pathname;
        const header = frame.test(path) ? framePolicy : `${contentSecurityPolicy}; frame-ancestors 'self'`;
        response.setHeader('Content-Security-Policy', header);
        next();
      });
    },
  };
}

/**
 * The Hub's hosts, from its client's package: its address, what lies below it, and what lies below its short name,
 * where files are stored: uploads go there, and downloads are redirected there, to hosts that differ by region and by
 * year (the Hub lists them at /.well-known/meta.json). The package names the short name only in its documentation.
 */
function hubSources(): string[] {
  const { host } = new URL(HUB_URL);
  const sources = [HUB_URL, `https://*.${host}`];
  const types = join(
    dirname(createRequire(import.meta.url).resolve('@huggingface/hub')),
    'src/types/api/api-model.d.ts',
  );
  const short = /https:\/\/(\w+\.\w+)\/(?:datasets|metrics)\b/.exec(readFileSync(types, 'utf8'))?.[1];
  if (!short) throw new Error(`${types} no longer names the Hub's short host; see build/csp.ts`);
  return [...sources, `https://*.${short}`];
}
