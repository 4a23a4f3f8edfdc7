/**
 * Vite plugin: a service worker (Workbox) that keeps the built page, its runtime and the built-in model, so that a
 * second visit needs no network. Other models are not kept here: they are large, and the visitor chooses them. A new
 * version waits until every tab of the old one is closed, so a run is never reloaded away.
 */
import type { PluginOption } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

/** onnxruntime's WebAssembly is the largest file that is kept. */
const largestFile = 20 * 2 ** 20;

export const offline = (): PluginOption =>
  VitePWA({
    // src/ui/offline.ts registers it once the model is loaded: the first visit has better things to do.
    injectRegister: null,
    manifest: {
      name: 'papo-web',
      short_name: 'papo-web',
      description: 'Train a small vision-language model with PAPO on your own machine, in this page.',
      theme_color: '#1d4ed8',
      background_color: '#f5f6f8',
      display: 'standalone',
      icons: [{ src: 'favicon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' }],
    },
    workbox: {
      globPatterns: ['**/*.{html,js,mjs,css,svg,png,wasm,json,jinja,safetensors,bin,txt}'],
      maximumFileSizeToCacheInBytes: largestFile,
      inlineWorkboxRuntime: true,
      navigateFallback: 'index.html',
      // The sandbox is a page of its own, and what a model folder lacks must stay missing.
      navigateFallbackDenylist: [/\/sandbox\.html$/, /\/models\//],
      cleanupOutdatedCaches: true,
      skipWaiting: false,
      clientsClaim: false,
      sourcemap: false,
    },
  });
