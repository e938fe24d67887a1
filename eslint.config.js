import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Packages that only some rooms may import. `test/architecture.spec.ts` holds the order of the rooms. */
const BANS = {
  tests: { regex: '(^|/)test/', message: 'The service never knows its tests.' },
  cloudinary: {
    regex: '^cloudinary(/|$)',
    message: 'Only src/cloudinary knows the SDK.',
  },
  commander: { regex: '^commander$', message: 'Only src/cli reads a command line.' },
  typeorm: {
    regex: '^typeorm(/|$)',
    message: 'Only src/platform/database, src/directory and services read and write rows.',
  },
  sharp: {
    regex: '^sharp$',
    message: 'Only src/renderer, the demo rows and the inspection of originals read pixels.',
  },
  prometheus: {
    regex: '^prom-client$',
    message: 'Only src/operations knows Prometheus.',
  },
  opentelemetry: {
    regex: '^@opentelemetry/',
    message: 'Only src/platform/observability knows the OpenTelemetry SDK.',
  },
  undici: {
    regex: '^undici(/|$)',
    message: 'Only src/redirect/proxy fetches from the hosts of accounts.',
  },
  node: {
    regex: '^node:',
    message: 'This code runs in browsers.',
  },
  frameworks: {
    regex: '^(?!\\.|node:)',
    message: 'This room is pure: it imports no package.',
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

/** Built-in functions that Rolldown takes for pure, though the first ones throw. */
const PURE_FUNCTIONS = [
  ...['decodeURI', 'decodeURIComponent', 'encodeURI', 'encodeURIComponent', 'escape', 'unescape'],
  ...['isFinite', 'isNaN', 'parseFloat', 'parseInt', 'Boolean', 'Number', 'String', 'Symbol'],
];

/** Identifiers that were renamed in favour of common names, and must not return. */
const REPLACED_IDENTIFIERS = [
  ...['goTheWholeWay', 'Soon', 'Given', 'Asks', 'ToldProblem', 'HeardClient', 'heardAll'],
  ...['openAhead', 'tryOften', 'workAs', 'workAsOwn', 'ownRows', 'namingConflicts', 'releasing', 'tokenSpan'],
  ...['Tally', 'useDeed', 'Deed', 'hasNothingElse', 'sendWhole', 'leaveBody', 'mayOutlive'],
  ...['issuerKeyPlace', 'refuseEarly', 'OpenToBoundKeys', 'ReachedBy', 'RedirectLife', 'whoever'],
];

export default defineConfig(
  // step.ts is made from the vocabulary.
  { ignores: ['packages/client/src/step.ts', '**/dist', 'data', 'coverage'] },
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Nest's modules are classes with nothing but a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      'id-denylist': ['error', ...REPLACED_IDENTIFIERS],
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
    files: ['src/**', 'packages/**', 'web/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: `ExpressionStatement > CallExpression[callee.name=/^(?:${PURE_FUNCTIONS.join('|')})$/]`,
          message: 'The bundler removes this call, and what it throws: use its result.',
        },
      ],
    },
  },
  {
    files: [
      'src/platform/config/environment.ts',
      'test/**',
      'bench/**',
      'dev.js',
      'release.js',
      'packages/build.js',
      'examples/**',
      '*.config.ts',
      '*.config.js',
    ],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['test/**'],
    ignores: [
      'test/support/{built,require-build,require-build.spec}.ts',
      'test/e2e/{packages,react}.spec.ts',
      'test/release.spec.ts',
    ],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          // With join() it is the dist of another folder.
          selector:
            ":not(CallExpression[callee.name='join']) > Literal[value=/^dist(\\u002f|$)/], TemplateElement[value.raw=/^\\u002f?dist\\u002f/]",
          message: 'built() of test/support/built.ts builds dist first, so that no test runs a stale build.',
        },
      ],
    },
  },
  // Programs in plain JavaScript, run by hand or by a test: there are no types to check them by.
  {
    files: ['dev.js', 'release.js', 'packages/build.js', 'bench/**/*.js', 'test/{client,support}/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: Object.fromEntries(GLOBALS.map((name) => [name, 'readonly'])) },
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off', 'no-undef': 'error' },
  },
  area(['src/**'], BANS.cloudinary, BANS.commander, BANS.sharp, BANS.typeorm, BANS.undici),
  area(['src/redirect/proxy/**'], BANS.cloudinary, BANS.commander, BANS.sharp, BANS.typeorm),
  area(
    [
      'src/platform/database/**',
      'src/platform/actor/**',
      'src/directory/**',
      'src/**/*.service.ts',
      'src/originals/originals.store.ts',
      'src/admin/assets/known-events.ts',
      'src/admin/requests/{page,write-conflicts}.ts',
      'src/operations/health/health.controller.ts',
    ],
    BANS.cloudinary,
    BANS.commander,
    BANS.sharp,
  ),
  area(['web/**'], BANS.node),
  area(['src/cloudinary/**'], BANS.commander, BANS.sharp, BANS.typeorm),
  area(['src/cli/**'], BANS.cloudinary, BANS.sharp, BANS.typeorm),
  area(['src/operations/demo/**'], BANS.cloudinary, BANS.commander, BANS.typeorm),
  area(['src/originals/{inspect-original,undecodable}.ts'], BANS.cloudinary, BANS.commander, BANS.typeorm),
  area(['src/renderer/**'], BANS.cloudinary, BANS.commander, BANS.typeorm),
  area(['src/domain/**', 'src/transformations/**'], BANS.frameworks),
  area(['packages/*/src/**'], BANS.frameworks),
  area(['packages/client/src/**'], BANS.frameworks, BANS.node),
  area(['packages/react/src/**'], BANS.node, {
    regex: '^(?!\\.|react$)',
    message: 'React is the only package that its users have.',
  }),
  area(['src/policy/**'], BANS.frameworks),
  area(['src/tokens/{compact-jws,image-binding,strict-json,token-claims,token.errors}.ts'], BANS.frameworks),
  restrict(
    ['src/operations/metrics/**', 'src/operations/serve/worker-metrics.ts'],
    [BANS.tests, BANS.opentelemetry, BANS.cloudinary, BANS.commander, BANS.sharp],
  ),
  restrict(
    ['src/platform/observability/**'],
    [BANS.tests, BANS.prometheus, BANS.cloudinary, BANS.commander, BANS.sharp, BANS.typeorm],
  ),
);
