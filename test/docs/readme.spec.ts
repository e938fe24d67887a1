import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readBlocks, readmeBlock } from '../support/readme.js';

/** Blocks that no test runs, why, and what is looked at instead. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'Pixseal / text 1': 'it is a drawing',
  'With docker compose / sh 1':
    'it needs a Docker engine; a test below and test/docs/documents.spec.ts read the compose file and .env.example',
  'On Kubernetes / sh 1':
    'it needs a registry and a cluster; test/docs/kubernetes.spec.ts reads the manifest',
};

const specs = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.spec.ts'))
  .map((path) => readFileSync(`test/${path}`, 'utf8'))
  .join('\n');

describe('the README', () => {
  const places = [...readBlocks('README.md').keys()];

  it.each(places.filter((place) => !(place in NOT_RUN)))('has a test of its block %s', (place) => {
    expect(specs.includes(`readmeBlock('${place}')`)).toBe(true);
  });

  it('has blocks without a test only where there is a reason', () => {
    expect(places.length).toBeGreaterThan(20);
    expect(Object.keys(NOT_RUN).filter((place) => !places.includes(place))).toStrictEqual([]);
  });

  it('names a service, a program and a template of the compose file', () => {
    const { services } = parse(readFileSync('docker-compose.yml', 'utf8')) as {
      services: Record<string, unknown>;
    };
    const lines = readmeBlock('With docker compose / sh 1').trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^cp \.env\.example \.env /);
    expect(readFileSync('.env.example', 'utf8')).toMatch(/POSTGRES_PASSWORD/);
    // Docker's own part is not run: it needs a daemon and a registry.
    expect(lines[1]).toBe('docker compose up --build --detach --wait');
    const [, service = '', program = ''] =
      /^docker compose exec (\w+) node dist\/(\S+)\.js /.exec(lines[2] ?? '') ?? [];
    expect(Object.keys(services)).toContain(service);
    const { bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: Record<string, string> };
    expect(bin['pixseal']).toBe(`dist/${program}.js`);
  });
});
