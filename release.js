// Creates release/VERSION: the tarballs of all packages, an SBOM (CycloneDX), the version's changes and SHA256SUMS.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const readText = (path) => readFileSync(path, 'utf8');
const readJson = (path) => JSON.parse(readText(path));
/** npm passes its options on to child processes, the workspace of `npm run` included. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));

/** @returns {string} The output of npm. @throws if it fails; it has written the reason to standard error. */
function npm(...args) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  const { status, stdout } = spawnSync('npm', args, { env, stdio, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`npm ${args[0]} failed.`);
  return stdout;
}

const CHART = 'deploy/helm/pixseal/Chart.yaml';
const { version } = readJson('package.json');
/** Of package-lock.json: each package by its path. */
const { version: lockedVersion, packages: locked } = readJson('package-lock.json');
const [, heading = 'no version', changes = ''] =
  /^## \[?([^\]\s]+)\]?.*\n([^]*?)(?=^## |(?![^]))/m.exec(readText('CHANGELOG.md')) ?? [];

/** @returns {string[]} Each place that names another version than package.json. */
function findOtherVersions() {
  const places = [
    ['package-lock.json has', lockedVersion],
    ['CHANGELOG.md starts with', heading],
  ];
  for (const entry of readdirSync('packages', { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const { name, version: own, peerDependencies = {} } = readJson(`packages/${entry.name}/package.json`);
    places.push([`${name} has`, own]);
    const client = peerDependencies['@pixseal/client'];
    if (client !== undefined) places.push([`${name} requires @pixseal/client`, client]);
  }
  if (existsSync(CHART))
    for (const [, key, value] of readText(CHART).matchAll(/^(version|appVersion): *['"]?([^'"\s]+)/gm))
      places.push([`${CHART} has ${key}`, value]);
  return places.filter(([, found]) => found !== version).map(([place, found]) => `${place} ${found}`);
}

/** @returns {object} The SBOM of the packages that an install for production may contain, on any platform. */
function createSbom() {
  const bom = JSON.parse(npm('sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'));
  // `--omit dev` would also remove packages that a package for development shares with production, rxjs for one.
  const refs = new Set(
    Object.entries(locked)
      .filter(([, { dev, link }]) => !dev && !link)
      .map(([path, entry]) => `${entry.name ?? path.replace(/^.*node_modules\//, '')}@${entry.version}`),
  );
  // npm takes the name from the folder, which differs for workspaces and aliases.
  const rename = (component) => ({ ...component, name: component['bom-ref'].replace(/@[^@]*$/, '') });
  return {
    ...bom,
    metadata: { ...bom.metadata, component: rename(bom.metadata.component) },
    components: bom.components.filter((component) => refs.has(component['bom-ref'])).map(rename),
    dependencies: bom.dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((name) => refs.has(name)) })),
  };
}

/** Writes everything into a folder, which is emptied first. @returns {string} SHA256SUMS, which has each file. */
function writeRelease(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  npm('pack', '--loglevel', 'warn', '--workspaces', '--include-workspace-root', '--pack-destination', folder);
  writeFileSync(join(folder, `pixseal-${version}.cdx.json`), `${JSON.stringify(createSbom(), null, 2)}\n`);
  writeFileSync(join(folder, 'CHANGES.md'), `${changes.trim()}\n`);
  const hash = (file) =>
    createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex');
  const sums = readdirSync(folder)
    .sort()
    .map((file) => `${hash(file)}  ${file}\n`)
    .join('');
  writeFileSync(join(folder, 'SHA256SUMS'), sums);
  return sums;
}

/** @throws if a file names another version, or if npm fails. Nothing is left in `release` then. */
function release() {
  const others = findOtherVersions();
  if (others.length > 0) {
    const date = new Date().toISOString().slice(0, 10);
    throw new Error(
      `package.json has ${version}, but:\n${others.map((place) => `- ${place}\n`).join('')}Set all to the version to ` +
        `release; CHANGELOG.md needs a heading such as "## ${version} - ${date}".`,
    );
  }
  const folder = join('release', version);
  try {
    process.stdout.write(`${writeRelease(folder)}\n${folder}\n`);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

try {
  release();
} catch (error) {
  process.stderr.write(`Nothing was released. ${error.message}\n`);
  process.exitCode = 1;
}
