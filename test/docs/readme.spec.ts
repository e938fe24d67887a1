import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { documentBlock, readBlocks } from '../support/readme.js';

/** Documents whose every block a test runs. */
const DOCUMENTS = [
  'README.md',
  ...['admin', 'clients', 'keys', 'languages', 'production', 'tokens'].map((name) => `docs/${name}.md`),
];

/** Blocks that no test runs, with the reason and the check instead. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'README.md: Pixseal / text 1': 'it is a drawing',
  'docs/clients.md: `@pixseal/testing` / text 1': 'it is a message; test/e2e/package.spec.ts compares it',
  'docs/production.md: With docker compose / sh 1':
    'it needs a Docker engine; a test below and test/docs/documents.spec.ts read the compose file and .env.example',
  'docs/production.md: On Kubernetes / sh 1':
    'it needs a cluster; test/docs/kubernetes.spec.ts reads the manifest',
  'docs/production.md: Build the image / sh 1':
    'it needs a Docker engine; test/docs/documents.spec.ts compares its lines with the Dockerfile',
};

const specs = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.spec.ts'))
  .map((path) => readFileSync(`test/${path}`, 'utf8'))
  .join('\n');

describe('the documents', () => {
  const blocks = DOCUMENTS.flatMap((path) =>
    [...readBlocks(path).keys()].map((place) => [path, place] as const),
  );

  it.each(blocks.filter(([path, place]) => !(`${path}: ${place}` in NOT_RUN)))(
    'have a test that runs the block of %s at %s',
    (path, place) => {
      const call = path === 'README.md' ? `readmeBlock('${place}')` : `documentBlock('${path}', '${place}')`;
      expect(specs).toContain(call);
    },
  );

  it('have blocks that no test runs only for a reason', () => {
    expect(blocks.length).toBeGreaterThan(20);
    const places = blocks.map(([path, place]) => `${path}: ${place}`);
    expect(Object.keys(NOT_RUN).filter((place) => !places.includes(place))).toStrictEqual([]);
  });

  it('name a service, a program and a template of the compose file', () => {
    const { services } = parse(readFileSync('docker-compose.yml', 'utf8')) as {
      services: Record<string, unknown>;
    };
    const lines = documentBlock('docs/production.md', 'With docker compose / sh 1').trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^cp \.env\.example \.env /);
    expect(readFileSync('.env.example', 'utf8')).toMatch(/POSTGRES_PASSWORD/);
    // Docker's own part is not run: it needs a daemon and a registry.
    expect(lines[1]).toBe('docker compose up --build --detach --wait');
    const [, service = '', program = ''] =
      /^docker compose exec (\w+) node (\S+) /.exec(lines[2] ?? '') ?? [];
    expect(Object.keys(services)).toContain(service);
    const { bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: Record<string, string> };
    expect(bin['pixseal']).toBe(program);
  });

  it('have a systemd unit that runs the programs of package.json', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    const unit = readFileSync('deploy/systemd/pixseal.service', 'utf8');
    expect(unit).toContain(`\nExecStart=/usr/bin/${scripts['start:prod']}\n`);
    expect(scripts['migration:run']).toContain('node dist/src/platform/database/migration-run.js');
    expect(unit).toContain('\nExecStartPre=/usr/bin/node dist/src/platform/database/migration-run.js\n');
    expect(scripts['start']).toBe(scripts['start:prod']);
  });

  it('keep the README short', () => {
    expect(readFileSync('README.md').length).toBeLessThan(14_000);
  });
});
