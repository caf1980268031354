import { defineConfig } from 'vitest/config';
import { pageRoutes } from './build/page-routes.ts';
import { sizeBudget } from './build/size-budget.ts';

/** The node that the development server passes WHIP, WHEP and API requests to. */
const node = process.env.SPILLWAY_NODE ?? 'http://localhost:8080';
const proxy = {
  // The chat is a WebSocket below it.
  '/api': { target: node, ws: true },
  '/whip': node,
  '/whep': node,
  '/hls': node,
  // What is below a recording; the recording itself is a page.
  '^/vod/[^/]+/': node,
};

export default defineConfig({
  plugins: [pageRoutes(), sizeBudget({ script: 25_000, style: 8_000 })],
  server: { proxy },
  preview: { proxy },
  build: {
    target: 'es2022',
    // The node's content security policy allows no data: URLs and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ['index', 'watch', 'studio', 'vod', 'overlay', 'dashboard'].map(
        (name) => `${name}.html`,
      ),
    },
  },
  worker: { format: 'es' },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
