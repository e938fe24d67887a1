import { defineConfig } from 'vite';

/** Builds the pages of web/ into dist/web; `src/pages/` serves them. */
export default defineConfig({
  root: 'web',
  base: '/web/',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2023',
    // Every asset is a file of its own, so that the pages' CSP can do without `data:` for scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { input: ['web/playground.html'] },
  },
});
