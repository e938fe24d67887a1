import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Imports that only some folders may have; ARCHITECTURE.md says why. */
const BANS = {
  tests: { regex: '(^|/)test/', message: 'The service never knows its tests.' },
  cloudinary: {
    regex: '^cloudinary(/|$)',
    message: 'Only src/cloudinary knows the SDK.',
  },
  commander: { regex: '^commander$', message: 'Only src/cli reads a command line.' },
  typeorm: {
    regex: '^typeorm(/|$)',
    message: 'Rows are for src/database, entities, services and the directory.',
  },
  sharp: {
    regex: '^sharp$',
    message: 'Only src/renderer, the demo and the inspection of originals touch pixels.',
  },
  prometheus: {
    regex: '^prom-client$',
    message: 'Only src/metrics, and who adds up its workers, knows Prometheus.',
  },
  opentelemetry: {
    regex: '^@opentelemetry/',
    message: 'Only src/tracing knows the OpenTelemetry SDK.',
  },
  allButProblems: {
    regex: '^(?!\\./|\\.\\./(?:problems|domain)/|\\.\\./tokens/uuid\\.)',
    message: 'The vocabulary is pure: it imports its own folder, src/domain and src/problems, nothing else.',
  },
  node: {
    regex: '^node:',
    message: 'Pages run in browsers.',
  },
  allButOwn: {
    regex: '^(?!\\./)',
    message: 'The client runs anywhere: it imports its own folder, nothing else.',
  },
  frameworks: {
    regex: '^(?!\\.|node:)',
    message: 'This file is pure: it imports no package.',
  },
};

/**
 * A later area's bans replace an earlier one's: ESLint does not add up a rule's options.
 * @param {string[]} files
 * @param {{ regex: string, message: string }[]} patterns
 */
const restrict = (files, patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns }] },
});

/**
 * @param {string[]} files
 * @param {...{ regex: string, message: string }} bans Beside those of every area.
 */
const area = (files, ...bans) => restrict(files, [BANS.tests, BANS.prometheus, BANS.opentelemetry, ...bans]);

/** What programs in plain JavaScript use without an import: of Node, and of the pages that they look at. */
const GLOBALS = [
  ...['AbortController', 'AbortSignal', 'Buffer', 'URL', 'TextEncoder'],
  ...['Blob', 'FormData', 'btoa', 'clearInterval', 'clearTimeout', 'console', 'crypto', 'fetch'],
  ...['performance', 'process', 'setImmediate', 'setInterval', 'setTimeout'],
  ...['document', 'getComputedStyle', 'requestAnimationFrame', 'window'],
];

export default defineConfig(
  // step.ts is made from the vocabulary.
  { ignores: ['packages/client/src/step.ts', 'dist', 'data', 'coverage'] },
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Nest's modules are classes with nothing but a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // DTOs and views are the shapes of JSON: an object literal is one as well as the pipe's instance.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'Only src/platform/config/environment.ts reads the environment.',
        },
      ],
    },
  },
  {
    files: ['src/platform/config/environment.ts', 'test/**', 'bench/**', '*.config.ts', '*.config.js'],
    rules: { 'no-restricted-properties': 'off' },
  },
  // Programs in plain JavaScript, run by hand or by a test: there are no types to check them by.
  {
    files: ['bench/**/*.js', 'test/{client,support}/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: Object.fromEntries(GLOBALS.map((name) => [name, 'readonly'])) },
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off', 'no-undef': 'error' },
  },
  area(['src/**'], BANS.cloudinary, BANS.commander, BANS.sharp, BANS.typeorm),
  area(
    [
      'src/database/**',
      'src/directory/**',
      'src/**/*.entity.ts',
      'src/**/*.service.ts',
      'src/originals/originals.store.ts',
      'src/admin/{page,write-conflicts}.ts',
      'src/operations/health/health.controller.ts',
    ],
    BANS.cloudinary,
    BANS.commander,
    BANS.sharp,
  ),
  area(['web/**'], BANS.node),
  area(['src/cloudinary/**'], BANS.commander, BANS.sharp, BANS.typeorm),
  area(['src/cli/**'], BANS.cloudinary, BANS.sharp, BANS.typeorm),
  area(['src/demo/**'], BANS.cloudinary, BANS.commander, BANS.typeorm),
  area(['src/originals/inspect-original.ts'], BANS.cloudinary, BANS.commander, BANS.typeorm),
  area(['src/renderer/**'], BANS.cloudinary, BANS.commander, BANS.typeorm),
  area(['src/transformations/**'], BANS.allButProblems),
  area(['src/client/**'], BANS.allButOwn),
  area(['src/policy/!(policy.dto|policy-rows.service).ts'], BANS.frameworks),
  area(
    ['src/tokens/{compact-jws,image-binding,strict-json,token-claims,token.errors,uuid}.ts'],
    BANS.frameworks,
  ),
  restrict(
    ['src/metrics/**', 'src/operations/serve/worker-metrics.ts'],
    [BANS.tests, BANS.opentelemetry, BANS.cloudinary, BANS.commander, BANS.sharp],
  ),
  restrict(
    ['src/tracing/**'],
    [BANS.tests, BANS.prometheus, BANS.cloudinary, BANS.commander, BANS.sharp, BANS.typeorm],
  ),
);
