import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { SETTINGS } from '../../src/platform/config/settings.js';
import { documentBlock, readmeBlock } from '../support/readme.js';

const read = (path: string): string => readFileSync(path, 'utf8');
const unique = (names: Iterable<string>): string[] => [...new Set(names)].sort();
/** Everything that a pattern's first group matches. */
const all = (pattern: RegExp, text: string): string[] =>
  unique([...text.matchAll(pattern)].map(([, name = '']) => name));

/** Lines of a document under a heading, up to the next one. */
function section(document: string, heading: string): string {
  const [, found = ''] = read(document).split(new RegExp(`^## ${heading}$`, 'm'));
  expect(found).not.toBe('');
  return found.split(/^## /m)[0] ?? '';
}

const settings = unique(Object.keys(SETTINGS));
const composed = all(/\$\{([A-Z_]+)/g, read('docker-compose.yml'));
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: { readonly app: { readonly environment: Readonly<Record<string, string | number>> } };
};

describe('the settings', () => {
  it('are those of .env.example, with those of the compose file', () => {
    expect(all(/^(?:# )?([A-Z_]+)=/gm, read('.env.example'))).toStrictEqual(
      unique([...settings, ...composed]),
    );
  });

  it('are all commented out in .env.example', () => {
    expect(all(/^([^#\s].*)$/gm, read('.env.example'))).toStrictEqual([]);
  });

  it('are passed on by the compose file, except those of embedded mode and of the image', () => {
    expect(unique(Object.keys(compose.services.app.environment))).toStrictEqual(
      settings.filter((name) => !['DATA_DIR', 'HOST', 'PORT'].includes(name)),
    );
  });
});

describe('a secret', () => {
  const secrets = Object.entries(SETTINGS).flatMap(([name, setting]) => ('secret' in setting ? [name] : []));

  it.each([...secrets, 'POSTGRES_PASSWORD'])('has no default in the compose file: %s', (name) => {
    const [, ...defaults] = read('docker-compose.yml').split(`\${${name}:-`);
    expect(defaults.filter((text) => !text.startsWith('}'))).toStrictEqual([]);
  });

  it.each(Object.entries(SETTINGS).flatMap(([name, setting]) => ('required' in setting ? [name] : [])))(
    'is required by the compose file: %s',
    (name) => {
      expect(compose.services.app.environment[name]).toContain(`\${${name}:?`);
    },
  );
});

describe('the two commands', () => {
  it('are in the README, and .ci/run runs them unchanged', () => {
    const commands = [readmeBlock('Start / sh 1'), readmeBlock('Start / sh 2')];
    expect(commands).toStrictEqual(['npm ci && npm start\n', 'npm ci && npm test\n']);
    for (const command of commands) expect(read('.ci/run')).toContain(command.trim());
  });
});

describe('the map', () => {
  it('lists every room, and no other', () => {
    const folders = ['src', 'packages'].flatMap((parent) =>
      readdirSync(parent, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `${parent}/${name}/`),
    );
    const listed = all(/^\| `([\w/-]+\/)` /gm, section('ARCHITECTURE.md', 'Rooms'));
    // The commands belong to the highest room, beside the files of `src/` itself.
    const rooms = folders.filter((folder) => folder !== 'src/cli/');
    expect(listed).toStrictEqual([...rooms, 'src/', 'web/'].sort());
  });
});

/** A document without its fenced blocks. */
const proseOf = (document: string): string => read(document).replaceAll(/^```[^]*?^```$/gm, '');

/** The anchors that GitHub gives the headings of a document. */
function anchorsOf(document: string): string[] {
  const seen = new Map<string, number>();
  return [...proseOf(document).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => {
    const anchor = title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{M}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
}

describe('every document', () => {
  const documents = [
    ...readdirSync('.').filter((name) => name.endsWith('.md')),
    ...['docs', 'docs/decisions'].flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.md'))
        .map((name) => `${folder}/${name}`),
    ),
  ];

  it.each(documents)('%s links to files and headings that exist', (document) => {
    const folder = document.slice(0, document.lastIndexOf('/') + 1);
    const broken = all(/(?:\]\(|\b(?:src|srcset)=")(?!https?:)([^)"]+)/g, proseOf(document)).filter(
      (link) => {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? document : folder + path;
        return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
      },
    );
    expect(broken).toStrictEqual([]);
  });

  it.each(documents)('%s names files that exist', (document) => {
    // Records and the changelog also name files of their time.
    if (document.startsWith('docs/decisions/') || document === 'CHANGELOG.md') return;
    const paths = all(/`((?:src|web|packages|test|bench|docs|deploy)\/[\w./-]+\.\w+)`/g, read(document));
    expect(paths.filter((path) => !existsSync(path))).toStrictEqual([]);
  });
});

describe('the guide to the vocabulary', () => {
  it('shows an entry of the table unchanged', () => {
    const [, entry = ''] = /```ts\n\s*(value\([^\n]+)\n\s*```/.exec(read('CONTRIBUTING.md')) ?? [];
    expect(entry).not.toBe('');
    expect(read('src/transformations/vocabulary.ts')).toContain(entry);
  });
});

describe('the image', () => {
  it('sets the values of the table of settings', () => {
    const [, variables = ''] = /^ENV (.*)$/m.exec(read('Dockerfile')) ?? [];
    const images = Object.entries(SETTINGS).flatMap(([name, setting]) =>
      'image' in setting ? [`${name}=${setting.image}`] : [],
    );
    expect(variables.split(' ').sort()).toStrictEqual([...images, 'NODE_ENV=production'].sort());
  });

  it('is built, checked and described as its Dockerfile has it', () => {
    const dockerfile = read('Dockerfile');
    const { version, bin } = JSON.parse(read('package.json')) as {
      readonly version: string;
      readonly bin: Readonly<Record<string, string>>;
    };
    const commands = documentBlock('docs/production.md', 'Build the image / sh 1').trim().split('\n');
    expect(commands[0]).toBe(`docker build --pull -t pixseal:${version} .`);
    expect(commands[1]).toBe(`docker run --rm pixseal:${version} node ${bin['pixseal'] ?? ''} --version`);
    expect(
      commands.filter((command) => command.includes('pixseal:') && !command.includes(`pixseal:${version}`)),
    ).toEqual([]);
    const text = section('docs/production.md', 'Build the image');
    expect(text).toContain(`two stages, both of \`${all(/^FROM (\S+)/gm, dockerfile).join()}\`.`);
    const final = all(/^COPY --from=build \/app\/(\S+) /gm, dockerfile).map((path) => `\`${path}\``);
    expect(text).toContain(`the second has ${final.join(', ').replace(/, (?=[^,]*$)/, ' and ')} only`);
    const [, interval = '', start = '', path = ''] =
      /^HEALTHCHECK --interval=(\d+)s .*--start-period=(\d+)s [^]*?\}(\/[\w/]+)`/m.exec(dockerfile) ?? [];
    expect(text).toContain(`requests \`${path}\` every ${interval} seconds`);
    expect(text).toContain(`failures of the first ${start} seconds do not count`);
    expect(text).toContain(`as the user \`${all(/^USER (\w+)$/gm, dockerfile).join()}\` (1000)`);
    expect(text).toContain(`listens on port ${all(/^EXPOSE (\d+)$/gm, dockerfile).join()}`);
    expect(text).toContain(`writes only to \`${all(/ DATA_DIR=(\S+)/g, dockerfile).join()}\` and \`/tmp\``);
    expect(commands[2]).toContain('--read-only --tmpfs /tmp --tmpfs /data:uid=1000,');
    expect(dockerfile).not.toMatch(/^ARG |--mount=type=secret/m);
  });

  it('includes in its build all that its Dockerfile copies', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(
      ([, sources = '']) => sources.split(' '),
    );
    expect(copied).toContain('src');
    const included = read('.dockerignore').split('\n');
    expect(copied.filter((source) => !included.includes(`!${source}`))).toStrictEqual([]);
  });
});
