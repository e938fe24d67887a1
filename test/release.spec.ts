import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanClone, SLOW, type CleanClone } from './support/clean-clone.js';
import { documentBlock } from './support/readme.js';

interface Component {
  readonly 'bom-ref': string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Locked {
  readonly name?: string;
  readonly version?: string;
  readonly integrity?: string;
  readonly dev?: true;
  readonly link?: true;
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const COMMAND = documentBlock('CONTRIBUTING.md', 'Releases / sh 1');

let clone: CleanClone;

beforeAll(() => {
  clone = createCleanClone({ withService: true });
  for (const path of ['release.js', 'CHANGELOG.md', 'README.md', 'deploy/helm']) {
    cpSync(path, join(clone.clone, path), { recursive: true });
  }
});
afterAll(() => {
  clone.remove();
});

/** Replaces text in a file of the clone. @returns a function that restores the file. */
function edit(path: string, pattern: RegExp | string, replacement: string): () => void {
  const file = join(clone.clone, path);
  const text = readFileSync(file, 'utf8');
  const edited = text.replace(pattern, replacement);
  expect(edited).not.toBe(text);
  writeFileSync(file, edited);
  return () => {
    writeFileSync(file, text);
  };
}

describe('npm run release', () => {
  it('refuses another version in any file, names each, and writes nothing', async () => {
    const restore = [
      edit('CHANGELOG.md', /^## .*$/m, '## 9.9.9'),
      edit('packages/client/package.json', `"version": "${version}"`, '"version": "9.9.9"'),
      edit('packages/react/package.json', `"@pixseal/client": "${version}"`, '"@pixseal/client": "9.9.9"'),
      edit('package-lock.json', `"version": "${version}"`, '"version": "9.9.9"'),
      edit('deploy/helm/pixseal/Chart.yaml', /^version: .*$/m, 'version: 9.9.9'),
      edit('deploy/helm/pixseal/Chart.yaml', /^appVersion: .*$/m, "appVersion: '9.9.9'"),
    ];
    await expect(clone.run(clone.clone, COMMAND)).rejects.toThrow(
      [
        `Nothing was released. package.json has ${version}, but:`,
        '- package-lock.json has 9.9.9',
        '- CHANGELOG.md starts with 9.9.9',
        '- @pixseal/client has 9.9.9',
        '- @pixseal/react requires @pixseal/client 9.9.9',
        '- deploy/helm/pixseal/Chart.yaml has version 9.9.9',
        '- deploy/helm/pixseal/Chart.yaml has appVersion 9.9.9',
        'Set all to the version to release; ',
      ].join('\n'),
    );
    expect(existsSync(join(clone.clone, 'release'))).toBe(false);
    for (const undo of restore.toReversed()) undo();
  });

  describe('of matching versions', () => {
    const folder = (): string => join(clone.clone, 'release', version);
    const readSbom = (): Sbom =>
      JSON.parse(readFileSync(join(folder(), `pixseal-${version}.cdx.json`), 'utf8')) as Sbom;
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Readonly<Record<string, Locked>>;
    };
    const production = Object.entries(packages)
      .filter(([path, { dev, link }]) => path !== '' && dev !== true && link !== true)
      .map(([path, entry]) => ({
        ref: `${entry.name ?? path.replace(/^.*node_modules\//, '')}@${entry.version ?? ''}`,
        integrity: entry.integrity,
      }));

    beforeAll(async () => {
      // What other builds may have left.
      for (const name of ['bench', 'test']) {
        mkdirSync(join(clone.clone, 'dist', name), { recursive: true });
        writeFileSync(join(clone.clone, 'dist', name, 'left.js'), '');
      }
      edit(
        'CHANGELOG.md',
        /^## .*\n[^]*?(?=^## )/m,
        `## ${version} - 2030-01-02\n\n### Added\n\n- A line.\n\n`,
      );
      await clone.run(clone.clone, COMMAND);
    }, SLOW);

    it('writes the tarballs, the SBOM and the changes, with checksums that match', async () => {
      const files = [
        'CHANGES.md',
        `pixseal-${version}.cdx.json`,
        `pixseal-${version}.tgz`,
        ...['client', 'react', 'testing'].map((name) => `pixseal-${name}-${version}.tgz`),
      ].sort();
      expect(readdirSync(folder()).sort()).toStrictEqual([...files, 'SHA256SUMS'].sort());
      const checked = await clone.run(folder(), documentBlock('CONTRIBUTING.md', 'Releases / sh 2'));
      expect(checked.trim().split('\n')).toStrictEqual(files.map((file) => `${file}: OK`));
      expect(readFileSync(join(folder(), 'CHANGES.md'), 'utf8')).toBe('### Added\n\n- A line.\n');
    });

    it('packs the built service, and no source', async () => {
      const paths = (await clone.run(folder(), `tar -tzf pixseal-${version}.tgz`)).trim().split('\n');
      for (const path of ['dist/server/main.js', 'dist/server/pixseal.js', 'dist/web/console.html'])
        expect(paths).toContain(`package/${path}`);
      const built = /^package\/dist\/(?:(?:packages|server|src|web)\/|ormconfig\.)/;
      expect(paths.filter((path) => !built.test(path)).sort()).toStrictEqual(
        ['LICENSE', 'README.md', 'package.json'].map((path) => `package/${path}`),
      );
    });

    it('has an SBOM in the format of CycloneDX', () => {
      const sbom = readSbom();
      expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 });
      expect(sbom.serialNumber).toMatch(/^urn:uuid:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/);
      expect(sbom.metadata.component).toMatchObject({
        'bom-ref': `pixseal@${version}`,
        name: 'pixseal',
        version,
        purl: `pkg:npm/pixseal@${version}`,
      });
      for (const component of sbom.components) {
        expect(component.type).toBe('library');
        expect(component['bom-ref']).toBe(`${component.name}@${component.version}`);
        expect(component.purl).toBe(`pkg:npm/${component.name.replace('@', '%40')}@${component.version}`);
      }
      const refs = [sbom.metadata.component, ...sbom.components].map((component) => component['bom-ref']);
      expect(new Set(refs).size).toBe(refs.length);
      expect(sbom.dependencies.map(({ ref }) => ref).sort()).toStrictEqual([...refs].sort());
      expect(
        sbom.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.includes(ref)),
      ).toEqual([]);
    });

    it('has an SBOM with every production dependency of package-lock.json, its checksum, and no other', () => {
      const { components } = readSbom();
      expect(components.map((component) => component['bom-ref']).sort()).toStrictEqual(
        [...new Set(production.map(({ ref }) => ref))].sort(),
      );
      for (const name of ['@nestjs/common', 'rxjs', 'fastify', 'pg'])
        expect(components.map((component) => component.name)).toContain(name);
      const integrities = new Map(production.map(({ ref, integrity }) => [ref, integrity]));
      for (const { 'bom-ref': ref, hashes } of components) {
        const sums = hashes?.map(({ alg, content }) => [alg, Buffer.from(content, 'hex').toString('base64')]);
        expect([ref, sums]).toStrictEqual([
          ref,
          integrities
            .get(ref)
            ?.split(' ')
            .map((sum) => sum.replace('sha', 'SHA-').split(/-(?=[^-]*$)/)),
        ]);
      }
    });
  });
});
