import { defineConfig, type Plugin } from 'vite';

/** What is loaded at its first need or has files of its own stays in node_modules. */
const SEPARATE = [
  'sharp',
  'cloudinary',
  'ioredis',
  '@electric-sql/pglite',
  '@opentelemetry',
  'swagger-ui-dist',
  'piscina',
  '@resvg/resvg-wasm',
  '@hyzyla/pdfium',
  'jxl-oxide-wasm',
  'libheif-js',
];
/** Nest's mapped types look for these in node_modules whatever is bundled: two copies would not share their metadata. */
const SHARED = ['class-validator', 'class-transformer'];
/** Must run before Nest's own modules, whose order in a chunk is the bundler's: a chunk's external imports run first. */
const FIRST = ['reflect-metadata'];
/** What Nest asks for only where an application uses it. */
const ABSENT = ['@nestjs/websockets', '@nestjs/microservices', '@nestjs/platform-express', 'pg-native'];

/** V8 keeps a source with a single character beyond Latin-1 in twice the memory: such characters are escaped. */
const ascii: Plugin = {
  name: 'ascii',
  generateBundle: (_, bundle) => {
    for (const file of Object.values(bundle)) {
      if (file.type !== 'chunk') continue;
      file.code = file.code.replace(
        /[^\0-\x7f]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
    }
  },
};

/**
 * Puts what tsc built, and the packages it needs, into the few files of dist/server: Node takes longer to find and read
 * some 1,700 modules than to run them. From dist, since Nest and TypeORM need the metadata that tsc alone writes.
 */
export default defineConfig({
  plugins: [ascii],
  publicDir: false,
  ssr: { noExternal: true },
  build: {
    ssr: true,
    outDir: 'dist/server',
    emptyOutDir: true,
    target: 'node20',
    // Stack traces are to be read.
    minify: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        main: 'dist/src/main.js',
        pixseal: 'dist/src/cli/pixseal.js',
        'embedded-service': 'dist/src/embedded-service.js',
        'embedded-postgres.worker': 'dist/src/platform/database/embedded-postgres.worker.js',
        'convert.worker': 'dist/src/originals/conversion/convert.worker.js',
        'render.worker': 'dist/src/renderer/render.worker.js',
      },
      external: new RegExp(`^(?:${[...SEPARATE, ...SHARED, ...FIRST, ...ABSENT].join('|')})(?:/|$)`),
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: '[name]-[hash].js',
        // Schemas, entities and log lines are named by their classes.
        keepNames: true,
        comments: { legal: true, annotation: false, jsdoc: false },
      },
    },
  },
});
