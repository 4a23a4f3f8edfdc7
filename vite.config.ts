import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';
import { csp } from './build/csp.ts';
import { offline } from './build/offline.ts';
import { sandboxWorker } from './build/sandbox-worker.ts';
import { siteModels } from './build/site-models.ts';

// Cross-origin isolation: onnxruntime-web's threads need SharedArrayBuffer, which needs these two headers.
export const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  // One page, no routes: a missing file is a 404, not index.html.
  appType: 'mpa',
  plugins: [react(), csp(), sandboxWorker(), siteModels(), offline()],
  // The page needs onnxruntime's WASM provider alone; src/worker/open-device.ts says where its binaries are.
  resolve: {
    alias: [{ find: /^onnxruntime-web$/, replacement: 'onnxruntime-web/wasm' }],
    conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions],
  },
  server: { headers: isolation },
  preview: { headers: isolation },
  worker: { format: 'es' },
  // One page served from the same machine: a second chunk would save nothing, so no warning about size.
  build: { target: 'es2023', chunkSizeWarningLimit: 4000 },
  // Its .wasm and worker files are found relative to its own module, so it must not be pre-bundled.
  optimizeDeps: {
    exclude: ['onnxruntime-web'],
    // Found late, inside the worker: without this the first visit to a development server reloads the page.
    include: [
      '@codemirror/autocomplete',
      '@codemirror/commands',
      '@codemirror/lang-javascript',
      '@codemirror/language',
      '@codemirror/lint',
      '@codemirror/state',
      '@codemirror/view',
      '@huggingface/hub',
      '@huggingface/jinja',
      '@huggingface/tokenizers',
      '@zip.js/zip.js/lib/zip-core-native.js',
      'client-zip',
      'hash-wasm',
      'hyparquet',
      'hyparquet-compressors',
      'hyparquet/src/column.js',
      'hyparquet/src/delta.js',
      'hyparquet/src/schema.js',
      '@lezer/highlight',
      'hyparquet-writer',
      'idb-keyval',
      'protobufjs',
      'sucrase',
      'zod',
    ],
  },
});
