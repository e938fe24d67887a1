import { readFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { request, type Answer } from '../support/http.js';
import { approveLocation } from '../support/location-parser.js';
import { sealWith, SEED } from '../support/seed.js';
import {
  spawnBuilt,
  startServiceProcess,
  type Ended,
  type ServiceProcess,
} from '../support/service-process.js';
import { ADMIN_KEY, TEST_VARIABLES } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const embedded = inject('database').kind === 'embedded';
const KILLS = 20;

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function database(options?: { empty: boolean }): Promise<TestDatabase> {
  const made = await createTestDatabase(options);
  undo.push(() => made.drop());
  return made;
}

async function start(variables: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const service = await startServiceProcess(variables);
  undo.push(async () => {
    service.kill('SIGKILL');
    await service.ended;
  });
  return service;
}

/** Starts what must not start. */
function refusal(variables: Readonly<Record<string, string>>): Promise<Ended> {
  return spawnBuilt('src/main.js', variables).ended;
}

const admin = (
  { port }: ServiceProcess,
  method: string,
  path: string,
  body?: unknown,
  key: string = ADMIN_KEY,
): Promise<Answer> =>
  request({ port, path: `/admin${path}`, method, body, headers: { authorization: `Bearer ${key}` } });

describe.runIf(embedded)('the first run on embedded defaults', () => {
  it('prints a URL that answers 302 with the seed’s chain, and keeps its secrets to itself', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-first-'));
    undo.push(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const DATA_DIR = join(folder, 'data');
    const service = await start({ DATA_DIR, DELIVERY_MODE: 'blank' });
    await expect.poll(() => service.output().stdout, { timeout: 20_000 }).toContain('admin key');
    const { stdout, stderr } = service.output();
    const [url = ''] = /http:\/\/\S+\/images\/\S+/.exec(stdout) ?? [];
    expect(new URL(url).pathname).toBe(`/images/${SEED.imageId}`);
    expect(stderr).toBe('');

    const secrets = JSON.parse(readFileSync(join(DATA_DIR, 'secrets.json'), 'utf8')) as Record<
      string,
      string
    >;
    const answer = await request({ port: service.port, path: url.slice(service.url.length) });
    expect(answer.status).toBe(302);
    const { components } = approveLocation(answer.headers.location ?? '', {
      images: [SEED.publicId],
      layers: [`private:${SEED.overlayPublicId}`],
      steps: 2,
      prefix: `${service.url}/assets/blank.jpg`,
      apiSecret: secrets['cloudinary_api_secret'] ?? '',
    });
    expect(components).toStrictEqual([
      'c_fit,h_1920,w_1920',
      'fl_attachment',
      'dpr_auto,q_auto,f_auto',
      'fl_tiled,l_private:d47e609177b4,w_200',
      'c_fit,h_102,w_101',
    ]);
    expect((await request({ port: service.port, path: '/assets/blank.jpg' })).status).toBe(200);

    expect(stdout).toContain(join(DATA_DIR, 'secrets.json'));
    expect(statSync(join(DATA_DIR, 'secrets.json')).mode & 0o777).toBe(0o600);
    expect(statSync(DATA_DIR).mode & 0o777).toBe(0o700);
    for (const secret of Object.values(secrets)) expect(stdout).not.toContain(secret);
    expect((await admin(service, 'GET', '/issuers', undefined, secrets['admin_api_key'])).status).toBe(200);
  });

  it('is the only process on its folder: a second one refuses and says what to do', async () => {
    const { variables } = await database();
    const first = await start({ ...TEST_VARIABLES, ...variables });
    const second = await refusal({ ...TEST_VARIABLES, ...variables });
    expect(second).toStrictEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        `Pixseal did not start. The data folder ${variables['DATA_DIR']} is in use by process ${first.pid}. ` +
        'Stop that process, or give this one a folder of its own with DATA_DIR.\n',
    });
    expect((await request({ port: first.port, path: '/health/ready' })).status).toBe(200);
    first.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    await start({ ...TEST_VARIABLES, ...variables });
  });

  it('does not bring a deleted demo image back', async () => {
    const { variables } = await database();
    const before = await start({ ...TEST_VARIABLES, ...variables });
    expect((await admin(before, 'DELETE', `/images/${SEED.imageId}`)).status).toBe(204);
    before.kill('SIGTERM');
    await before.ended;
    const after = await start({ ...TEST_VARIABLES, ...variables });
    expect((await admin(after, 'GET', `/images/${SEED.imageId}`)).status).toBe(410);
  });
});

describe('SIGTERM', () => {
  it('finishes the request in flight, takes no other, and ends with 0', async () => {
    const { variables } = await database();
    const service = await start({ ...TEST_VARIABLES, ...variables });
    const body = JSON.stringify({ deliveries: [{ image_id: 'x', token: 'a.b.c' }] });
    const socket = connect(service.port, '127.0.0.1');
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => (received += text));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      `POST /deliveries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.slice(0, 5));
    // The head has arrived once a later request on another connection is answered.
    await request({ port: service.port, path: '/health/live' });
    await new Promise((resolve) => setTimeout(resolve, 200));

    service.kill('SIGTERM');
    await expect
      .poll(
        () =>
          request({ port: service.port, path: '/health/live' }).then(
            ({ status }) => status,
            () => 0,
          ),
        {
          timeout: 10_000,
        },
      )
      .not.toBe(200);
    socket.write(body.slice(5));
    await closed;
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(received).toContain('"code":"invalid_token"');
    expect(await service.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s ends an idle service, with connections kept alive',
    async (signal) => {
      const { variables } = await database();
      const service = await start({ ...TEST_VARIABLES, ...variables });
      const idle = connect(service.port, '127.0.0.1');
      idle.on('error', () => undefined);
      await new Promise((resolve) => idle.once('connect', resolve));
      // One connection that was never used, and one that is kept alive after its answer.
      await fetch(`${service.url}/health/ready`);
      service.kill(signal);
      expect(await service.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
      idle.destroy();
    },
  );
});

describe('SIGTERM with a request that never comes to its end', () => {
  it('ends all the same', async () => {
    const { variables } = await database();
    const service = await start({ ...TEST_VARIABLES, ...variables });
    const socket = connect(service.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      'POST /deliveries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    await request({ port: service.port, path: '/health/live' });
    service.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0, signal: null });
    socket.destroy();
  });
});

describe('a restart', () => {
  it('keeps every row: the same token leads to the same Location', async () => {
    const { variables } = await database();
    const before = await start({ ...TEST_VARIABLES, ...variables });
    const issuer = (await admin(before, 'POST', '/issuers', { name: 'Kept' })).json() as {
      id: string;
      key: { secret: string };
    };
    const image = (
      await admin(before, 'POST', '/images', { issuer_id: issuer.id, public_id: 'kept', version: 5 })
    ).json() as { id: string };
    const token = sealWith(issuer.key.secret, { iss: issuer.id, transformations: [{ width: 5 }] });
    const locationFrom = async ({ port }: ServiceProcess): Promise<string> => {
      const path = `/images/${image.id}?token=${token}`;
      const { headers } = await request({ port, path, headers: { host: 'example.org' } });
      approveLocation(headers.location ?? '', { images: ['kept'], layers: [], steps: 1 });
      return headers.location ?? '';
    };
    const location = await locationFrom(before);
    before.kill('SIGTERM');
    await before.ended;
    const after = await start({ ...TEST_VARIABLES, ...variables });
    expect(await locationFrom(after)).toBe(location);
    expect((await admin(after, 'GET', `/images/${image.id}`)).json()).toMatchObject({ version: 5 });
  });
});

describe('SIGKILL during admin writes', () => {
  it(`loses no acknowledged row, ${KILLS} times`, async () => {
    const { variables } = await database();
    const acknowledged = new Map<string, string>();
    let issuer = '';
    for (let round = 0; round < KILLS; round++) {
      const service = await startServiceProcess({ ...TEST_VARIABLES, ...variables });
      try {
        if (round === 0) {
          issuer = ((await admin(service, 'POST', '/issuers', { name: 'Hit' })).json() as { id: string }).id;
        }
        await expectAll(service, issuer, acknowledged);
        await writeUntilKilled(service, issuer, round, acknowledged);
      } finally {
        service.kill('SIGKILL');
        await service.ended;
      }
    }
    const last = await start({ ...TEST_VARIABLES, ...variables });
    await expectAll(last, issuer, acknowledged);
    expect(acknowledged.size).toBeGreaterThanOrEqual(KILLS * 5);
  }, 600_000);

  /** Writers at once; the process is killed after a few answers, with writes under way. */
  async function writeUntilKilled(
    service: ServiceProcess,
    issuer: string,
    round: number,
    acknowledged: Map<string, string>,
  ): Promise<void> {
    let answered = 0;
    await Promise.all(
      Array.from({ length: 4 }, async (_, writer) => {
        for (let count = 0; ; count++) {
          const public_id = `round_${round}_${writer}_${count}`;
          const answer = await admin(service, 'POST', '/overlays', { issuer_id: issuer, public_id }).catch(
            () => null,
          );
          if (answer === null) return;
          if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
          acknowledged.set((answer.json() as { id: string }).id, public_id);
          answered += 1;
          if (answered === 5 + round) service.kill('SIGKILL');
        }
      }),
    );
  }

  async function expectAll(
    service: ServiceProcess,
    issuer: string,
    acknowledged: ReadonlyMap<string, string>,
  ): Promise<void> {
    const kept = new Map<string, string>();
    let cursor: string | null = '';
    while (cursor !== null) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const answer = await admin(service, 'GET', `/overlays?issuer_id=${issuer}&limit=100${more}`);
      const page = answer.json() as {
        items: { id: string; public_id: string }[];
        next_cursor: string | null;
      };
      for (const { id, public_id } of page.items) kept.set(id, public_id);
      cursor = page.next_cursor;
    }
    const lost = [...acknowledged].filter(([id, publicId]) => kept.get(id) !== publicId);
    expect(lost).toStrictEqual([]);
  }
});

describe('a half-set production', () => {
  const DATABASE_URL = 'postgres://canary-user:canary-password@127.0.0.1:1/canary';

  it.each<[name: string, variables: Readonly<Record<string, string>>, problems: string[]]>([
    [
      'a database and nothing else',
      { DATABASE_URL },
      [
        'ADMIN_API_KEYS is needed beside DATABASE_URL: one or more keys, comma-separated',
        'SECRETS_KEY is needed beside DATABASE_URL: 32 random bytes as base64url or hexadecimal',
        'CLOUDINARY_URL is needed beside DATABASE_URL: cloudinary://API_KEY:API_SECRET@CLOUD_NAME',
      ],
    ],
    [
      'no SECRETS_KEY',
      { ...TEST_VARIABLES, DATABASE_URL, SECRETS_KEY: '' },
      ['SECRETS_KEY is needed beside DATABASE_URL: 32 random bytes as base64url or hexadecimal'],
    ],
    [
      'every variable wrong',
      {
        DATABASE_URL: 'mysql://canary:canary@canary/canary',
        CLOUDINARY_URL: 'cloudinary://canary:canary@canary?cname=canary',
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
      },
      [
        'DATABASE_URL must be',
        'CLOUDINARY_URL must read',
        'ADMIN_API_KEYS must hold',
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
      ],
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

  it('refuses to start without its database, and does not tell the password', async () => {
    const { code, stdout, stderr } = await refusal({ ...TEST_VARIABLES, DATABASE_URL, LOG_LEVEL: 'debug' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Pixseal did not start\. .+\n$/);
    expect(stdout + stderr).not.toContain('canary-password');
  });

  it('refuses to start on a port that is taken', async () => {
    const { variables } = await database();
    const first = await start({ ...TEST_VARIABLES, ...variables });
    const { variables: others } = await database();
    const { code, stderr } = await refusal({ ...TEST_VARIABLES, ...others, PORT: String(first.port) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Pixseal did not start\. .*EADDRINUSE.*\n$/);
  });
});

describe.runIf(!embedded)('a database whose migrations were not run', () => {
  it('is refused until they were, and then served', async () => {
    const { variables } = await database({ empty: true });
    expect(await refusal({ ...TEST_VARIABLES, ...variables })).toStrictEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        'Pixseal did not start. The database has pending migrations. Run `npm run migration:run` with the same DATABASE_URL, then start.\n',
    });
    // A one-shot job: no other variable.
    const migrate = (): Promise<Ended> => spawnBuilt('src/database/migration-run.js', variables).ended;
    expect(await migrate()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Ran CreateTables1764000000000.*\.\n$/) as string,
      stderr: '',
    });
    expect(await migrate()).toMatchObject({ code: 0, stdout: 'No migration is pending.\n', stderr: '' });
    const service = await start({ ...TEST_VARIABLES, ...variables });
    expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
  });
});
