import { spawn } from 'node:child_process';
import { existsSync, readFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { request } from '../support/http.js';
import { assertLocation } from '../support/location-parser.js';
import { requestAdmin, ownDatabase } from '../support/owned.js';
import { signWith, SEED } from '../support/seed.js';
import { ownProcess, spawnBuilt, type ProcessExit, type ServiceProcess } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';

const embedded = inject('database').kind === 'embedded';

/** Starts a service that must not start. */
function refusal(variables: Readonly<Record<string, string>>): Promise<ProcessExit> {
  return spawnBuilt('server/main.js', variables).exited;
}

/** Output of the demo check for the images of a start with this output. */
function measureDemo(printed: string): Promise<{ code: number | null; output: string }> {
  const looking = spawn(process.execPath, ['test/support/demo-watermark.js']);
  let output = '';
  for (const stream of [looking.stdout, looking.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  looking.stdin.end(printed);
  return new Promise((resolve) =>
    looking.once('close', (code) => {
      resolve({ code, output });
    }),
  );
}

describe.runIf(embedded)('the first run with embedded defaults', () => {
  it('prints URLs of the watermarked images, the last with the seed’s chain, and does not print its secrets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-first-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const DATA_DIR = join(folder, 'data');
    const service = await ownProcess({ DATA_DIR });
    await expect.poll(() => service.output().stdout, { timeout: 20_000 }).toContain('admin key');
    const { stdout, stderr } = service.output();
    const url = stdout.match(/http:\/\/\S+\/images\/\S+/g)?.at(-1) ?? '';
    expect(new URL(url).pathname).toBe(`/images/${SEED.imageId}`);
    expect(stderr).toBe('');

    const secrets = JSON.parse(readFileSync(join(DATA_DIR, 'secrets.json'), 'utf8')) as Record<
      string,
      string
    >;
    const response = await request({ port: service.port, path: url.slice(service.url.length) });
    expect(response.status).toBe(302);
    const location = response.headers.location ?? '';
    const { components } = assertLocation(location.replace(service.url, 'https://res.cloudinary.com'), {
      images: [SEED.publicId],
      layers: [`private:${SEED.overlayPublicId}`],
      steps: 2,
      apiSecret: secrets['cloudinary_api_secret'] ?? '',
    });
    expect(components).toStrictEqual([
      'c_fit,h_1920,w_1920',
      'fl_attachment',
      'dpr_auto,q_auto,f_auto',
      'fl_tiled,l_private:d47e609177b4,w_200',
      'c_fit,h_102,w_101',
    ]);
    expect(await measureDemo(stdout)).toStrictEqual({
      code: 0,
      output: '1200 × 800: watermarked\n101 × 67: watermarked\n',
    });
    // As if the overlay were missing: the image is rendered without it.
    const blind = { overlay: SEED.overlayId, opacity: 0, flags: 'tiled' };
    const [, secret = ''] = /\bsecret=(\S+)/.exec(stdout) ?? [];
    const token = signWith(secret, { iss: SEED.issuerId, transformations: [{ width: 300 }, blind] });
    const unmarked = await measureDemo(stdout.replaceAll(/(?<=token=)\S+/g, token));
    expect(unmarked.code).toBe(1);
    expect(unmarked.output).toContain('There is no watermark in cell 0 of 300 × 200');

    expect(stdout).toContain(join(DATA_DIR, 'secrets.json'));
    expect(statSync(join(DATA_DIR, 'secrets.json')).mode & 0o777).toBe(0o600);
    for (const folder of [DATA_DIR, join(DATA_DIR, 'postgres')]) {
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    }
    for (const secret of Object.values(secrets)) expect(stdout).not.toContain(secret);
    expect((await requestAdmin(service, 'GET', '/issuers', undefined, secrets['admin_api_key'])).status).toBe(
      200,
    );
  });

  it('leaves the demo’s issuer without a policy, whatever DEFAULT_POLICY is: the seed’s token stays valid', async () => {
    const { variables } = await ownDatabase();
    const service = await ownProcess({ ...TEST_VARIABLES, ...variables, DEFAULT_POLICY: 'recommended' });
    await expect.poll(() => service.output().stdout, { timeout: 20_000 }).toContain('admin key');
    const [url = ''] = /http:\/\/\S+\/images\/\S+/.exec(service.output().stdout) ?? [];
    expect(
      (await request({ port: service.port, path: new URL(url).pathname + new URL(url).search })).status,
    ).toBe(302);
    expect((await requestAdmin(service, 'GET', `/issuers/${SEED.issuerId}`)).json()).toMatchObject({
      policy: {},
    });
    const created = await requestAdmin(service, 'POST', '/issuers', { name: 'New' });
    expect(created.json()).toMatchObject({ policy: { require_exp: true } });
  });

  it('is the only process on its folder: a second one refuses to start and explains what to do', async () => {
    const { variables } = await ownDatabase();
    const first = await ownProcess({ ...TEST_VARIABLES, ...variables });
    const second = await refusal({ ...TEST_VARIABLES, ...variables });
    expect(second).toStrictEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        `Pixseal did not start. The data folder ${variables['DATA_DIR']} is in use by process ${first.pid}. ` +
        'Stop that process, or set DATA_DIR to another folder.\n',
    });
    expect((await request({ port: first.port, path: '/health/ready' })).status).toBe(200);
    first.kill('SIGTERM');
    expect((await first.exited).code).toBe(0);
    await ownProcess({ ...TEST_VARIABLES, ...variables });
  });

  it('completes a demo that an interrupted process left incomplete', async () => {
    const { variables } = await ownDatabase();
    const ended = spawnBuilt('server/main.js', { ...TEST_VARIABLES, ...variables });
    await waitUntil('an original is there', () => existsSync(join(variables['DATA_DIR'] ?? '', 'originals')));
    ended.kill('SIGINT');
    expect(await ended.exited).toMatchObject({ code: 0, stderr: '' });
    const next = await ownProcess({ ...TEST_VARIABLES, ...variables });
    expect((await requestAdmin(next, 'GET', `/images/${SEED.imageId}`)).status).toBe(200);
    expect((await requestAdmin(next, 'GET', `/overlays/${SEED.overlayId}`)).status).toBe(200);
  });

  it('does not restore a deleted demo image', async () => {
    const { variables } = await ownDatabase();
    const before = await ownProcess({ ...TEST_VARIABLES, ...variables });
    expect((await requestAdmin(before, 'DELETE', `/images/${SEED.imageId}`)).status).toBe(204);
    before.kill('SIGTERM');
    await before.exited;
    const after = await ownProcess({ ...TEST_VARIABLES, ...variables });
    expect((await requestAdmin(after, 'GET', `/images/${SEED.imageId}`)).status).toBe(410);
  });
});

describe('a restart', () => {
  it('keeps every row: the same token redirects to the same Location', async () => {
    const { variables } = await ownDatabase();
    const before = await ownProcess({ ...TEST_VARIABLES, ...variables });
    const issuer = (await requestAdmin(before, 'POST', '/issuers', { name: 'Kept' })).json() as {
      id: string;
      key: { secret: string };
    };
    const image = (
      await requestAdmin(before, 'POST', '/images', { issuer_id: issuer.id, public_id: 'kept', version: 5 })
    ).json() as { id: string };
    const token = signWith(issuer.key.secret, { iss: issuer.id, transformations: [{ width: 5 }] });
    const locationFrom = async ({ port }: ServiceProcess): Promise<string> => {
      const path = `/images/${image.id}?token=${token}`;
      const { headers } = await request({ port, path, headers: { host: 'example.org' } });
      assertLocation(headers.location ?? '', { images: ['kept'], layers: [], steps: 1 });
      return headers.location ?? '';
    };
    const location = await locationFrom(before);
    before.kill('SIGTERM');
    await before.exited;
    const after = await ownProcess({ ...TEST_VARIABLES, ...variables });
    expect(await locationFrom(after)).toBe(location);
    expect((await requestAdmin(after, 'GET', `/images/${image.id}`)).json()).toMatchObject({ version: 5 });
  });
});

describe('an incomplete production configuration', () => {
  const DATABASE_URL = 'postgres://canary-user:canary-password@127.0.0.1:1/canary';

  it.each<[name: string, variables: Readonly<Record<string, string>>, problems: string[]]>([
    [
      'a database and nothing else',
      { DATABASE_URL },
      [
        'ADMIN_API_KEYS is required with DATABASE_URL: one or more keys, comma-separated',
        'SECRETS_KEY is required with DATABASE_URL: 32 random bytes as base64url or hexadecimal',
        'CLOUDINARY_URL is required with DATABASE_URL: cloudinary://API_KEY:API_SECRET@CLOUD_NAME',
      ],
    ],
    [
      'every variable wrong',
      {
        DATABASE_URL: 'mysql://canary:canary@canary/canary',
        CLOUDINARY_URL: 'cloudinary://canary:canary@canary/canary?cname=canary&private_cdn=canary',
        ADMIN_API_KEYS: 'canary',
        SECRETS_KEY: 'canary',
        PORT: 'canary',
        DELIVERY_MODE: 'canary',
        PUBLIC_URL: 'https://canary/canary',
        TRUST_PROXY: 'canary',
        LOG_LEVEL: 'canary',
        RATE_LIMIT_ADDRESS: 'canary',
        RATE_LIMIT_ISSUER: '-1',
        REDIS_URL: 'http://canary:canary@canary',
        DRAIN_SECONDS: '61',
        DOCS: 'canary',
        CLOUDINARY_SIGNATURE: 'canary',
        CLOUDINARY_AUTH_TOKEN_KEY: 'canary',
        CLOUDINARY_AUTH_TOKEN_DURATION: 'canary',
        CLOUDINARY_AUTH_TOKEN_ROUND: 'canary',
        CLOUDINARY_AUTH_TOKEN_SIGNATURE: 'canary',
        DEFAULT_POLICY: 'canary',
      },
      [
        'DATABASE_URL must be',
        'CLOUDINARY_URL must have no path',
        'CLOUDINARY_URL has the option cname, which is not supported',
        'CLOUDINARY_URL has the option private_cdn, which must be true',
        'ADMIN_API_KEYS must contain',
        'SECRETS_KEY must be',
        'PORT must be',
        'DELIVERY_MODE must be',
        'PUBLIC_URL must be',
        'TRUST_PROXY must be',
        'LOG_LEVEL must be',
        'RATE_LIMIT_ADDRESS must be',
        'RATE_LIMIT_ISSUER must be',
        'REDIS_URL must be',
        'DRAIN_SECONDS must be',
        'DOCS must be',
        'CLOUDINARY_SIGNATURE must be',
        'CLOUDINARY_AUTH_TOKEN_KEY must be',
        'CLOUDINARY_AUTH_TOKEN_DURATION must be',
        'CLOUDINARY_AUTH_TOKEN_ROUND must be',
        'CLOUDINARY_AUTH_TOKEN_SIGNATURE must be',
        'DEFAULT_POLICY must be `recommended`, or a policy as JSON',
      ],
    ],
    [
      'a default policy with errors, beside another variable',
      { DEFAULT_POLICY: '{"max_widht": 5, "strict": "canary", "base_chain": "canary"}', PORT: 'canary' },
      [
        'PORT must be',
        'DEFAULT_POLICY: `max_widht` is unknown; did you mean `max_width`?',
        'DEFAULT_POLICY: `strict` must be true or false',
        'DEFAULT_POLICY: `base_chain` must be an array',
      ],
    ],
    [
      'a default policy that names rows',
      {
        DEFAULT_POLICY: JSON.stringify({
          mandatory_steps: [{ overlay: SEED.overlayId }],
          placeholder: SEED.imageId,
        }),
      },
      [
        'DEFAULT_POLICY: `mandatory_steps` must name no image or overlay: a new issuer has none',
        'DEFAULT_POLICY: `placeholder` must name no image or overlay: a new issuer has none',
      ],
    ],
    [
      'a default policy with a member twice',
      { DEFAULT_POLICY: '{"strict": true, "strict": false}' },
      ['DEFAULT_POLICY: `strict` must appear only once'],
    ],
    [
      'a default policy that is not an object',
      { DEFAULT_POLICY: '["canary"]' },
      ['DEFAULT_POLICY must be an object'],
    ],
  ])('refuses to start, names every variable at once and no value: %s', async (_, variables, problems) => {
    const { code, stdout, stderr } = await refusal(variables);
    expect({ code, stdout }).toStrictEqual({ code: 1, stdout: '' });
    const [first, ...lines] = stderr.trimEnd().split('\n');
    expect(first).toBe('Pixseal did not start. The environment cannot be used:');
    expect(lines).toHaveLength(problems.length);
    for (const problem of problems) {
      expect(lines.filter((line) => line.startsWith(`  - ${problem}`))).toHaveLength(1);
    }
    expect(stderr).not.toContain('canary');
    expect(stderr).not.toContain(TEST_VARIABLES.SECRETS_KEY);
  });

  // The bundle is started, and a bundler may remove a check that the sources have.
  it.each([
    ['DATABASE_URL', 'postgres://pix:a%zz@127.0.0.1/pix'],
    ['DATABASE_URL', 'postgres://pix:p@ss/w#rd@127.0.0.1/pix'],
    ['DATABASE_URL', 'postgres://127.0.0.1/pix?password=a%zz'],
    ['REDIS_URL', 'redis://:a%zz@127.0.0.1'],
    ['REDIS_URL', 'redis://:1/ss@127.0.0.1'],
  ])('refuses to start with characters of a password that are not encoded: %s=%s', async (name, url) => {
    const { variables } = await ownDatabase();
    expect(await refusal({ ...TEST_VARIABLES, ...variables, [name]: url })).toStrictEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        `Pixseal did not start. The environment cannot be used:\n  - ${name} has characters in its user name, ` +
        'password, database name or parameters that must be percent-encoded ' +
        '(`%` as `%25`, `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as `%23`)\n',
    });
  });

  it('refuses to start without its database, and does not print the password', async () => {
    const { code, stdout, stderr } = await refusal({ ...TEST_VARIABLES, DATABASE_URL, LOG_LEVEL: 'debug' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Pixseal did not start\. .+\n$/);
    expect(stdout + stderr).not.toContain('canary-password');
  });

  it('refuses to start on a port that is taken', async () => {
    const { variables } = await ownDatabase();
    const first = await ownProcess({ ...TEST_VARIABLES, ...variables });
    const { variables: others } = await ownDatabase();
    const { code, stderr } = await refusal({ ...TEST_VARIABLES, ...others, PORT: String(first.port) });
    expect(code).toBe(1);
    expect(stderr).toBe(
      `Pixseal did not start. Port ${first.port} is in use: set PORT to a free one, such as PORT=${first.port + 1}\n`,
    );
  });

  it('refuses to start at an address of another machine', async () => {
    const { variables } = await ownDatabase();
    const { code, stderr } = await refusal({ ...TEST_VARIABLES, ...variables, HOST: '192.0.2.1' });
    expect(code).toBe(1);
    expect(stderr).toBe(
      'Pixseal did not start. 192.0.2.1 is not an address of this machine: set HOST to one, or to 0.0.0.0 for all\n',
    );
  });
});

describe.runIf(!embedded)('a start on a server', () => {
  it.each([
    ['the service', 'server/main.js', []],
    ['the command', 'server/pixseal.js', ['serve']],
  ] as const)(
    'and its stop are log lines, with address, account, database and version: %s',
    async (_, program, args) => {
      const { variables } = await ownDatabase();
      const service = spawnBuilt(
        program,
        { ...TEST_VARIABLES, ...variables, LOG_LEVEL: 'info', PORT: '0' },
        args,
      );
      await waitUntil('it listens', () => service.output().stdout.includes('\n'));
      service.kill('SIGTERM');
      const { stdout, stderr } = await service.exited;
      expect(stderr).toBe('');
      const [line = '', ...others] = stdout.trimEnd().split('\n');
      expect(others.map((other) => JSON.parse(other) as object)).toMatchObject([
        {
          level: 'info',
          context: 'Drain',
          msg: 'SIGTERM received: serving for 0 s more, then closing the port',
        },
        { level: 'info', context: 'Drain', msg: 'Every response is sent: stopped' },
      ]);
      const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
      expect(JSON.parse(line)).toStrictEqual({
        level: 'info',
        time: expect.any(String) as string,
        address: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
        mode: 'blank',
        cloud_name: 'sadaasdasd',
        database: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
        workers: 1,
        version,
        node: process.version,
        msg: 'listening',
      });
    },
  );
});

describe.runIf(!embedded)('a database whose migrations were not run', () => {
  it('is refused until they are, and then served', async () => {
    const { variables } = await ownDatabase({ empty: true });
    expect(await refusal({ ...TEST_VARIABLES, ...variables })).toStrictEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        'Pixseal did not start. The database has pending migrations. Run `npm run migration:run` with the same DATABASE_URL, then start.\n',
    });
    // A one-shot job: no other variable.
    const migrate = (): Promise<ProcessExit> =>
      spawnBuilt('src/platform/database/migration-run.js', variables).exited;
    expect(await migrate()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Ran CreateTables1764000000000.*\.\n$/) as string,
      stderr: '',
    });
    expect(await migrate()).toMatchObject({ code: 0, stdout: 'No migration is pending.\n', stderr: '' });
    const service = await ownProcess({ ...TEST_VARIABLES, ...variables });
    expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
  });
});
