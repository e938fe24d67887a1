// Builds a package into its dist, as ES modules and CommonJS, before it is packed: `node packages/build.js client|testing|react`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { build } from 'vite';

const ROOT = resolve(import.meta.dirname, '..');

const FORMATS = {
  esm: ts.ModuleKind.ES2022,
  cjs: ts.ModuleKind.CommonJS,
};

/** Modules that differ in a package from the root's build, by their paths in `packages`. */
const REPLACED = {
  'testing/src/service-path.ts': {
    esm: `import { fileURLToPath } from 'node:url';
export const SERVICE = fileURLToPath(new URL('../server/embedded-service.js', import.meta.url));`,
    cjs: `import { join } from 'node:path';
export const SERVICE = join(__dirname, '../server/embedded-service.js');`,
  },
};

/** The client is a package of its own, which others import by its name. */
const nameClient = (text) => text.replaceAll('../../client/src/pixseal-client.js', '@pixseal/client');

/** @param {string} folder The package's folder. @returns {Map<string, string>} its types, by the names of their files */
function declare(folder) {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT);
  const sources = readdirSync(join(folder, 'src')).map((file) => join(folder, 'src', file));
  const program = ts.createProgram(sources, {
    ...options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
  });
  const problems = ts.getPreEmitDiagnostics(program);
  if (problems.length > 0) throw new Error(ts.formatDiagnostics(problems, ts.createCompilerHost(options)));
  const declarations = new Map();
  program.emit(undefined, (path, text) => {
    if (path.startsWith(join(folder, 'src/')))
      declarations.set(path.slice(folder.length + 5), nameClient(text));
  });
  return declarations;
}

/** @param {string} name The package's folder in `packages`. */
function buildModules(name) {
  const folder = join(ROOT, 'packages', name);
  const declarations = declare(folder);
  for (const [format, module] of Object.entries(FORMATS)) {
    const output = join(folder, 'dist', format);
    mkdirSync(output, { recursive: true });
    const write = (file, text) => {
      writeFileSync(join(output, file), text);
    };
    // Node and bundlers read the nearest package.json: the package's own is of an ES module.
    if (format === 'cjs') write('package.json', '{"type":"commonjs","sideEffects":false}\n');
    for (const [file, text] of declarations) write(file, text);
    for (const file of readdirSync(join(folder, 'src'))) {
      const source =
        REPLACED[`${name}/src/${file}`]?.[format] ?? readFileSync(join(folder, 'src', file), 'utf8');
      const { outputText } = ts.transpileModule(nameClient(source), {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module },
      });
      write(file.replace(/\.ts$/, '.js'), outputText);
    }
  }
}

/** Bundles the service, from a build of the root. */
async function buildService() {
  // npm passes on the options of `npm pack`, such as the workspace.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await build({ logLevel: 'warn', configFile: join(ROOT, 'packages/testing/vite.config.ts') });
}

const [, , name = ''] = process.argv;
if (!['client', 'testing', 'react'].includes(name))
  throw new Error('usage: node packages/build.js client|testing|react');
rmSync(join(ROOT, 'packages', name, 'dist'), { recursive: true, force: true });
buildModules(name);
if (name === 'testing') await buildService();
