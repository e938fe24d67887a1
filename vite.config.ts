import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/** Puts a compressed copy beside each script and style, so that nothing is compressed while it is served. */
const compressed: Plugin = {
  name: 'compressed',
  writeBundle: ({ dir = '' }, bundle) => {
    for (const file of Object.values(bundle)) {
      if (!/\.(?:js|css)$/.test(file.fileName)) continue;
      const content = file.type === 'chunk' ? file.code : file.source;
      writeFileSync(join(dir, `${file.fileName}.br`), brotliCompressSync(content));
    }
  },
};

/** Builds the pages of web/ into dist/web; `src/pages/` serves them. */
export default defineConfig({
  root: 'web',
  base: '/web/',
  publicDir: false,
  plugins: [compressed],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2023',
    // Every asset is a file of its own, so that the pages' CSP can do without `data:` for scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { input: ['web/console.html', 'web/playground.html'] },
  },
});
