import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NODE_LINES } from '../support/node-versions.js';

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const { engines } = read('package.json') as { engines: { node: string } };
/** The floor of each line, such as 20.19. */
const floors = engines.node.split(' || ').map((range) => range.replace(/^(?:\^|>=)/, ''));

describe('the Node versions of package.json', () => {
  it('allow later releases of each line, and every line after the last', () => {
    expect(engines.node).toMatch(/^(?:\^\d+\.\d+ \|\| )+>=\d+\.\d+$/);
  });

  it('are those of package-lock.json', () => {
    const { packages } = read('package-lock.json') as { packages: Record<string, unknown> };
    expect(packages['']).toMatchObject({ engines });
  });

  it.each(['README.md', 'CONTRIBUTING.md'])('are those of %s', (path) => {
    const [first, second, last] = floors;
    expect(readFileSync(path, 'utf8')).toContain(
      `You need Node with npm: ${first} or a later ${parseInt(first ?? '')}, ` +
        `${second} or a later ${parseInt(second ?? '')}, or ${last} or later`,
    );
  });

  it('are each tested on a release that is no older', () => {
    expect(floors.map((floor) => parseInt(floor))).toStrictEqual([...NODE_LINES]);
    const installed = read('test/node-versions/package.json') as {
      optionalDependencies: Record<string, string>;
    };
    const releases = Object.entries(installed.optionalDependencies).map(([name, release]) => {
      const [, line, arch] = /^node-(\d+)-linux-(\w+)$/.exec(name) ?? [];
      const [, major, minor] =
        new RegExp(`^npm:node-linux-${arch}@(\\d+)\\.(\\d+)\\.\\d+$`).exec(release) ?? [];
      expect(major).toBe(line);
      return { line: Number(line), minor: Number(minor) };
    });
    for (const [index, line] of NODE_LINES.entries()) {
      const minors = releases.filter((release) => release.line === line).map(({ minor }) => minor);
      expect(minors).toHaveLength(2);
      expect(Math.min(...minors)).toBeGreaterThanOrEqual(Number(floors[index]?.split('.')[1]));
    }
  });

  it('include that of the image, which is of the last line', () => {
    const images = [...readFileSync('Dockerfile', 'utf8').matchAll(/^FROM node:(\d+)-/gm)];
    expect(images.map(([, major]) => Number(major))).toStrictEqual([NODE_LINES.at(-1), NODE_LINES.at(-1)]);
  });
});
