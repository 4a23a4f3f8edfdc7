import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import viteConfig, { isolation } from './vite.config.ts';

// WebGPU through SwiftShader, and no traffic of the browser's own.
const chromiumFlags = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

export default defineConfig({
  test: {
    // The projects run one after the other (groupOrder): on two cores they would slow each other into time-outs.
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/unit/**/*.test.ts'],
          environment: 'node',
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        server: { headers: isolation },
        // Found late: without this Vite would reload the page in the midst of a test.
        optimizeDeps: { exclude: ['onnxruntime-web'], include: viteConfig.optimizeDeps!.include },
        test: {
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          testTimeout: 240_000,
          sequence: { groupOrder: 1 },
          // One page at a time: the software GPU is shared, and it is slow.
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium',
                args: chromiumFlags,
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          globalSetup: 'tests/e2e/build-once.ts',
          environment: 'node',
          testTimeout: 240_000,
          hookTimeout: 120_000,
          // A poll ends when it holds; on two busy cores a second is soon over.
          expect: { poll: { timeout: 20_000 } },
          sequence: { groupOrder: 2 },
          // One page at a time: the threads of two of them, spinning, slow each other more than they gain.
          fileParallelism: false,
        },
      },
    ],
  },
});
