import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

const ROOT = resolve(import.meta.dirname, '../..');
const OUTPUT = join(import.meta.dirname, 'dist/server');
const MODULES = join(ROOT, 'node_modules');

/** A package that cannot be bundled, and is copied beside the bundle. */
interface Vendored {
  /** What code imports, as the path of a file in the package. */
  readonly entry: string;
  /** The files to copy, by their path in the package. */
  readonly files: RegExp;
}

/** Packages that read files of their own, and one that must run before every module of the bundle. */
const VENDORED: Readonly<Record<string, Vendored>> = {
  '@electric-sql/pglite': {
    entry: 'dist/index.js',
    files: /^(?:package\.json|LICENSE|dist\/(?:fs\/)?[^/]+\.(?:js|wasm|data))$/,
  },
  piscina: {
    entry: 'dist/esm-wrapper.mjs',
    files: /^(?:package\.json|LICENSE|dist\/(?:.+\/)?[^/]+\.m?js)$/,
  },
  'reflect-metadata': { entry: 'Reflect.js', files: /^(?:package\.json|LICENSE|Reflect\.js)$/ },
  'dejavu-fonts-ttf': {
    entry: 'package.json',
    files:
      /^(?:package\.json|LICENSE|ttf\/DejaVu(?:Sans|Serif|SansMono)(?:-(?:Bold|Italic|Oblique|BoldItalic|BoldOblique|ExtraLight))?\.ttf)$/,
  },
  ...Object.fromEntries(
    ['noto-sans-thai', 'noto-sans-devanagari', 'noto-emoji'].map((name) => [
      `@expo-google-fonts/${name}`,
      { entry: 'package.json', files: /^(?:package\.json|LICENSE|LICENSE_FONT|400Regular\/[^/]+\.ttf)$/ },
    ]),
  ),
};
/**
 * `sharp` is native, and optional, as the decoders of few formats are. The others are what Nest and pg import only where
 * an application has them.
 */
const EXTERNAL = [
  'sharp',
  '@resvg/resvg-wasm',
  '@hyzyla/pdfium',
  'jxl-oxide-wasm',
  'libheif-js',
  'swagger-ui-dist',
  '@nestjs/websockets',
  '@nestjs/microservices',
  '@nestjs/platform-express',
  'pg-native',
];

const isOneOf = (names: readonly string[]): RegExp => new RegExp(`^(?:${names.join('|')})(?:/|$)`);

/** Modules whose `require` Node resolves, so that the bundler does not see it. */
const OWN_REQUIRE = /\/(?:dist\/src\/cloudinary\/sdk|@nestjs\/mapped-types\/dist\/type-helpers\.utils)\.js$/;

/** Resolves at build time what the service resolves in its `node_modules`, which a user of the package does not have. */
const selfContained: Plugin = {
  name: 'self-contained',
  transform: (code, id) =>
    OWN_REQUIRE.test(id)
      ? code.replace('const require = createRequire(import.meta.url);', '')
      : code
          .replace(/'((?:dejavu-fonts-ttf|@expo-google-fonts\/[^/]+)\/package\.json)'/g, "'./vendor/$1'")
          .replace("'pixseal/package.json'", "'../../package.json'"),
  generateBundle: (_, bundle) => {
    for (const file of Object.values(bundle)) {
      if (file.type !== 'chunk') continue;
      for (const [name, { entry }] of Object.entries(VENDORED)) {
        file.code = file.code.replaceAll(
          new RegExp(`(\\bfrom |\\bimport |\\bimport\\(|\\b__require\\()"${name}"`, 'g'),
          `$1"./vendor/${name}/${entry}"`,
        );
      }
    }
  },
  writeBundle: () => {
    for (const [name, { files }] of Object.entries(VENDORED)) copyFiles(name, files);
    cpSync(join(ROOT, 'dist/web'), join(OUTPUT, '../web'), { recursive: true });
  },
};

function copyFiles(name: string, files: RegExp): void {
  const from = join(MODULES, name);
  for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    if (files.test(file)) cpSync(join(from, file), join(OUTPUT, 'vendor', name, file));
  }
}

/** MIT and its like require that each copy contains the notice. */
const licenses: Plugin = {
  name: 'licenses',
  generateBundle(_, bundle) {
    const folders = new Set<string>();
    for (const file of Object.values(bundle)) {
      if (file.type !== 'chunk') continue;
      for (const id of file.moduleIds) {
        const [folder] = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.split(sep).join('/')) ?? [];
        if (folder !== undefined) folders.add(folder);
      }
    }
    const notices = [...folders].sort().map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name: string;
        version: string;
        license: string;
      };
      const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
      const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim();
      return `${name} ${version}, ${license}\n\n${text}`;
    });
    this.emitFile({
      type: 'asset',
      fileName: 'LICENSES.txt',
      source: `${notices.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`,
    });
  },
};

/**
 * Bundles the service that `startPixseal` forks with every package it needs, from what `npm run build` compiled: a test
 * kit with the service's 200 dependencies would put them beside those of its user.
 */
export default defineConfig({
  root: ROOT,
  plugins: [selfContained, licenses],
  publicDir: false,
  ssr: { noExternal: true },
  // Nest requires the CommonJS build; a second copy would have its own metadata.
  resolve: {
    alias: [{ find: /^class-transformer$/, replacement: join(MODULES, 'class-transformer/cjs/index.js') }],
  },
  build: {
    ssr: true,
    outDir: OUTPUT,
    emptyOutDir: true,
    target: 'node20',
    // Stack traces are to be read.
    minify: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        'embedded-service': 'dist/src/embedded-service.js',
        'embedded-postgres.worker': 'dist/src/platform/database/embedded-postgres.worker.js',
        'convert.worker': 'dist/src/originals/conversion/convert.worker.js',
        'render.worker': 'dist/src/renderer/render.worker.js',
      },
      external: isOneOf([...Object.keys(VENDORED), ...EXTERNAL]),
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
