import { defineConfig } from 'vite';

/** What is loaded at its first need or has files of its own stays in node_modules. */
const SEPARATE = [
  'sharp',
  'cloudinary',
  'ioredis',
  '@electric-sql/pglite',
  '@opentelemetry',
  'swagger-ui-dist',
];
/** Nest's mapped types look for these in node_modules whatever is bundled: two copies would not share their metadata. */
const SHARED = ['class-validator', 'class-transformer'];
/** What Nest asks for only where an application uses it. */
const ABSENT = ['@nestjs/websockets', '@nestjs/microservices', '@nestjs/platform-express', 'pg-native'];

/**
 * Puts what tsc built, and the packages it needs, into the few files of dist/server: Node takes longer to find and read
 * some 1,700 modules than to run them. From dist, since Nest and TypeORM need the metadata that tsc alone writes.
 */
export default defineConfig({
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
        'embedded-service': 'dist/src/testing/embedded-service.js',
        'embedded-postgres.worker': 'dist/src/database/embedded-postgres.worker.js',
      },
      external: new RegExp(`^(?:${[...SEPARATE, ...SHARED, ...ABSENT].join('|')})(?:/|$)`),
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
