import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import {
  openDatabase,
  openService,
  type Outcome,
  output,
  pixseal,
  type Place,
  rowsOf,
  type Variables,
} from '../support/cli.js';
import { assertLocation } from '../support/location-parser.js';
import { SEED, signWith } from '../support/seed.js';
import { ADMIN_KEY, startService, TEST_VARIABLES, type Service } from '../support/service.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { listen } from '../support/http.js';
import { makeKeyPair } from '../tokens/public-key-fixtures.js';

const SECRET = 'a-secret-of-the-test-suite-0123456789';
const APPROVED = { layers: [`private:${SEED.overlayPublicId}`], images: [SEED.publicId] };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';
const UNBOUND = 'note: the token opens every image of the issuer: limit it with --image\n';
const UNLIMITED = 'note: the token never expires: limit it with --expires-in\n';
const SECRET_NOTE =
  'note: the secret, and the dsn that contains it, are shown only once: store them where your backend can read them\n';

const embedded = inject('database').kind === 'embedded';
/** Tests that do not depend on the database run on one: each command starts the embedded one again. */
const once = inject('once');
function describeOnce(name: string, suite: () => void): void {
  if (once) describe(name, suite);
}

/** In production without PUBLIC_URL. */
const GUESS_NOTE =
  'note: the dsn contains http://127.0.0.1:0, as PUBLIC_URL is not set: replace it by the address of the service\n';
const A_DATABASE = { place: 'a database', open: openDatabase, guess: embedded ? '' : GUESS_NOTE };
const A_SERVICE = { place: 'a running service', open: openService, guess: '' };
const PLACES = once ? [A_DATABASE, A_SERVICE] : [A_DATABASE];

describe.each(PLACES)('on $place', ({ open, guess }) => {
  let place: Place;
  let issuer: Record<string, string>;
  let image: Record<string, string>;
  let overlay: Record<string, string>;
  /** The environment variables, and the issuer's dsn. */
  let canMint: Variables;

  beforeAll(async () => {
    place = await open();
    const created = await pixseal(
      ['issuer', 'create', '--name', 'My shop', '--id', SEED.issuerId.toUpperCase()],
      place.variables,
    );
    expect(created).toMatchObject({ code: 0, stderr: guess + SECRET_NOTE });
    issuer = rowsOf(created.stdout);
    canMint = { ...place.variables, PIXSEAL_DSN: issuer['dsn'] ?? '' };
    image = rowsOf(
      await output(
        [
          'image',
          'add',
          '--issuer',
          SEED.issuerId,
          '--public-id',
          SEED.publicId,
          '--version',
          '123123',
          '--id',
          SEED.imageId,
        ],
        place.variables,
      ),
    );
    overlay = rowsOf(
      await output(
        [
          'overlay',
          'add',
          '--issuer',
          SEED.issuerId,
          '--public-id',
          SEED.overlayPublicId,
          '--id',
          SEED.overlayId,
        ],
        place.variables,
      ),
    );
  });
  afterAll(() => place.close());

  it('creates, lists and revokes admin keys', async () => {
    const created = await pixseal(
      ['admin-key', 'create', '--name', 'Reports', '--scope', 'read', '--issuer', SEED.issuerId],
      place.variables,
    );
    expect(created).toMatchObject({ code: 0, stderr: 'note: the key is shown only once\n' });
    const { key = '', ...shown } = rowsOf(created.stdout);
    expect(key).toMatch(/^pxs_[a-z2-7]{8}_[\w-]{43}$/);
    expect(shown).toStrictEqual({
      'admin key': expect.stringMatching(UUID) as string,
      name: 'Reports',
      prefix: key.slice(4, 12),
      scopes: 'read',
      issuer: SEED.issuerId,
      expires: '-',
      'last used': '-',
    });
    expect(rowsOf(await output(['admin-key', 'list'], place.variables))).toStrictEqual(shown);
    const id = shown['admin key'] ?? '';
    expect(await output(['admin-key', 'revoke', id], place.variables)).toBe(`revoked  ${id}`);
    expect(JSON.parse(await output(['admin-key', 'list', '--json'], place.variables))).toStrictEqual([]);
    const again = await pixseal(['admin-key', 'revoke', id], place.variables);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toContain('404 admin_key_not_found');
  });

  it('shows what was created', () => {
    expect(issuer).toStrictEqual({
      issuer: SEED.issuerId,
      name: 'My shop',
      format: 'jpg',
      policy: '-',
      key: expect.stringMatching(UUID) as string,
      secret: expect.stringMatching(/^[\w-]{43}$/) as string,
      dsn: expect.stringMatching(
        `^http://${SEED.issuerId}:${issuer['secret'] ?? ''}@127\\.0\\.0\\.1:\\d+/\\?kid=${issuer['key'] ?? ''}$`,
      ) as string,
    });
    expect(image).toStrictEqual({
      image: SEED.imageId,
      issuer: SEED.issuerId,
      'public id': SEED.publicId,
      version: '123123',
      format: '-',
      'delivery type': 'authenticated',
      access: 'token',
    });
    expect(overlay).toStrictEqual({
      overlay: SEED.overlayId,
      issuer: SEED.issuerId,
      'public id': SEED.overlayPublicId,
      'delivery type': 'private',
    });
  });

  it('gives an issuer the recommended policy, or one in JSON from a file or standard input', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-cli-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true });
    });
    writeFileSync(join(folder, 'policy.json'), '{"max_width": 800}\n');
    const create = async (policy: string, input = ''): Promise<unknown> => {
      const args = ['issuer', 'create', '--name', 'With a policy', '--policy', policy, '--json'];
      const { stdout, stderr } = await pixseal(args, place.variables, input);
      return (JSON.parse(stdout || stderr) as { policy: unknown }).policy;
    };
    const recommended = {
      require_image_id: true,
      require_exp: true,
      strict: true,
      denied_effects: ['generative'],
    };
    expect(await create('recommended')).toStrictEqual(recommended);
    expect(await create('{"max_steps": 3}')).toStrictEqual({ max_steps: 3 });
    expect(await create(`@${join(folder, 'policy.json')}`)).toStrictEqual({ max_width: 800 });
    expect(await create('@-', 'recommended')).toStrictEqual(recommended);
    const shown = await pixseal(
      ['issuer', 'create', '--name', 'Shown', '--policy', 'recommended'],
      place.variables,
    );
    expect(JSON.parse(rowsOf(shown.stdout)['policy'] ?? '')).toStrictEqual(recommended);
  });

  it.each([
    {
      policy: 'Recommended',
      code: 2,
      error: 'error: --policy must be `recommended`, or a policy as JSON such as {"require_exp": true}.\n',
    },
    {
      policy: '{"max_widht": 800}',
      code: 2,
      error:
        'error: these options are invalid (422 invalid_request)\n' +
        '  --policy: max_widht is unknown; did you mean `max_width`?\n',
    },
    {
      policy: '{"max_width": 800, "max_width": 65500}',
      code: 2,
      error: 'error: --policy: `max_width` must appear only once.\n',
    },
    { policy: '@nowhere.json', code: 2, error: 'error: nowhere.json cannot be read (ENOENT).\n' },
    {
      policy: '{"strict": "yes", "max_width": 0}',
      code: 2,
      error:
        'error: these options are invalid (422 invalid_request)\n' +
        '  --policy: max_width must be a whole number from 1 to 65500\n' +
        '  --policy: strict must be true or false\n',
    },
  ])('refuses the policy $policy', async ({ policy, code, error }) => {
    const args = ['issuer', 'create', '--name', 'x', '--policy', policy];
    expect(await pixseal(args, place.variables)).toStrictEqual({ code, stdout: '', stderr: error });
  });

  it('creates an issuer with a public key, and no secret', async () => {
    const { pem } = makeKeyPair('ES256');
    const alias = `https://idp.example/${randomUUID()}`;
    const create = ['issuer', 'create', '--name', 'x', '--public-key', '-'];
    const provider = ['--iss-alias', alias, '--aud', 'images', '--jwks-url', 'https://idp.example/jwks'];
    const { code, stdout, stderr } = await pixseal(
      [...create, '--algorithm', 'ES256', ...provider, '--json'],
      place.variables,
      pem,
    );
    expect([code, stderr]).toStrictEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      iss_aliases: [alias],
      aud: 'images',
      jwks_url: 'https://idp.example/jwks',
      key: { algorithm: 'ES256', public_key: pem, secret: null, dsn: null },
    });
    const bare = await pixseal(create, place.variables, pem);
    expect([bare.code, bare.stderr]).toStrictEqual([
      2,
      'error: --public-key requires --algorithm: EdDSA, ES256, RS256 or PS256.\n',
    ]);
  });

  it('manages accounts, rotates a secret of one, and prints no secret', async () => {
    const run = (args: readonly string[], input = ''): Promise<Outcome> =>
      pixseal([...args, '--json'], place.variables, input);
    const outcomes: Outcome[] = [];
    const json = async (args: readonly string[], input = ''): Promise<Record<string, unknown>> => {
      const outcome = await run(args, input);
      outcomes.push(outcome);
      expect([args, outcome.code]).toStrictEqual([args, 0]);
      return JSON.parse(outcome.stdout) as Record<string, unknown>;
    };
    const cloud = `cli-${randomUUID()}`;
    const account = await json(
      ['account', 'create', '--name', 'A', '--cloud-name', cloud, '--api-key', '1', '--api-secret-file', '-'],
      'canary-one\n',
    );
    const id = String(account['id']);
    expect(account).toMatchObject({ cloud_name: cloud, secrets: [{ api_key: '1', signs: true }] });
    const issuer = await json(['issuer', 'create', '--name', 'x', '--account', id]);
    expect(issuer).toMatchObject({ account_id: id });
    const changes = ['--host', 'img.example.com', '--private-cdn', '--disabled'];
    expect(await json(['account', 'update', id, ...changes])).toMatchObject({
      ...{ host: 'img.example.com', private_cdn: true, disabled: true },
    });
    expect(
      await json(['account', 'update', id, '--host', '', '--no-private-cdn', '--no-disabled']),
    ).toMatchObject({
      ...{ host: null, private_cdn: false, disabled: false },
    });
    const added = await json(
      ['account', 'secret', 'add', id, '--api-key', '2', '--api-secret-file', '-', '--signs'],
      'canary-two\n',
    );
    expect(added).toMatchObject({ api_key: '2', signs: true });
    const shown = await json(['account', 'show', id]);
    const former = (shown['secrets'] as { id: string; signs: boolean }[]).find(({ signs }) => !signs);
    await json(['account', 'secret', 'revoke', id, String(former?.id)]);
    expect(await json(['account', 'secret', 'list', id])).toMatchObject([{ api_key: '2' }]);
    const used = await run(['account', 'delete', id]);
    expect(used.code).toBe(1);
    expect(used.stderr).toContain('account_not_empty');
    for (const { stdout, stderr } of outcomes) expect(stdout + stderr).not.toContain('canary');
    const text = await output(['account', 'list'], place.variables);
    expect(text).toContain(`cloud        ${cloud}\n`);
    // Each of its dozen commands opens the database.
  }, 240_000);

  it('accepts every option, and prints JSON as the admin API does', async () => {
    const created = await pixseal(
      ['--json', 'issuer', 'create', '--name', 'PNG', '--delivery-format', 'png'],
      place.variables,
    );
    const { id, key } = JSON.parse(created.stdout) as { id: string; key: Record<string, string> };
    expect(JSON.parse(created.stdout)).toMatchObject({
      name: 'PNG',
      delivery_format: 'png',
      disabled: false,
    });
    expect(Object.keys(key)).toStrictEqual(
      expect.arrayContaining(['id', 'secret', 'dsn', 'algorithm', 'created_at']),
    );
    const added = await output(
      [
        ...['image', 'add', '--issuer', id, '--public-id', 'shoes/red', '--version', '1571218039'],
        ...['--format', 'png', '--delivery-type', 'upload', '--access', 'public', '--json'],
      ],
      place.variables,
    );
    expect(JSON.parse(added)).toMatchObject({
      id: expect.stringMatching(UUID) as string,
      issuer_id: id,
      public_id: 'shoes/red',
      version: 1571218039,
      format: 'png',
      delivery_type: 'upload',
      access: 'public',
    });
    const layer = await output(
      ['overlay', 'add', '--issuer', id, '--public-id', 'logo', '--delivery-type', 'upload', '--json'],
      place.variables,
    );
    expect(JSON.parse(layer)).toMatchObject({ issuer_id: id, public_id: 'logo', delivery_type: 'upload' });
  });

  it('mints tokens that open the image, from key=value and from JSON', async () => {
    const pairs = await output(
      [
        ...[
          'token',
          'mint',
          '--issuer',
          SEED.issuerId,
          '--image',
          SEED.imageId,
          '--url',
          '--expires-in',
          '1h',
        ],
        ...['--step', `width=200,overlay=${SEED.overlayId},flags=tiled`],
        ...['--step', 'width=101,height=102,crop=fit'],
      ],
      canMint,
    );
    const { stdout, stderr } = await pixseal(
      ['token', 'mint', '--kid', '--steps', '@-'],
      canMint,
      JSON.stringify([
        { width: 200, overlay: SEED.overlayId, flags: 'tiled' },
        { width: 101, height: 102, crop: 'fit' },
      ]),
    );
    expect(stderr).toBe(UNBOUND + UNLIMITED);
    const json = stdout.trim();
    const service = await place.serve();
    const { pathname, search } = new URL(pairs);
    const responses = [
      await service.get(`${pathname}${search}`),
      await service.get(`/images/${SEED.imageId}?token=${json}`),
    ];
    for (const { status, headers } of responses) {
      expect(status).toBe(302);
      const { components } = assertLocation(headers.location ?? '', { ...APPROVED, steps: 2 });
      expect(components.slice(3)).toStrictEqual([
        `fl_tiled,l_private:${SEED.overlayPublicId},w_200`,
        'c_fit,h_102,w_101',
      ]);
    }
  });
});

describe.each(once ? PLACES : [])('explanations and refusals on $place', ({ open }) => {
  let place: Place;
  let secret: string;
  let keyId: string;

  beforeAll(async () => {
    place = await open();
    const { stdout } = await pixseal(
      ['issuer', 'create', '--json', '--name', 'My shop', '--id', SEED.issuerId],
      place.variables,
    );
    ({
      key: { secret, id: keyId },
    } = JSON.parse(stdout) as { key: { id: string; secret: string } });
    const issuer = ['--issuer', SEED.issuerId];
    await output(
      ['overlay', 'add', ...issuer, '--public-id', SEED.overlayPublicId, '--id', SEED.overlayId],
      place.variables,
    );
    const add = ['image', 'add', ...issuer, '--version', '123123'];
    await output([...add, '--public-id', SEED.publicId, '--id', SEED.imageId], place.variables);
    await output([...add, '--public-id', 'open', '--id', UNKNOWN_ID, '--access', 'public'], place.variables);
  });
  afterAll(() => place.close());

  const mint = (args: readonly string[]): Promise<Outcome> =>
    pixseal(['token', 'mint', '--issuer', SEED.issuerId, ...args], { PIXSEAL_SECRET: secret });
  const explain = (args: readonly string[], input?: string): Promise<Outcome> =>
    pixseal(['explain', ...args], place.variables, input);

  it('shows a token’s steps, ignored keys and URL', async () => {
    const { stdout: token } = await mint(['--steps', JSON.stringify(SEED.transformations)]);
    const { code, stdout, stderr } = await explain(['-', '--image', SEED.imageId], token);

    expect({ code, stderr }).toStrictEqual({ code: 0, stderr: '' });
    const { 'signed URL': url = '', 'redirects to': location = '' } = rowsOf(stdout);
    assertLocation(url, { ...APPROVED, steps: 2 });
    assertLocation(location, { ...APPROVED, steps: 2 });
    expect(stdout).toBe(`\
image      ${SEED.imageId}
issuer     ${SEED.issuerId}
signed by  key ${keyId}
expires    never

base    c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto
step 1  fl_tiled,l_private:d47e609177b4,w_200
        ignored miaim: unknown parameter
        ignored super_plop: unknown parameter
step 2  c_fit,h_102,w_101
        ignored flags: \`tiled\` acts only on a layer, and this step has none

signed URL    ${url}
redirects to  ${location}
`);
  });

  it('accepts the whole URL, and reads the image from the token', async () => {
    const { stdout } = await mint([
      '--image',
      SEED.imageId,
      '--original',
      '--no-download',
      '--expires-in',
      '1d',
    ]);
    const explained = await explain([stdout.trim()]);
    expect(rowsOf(explained.stdout)).toMatchObject({
      image: SEED.imageId,
      expires: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      base: '(none)',
    });

    const path = `/images/${SEED.imageId}?token=${stdout.trim()}`;
    expect(await explain([path])).toStrictEqual(explained);
  });

  it('asks the service that a URL names, and creates no database', async () => {
    const { stdout } = await mint(['--image', SEED.imageId]);
    const dataDir = join(tmpdir(), randomUUID());
    const outcome = await pixseal(
      ['explain', `http://127.0.0.1:9/images/${SEED.imageId}?token=${stdout.trim()}`],
      { DATA_DIR: dataDir },
    );
    expect(outcome).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('http://127.0.0.1:9') as string,
    });
    expect(await pixseal(['explain', stdout.trim()], { DATA_DIR: dataDir })).toStrictEqual({
      code: 2,
      stdout: '',
      stderr: `error: There is no database in ${dataDir}. Pass the service’s address with --server, or, to explain, the image’s whole URL.\n`,
    });
    expect(existsSync(dataDir)).toBe(false);
  });

  it('shows claims that have no effect', async () => {
    const token = signWith(secret, {
      iss: SEED.issuerId,
      aud: 'x',
      download: false,
      transformations: [{ width: 5 }],
      sharinpix: { original: true },
    });
    const { code, stdout } = await explain([token, '--image', SEED.imageId]);
    expect(code).toBe(0);
    expect(stdout).toContain(`\n
claims  ignored aud: a registered claim that Pixseal does not use
claims  ignored download: belongs in \`sharinpix\` (near: sharinpix.download)
claims  ignored transformations: \`sharinpix.original\` omits all steps
base    fl_attachment\n\n`);
  });

  it('accepts the URL of a public image without a token', async () => {
    const { stdout } = await explain([`/images/${UNKNOWN_ID}?width=20&crop=fit`]);
    expect(rowsOf(stdout)).toMatchObject({
      'signed by': 'none: the image is public',
      'step 1': 'c_fit,w_20',
    });
  });

  it('prints no control character of a token', async () => {
    const { stdout: token } = await mint(['--steps', JSON.stringify([{ '\u001b[2J\u009b': 1 }])]);
    const { stdout } = await explain([token.trim(), '--image', SEED.imageId]);
    expect(stdout).toContain('ignored ?[2J?: unknown parameter');
  });

  it('prints the explanation as JSON', async () => {
    const { stdout: token } = await mint(['--step', 'angle=90', '--image', SEED.imageId]);
    const { stdout } = await explain([token.trim(), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      image_id: SEED.imageId,
      issuer_id: SEED.issuerId,
      key_id: keyId,
      expires_at: null,
      steps: [{ step: 1, component: 'a_90', ignored: [] }],
    });
  });

  it.each([
    {
      what: 'an image that needs a token',
      args: [`/images/${SEED.imageId}`],
      stderr:
        'error: 401 token_required: This image requires a token. Pass one of its issuer as `?token=` or as `Authorization: Bearer TOKEN`.\n',
    },
    {
      what: 'two tokens',
      args: [`/images/${SEED.imageId}?token=a&token=b`],
      stderr: 'error: 401 invalid_token: The token is malformed: pass exactly one non-empty `token`.\n',
    },
  ])('explains $what as the problem', async ({ args, stderr }) => {
    expect(await explain(args)).toStrictEqual({ code: 1, stdout: '', stderr });
  });

  it('explains how to name the image if the token does not', async () => {
    const { stdout: token } = await mint([]);
    expect(await explain([token.trim()])).toStrictEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: 400 invalid_image_id: The image id in the path must be a UUID, unless the token’s `image_id` names the image. Name the image with --image.\n',
    });
  });

  it('prints a problem as JSON, on a separate stream', async () => {
    const { code, stdout, stderr } = await explain(['--json', 'abc']);
    expect({ code, stdout, body: JSON.parse(stderr) as unknown }).toMatchObject({
      code: 1,
      stdout: '',
      body: { status: 401, code: 'invalid_token', title: 'Unauthorized' },
    });
  });

  it('names every option that the admin API refuses', async () => {
    const args = [
      'image',
      'add',
      '--issuer',
      'x',
      '--public-id',
      'a?b',
      '--version',
      '1.5',
      '--format',
      'PNG',
    ];
    expect(await pixseal(args, place.variables)).toStrictEqual({
      code: 2,
      stdout: '',
      stderr: `error: these options are invalid (422 invalid_request)
  --public-id must contain none of ? & # \\ % < > +
  --version must be a whole number from 1 to 999999999999999
  --format must be 1 to 10 lower-case letters and digits
  --issuer must be a UUID
`,
    });
  });

  it.each([
    {
      what: 'an id that is taken',
      args: ['issuer', 'create', '--name', 'x', '--id', SEED.issuerId],
      error: '409 id_taken: The id is taken. Use another UUID, or omit `id` to have one generated.',
    },
    {
      what: 'a public id that is taken',
      args: ['overlay', 'add', '--issuer', SEED.issuerId, '--public-id', SEED.overlayPublicId],
      error: /^error: 409 public_id_taken: /,
    },
    {
      what: 'an issuer that does not exist',
      args: ['image', 'add', '--issuer', UNKNOWN_ID, '--public-id', 'x', '--version', '1'],
      error: '404 issuer_not_found: No issuer has this id. Check it.',
    },
  ])('refuses $what with the problem’s own detail', async ({ args, error }) => {
    const { code, stdout, stderr } = await pixseal(args, place.variables);
    expect({ code, stdout }).toStrictEqual({ code: 1, stdout: '' });
    if (typeof error === 'string') expect(stderr).toBe(`error: ${error}\n`);
    else expect(stderr).toMatch(error);
  });
});

describeOnce('token mint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-cli-'));
  const secretFile = join(folder, 'secret');
  const stepsFile = join(folder, 'steps.json');
  const issuer = ['--issuer', SEED.issuerId];

  beforeAll(() => {
    writeFileSync(secretFile, `${SECRET}\n`);
    writeFileSync(stepsFile, '[{"width":200}]');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const mint = (args: readonly string[], variables: Variables = {}, input = ''): Promise<Outcome> =>
    pixseal(['token', 'mint', ...args], { PIXSEAL_SECRET: SECRET, ...variables }, input);
  const payloadOf = async (args: readonly string[]): Promise<unknown> => {
    const { stdout } = await mint([...issuer, '--json', ...args]);
    return (JSON.parse(stdout) as { payload: unknown }).payload;
  };

  it('prints only the token, which an unrelated library accepts', async () => {
    const { code, stdout, stderr } = await mint([...issuer, '--expires-in', '15m', '--image', SEED.imageId]);
    expect({ code, stderr }).toStrictEqual({ code: 0, stderr: '' });
    const token = stdout.slice(0, -1);
    const { payload, protectedHeader } = await jwtVerify(token, Buffer.from(SECRET));
    expect(protectedHeader).toStrictEqual({ typ: 'JWT', alg: 'HS256' });
    expect(payload).toStrictEqual({
      iss: SEED.issuerId,
      iat: expect.closeTo(Date.now() / 1000, -2) as number,
      exp: (payload.iat ?? 0) + 900,
      image_id: SEED.imageId,
      sharinpix: {},
    });
  });

  it.each([
    { args: [], notes: UNBOUND + UNLIMITED },
    { args: ['--expires-in', '1h'], notes: UNBOUND },
    { args: ['--image', SEED.imageId], notes: UNLIMITED },
    { args: ['--image', SEED.imageId, '--url', '--server', 'http://127.0.0.1'], notes: UNLIMITED },
    { args: ['--image', SEED.imageId, '--image', UNKNOWN_ID, '--expires-in', '1h'], notes: '' },
  ])('warns beside the token if it names no image or never expires: $args', async ({ args, notes }) => {
    const plain = await mint([...issuer, ...args]);
    expect(plain).toMatchObject({ code: 0, stderr: notes });
    expect(plain.stdout).toMatch(/^\S+\n$/);
    const json = await mint([...issuer, ...args, '--json']);
    const lines = notes.replaceAll(/^note: (.+)$/gm, (_, note: string) => JSON.stringify({ note }));
    expect(json).toMatchObject({ code: 0, stderr: lines });
    expect(JSON.parse(json.stdout)).toHaveProperty('token');
  });

  it.each([
    ['width=200,height=100,crop=fit', { width: 200, height: 100, crop: 'fit' }],
    ['width=0.5, angle=-90', { width: 0.5, angle: -90 }],
    ['dpr=1.0', { dpr: '1.0' }],
    ['effect=sepia:50', { effect: 'sepia:50' }],
    ['width=initial_width / 2', { width: 'initial_width / 2' }],
    ['note=a=b', { note: 'a=b' }],
    [
      '{"overlay":{"text":"a, b","text_style":"Arial_40"}}',
      { overlay: { text: 'a, b', text_style: 'Arial_40' } },
    ],
  ])('reads --step %s', async (step, expected) => {
    expect(await payloadOf(['--step', step])).toMatchObject({ transformations: [expected] });
  });

  it('keeps the order of the steps', async () => {
    expect(
      await payloadOf(['--step', 'width=1', '--step', '{"angle":90}', '--step', 'width=3']),
    ).toMatchObject({
      transformations: [{ width: 1 }, { angle: 90 }, { width: 3 }],
    });
  });

  it('reads all steps from a file', async () => {
    expect(await payloadOf(['--steps', `@${stepsFile}`])).toMatchObject({
      transformations: [{ width: 200 }],
    });
  });

  it('names one image, or several', async () => {
    expect(await payloadOf(['--image', SEED.imageId.toUpperCase()])).toMatchObject({
      image_id: SEED.imageId,
    });
    expect(await payloadOf(['--image', SEED.imageId, '--image', UNKNOWN_ID])).toMatchObject({
      image_id: [SEED.imageId, UNKNOWN_ID],
    });
  });

  it('signs --no-download and --original', async () => {
    expect(await payloadOf(['--no-download', '--original'])).toMatchObject({
      sharinpix: { download: false, original: true },
    });
  });

  it('prints a URL for each image', async () => {
    const images = ['--image', SEED.imageId, '--image', UNKNOWN_ID];
    const { stdout } = await mint([...issuer, ...images, '--url', '--server', 'http://img.example.com/']);
    const [first = '', second = ''] = stdout.split('\n');
    expect(first).toMatch(`http://img.example.com/images/${SEED.imageId}?token=ey`);
    expect(second).toBe(first.replace(SEED.imageId, UNKNOWN_ID));
  });

  it('reads issuer, secret, key and service from the dsn', async () => {
    const { stdout } = await mint(['--kid', '--url', '--image', SEED.imageId], {
      PIXSEAL_SECRET: '',
      PIXSEAL_DSN: `https://${SEED.issuerId}:${SECRET}@img.example.com/?kid=${UNKNOWN_ID}`,
    });
    const [origin, token = ''] = stdout.trim().split(`/images/${SEED.imageId}?token=`);
    expect(origin).toBe('https://img.example.com');
    expect(decodeProtectedHeader(token)).toStrictEqual({ typ: 'JWT', alg: 'HS256', kid: UNKNOWN_ID });
    expect((await jwtVerify(token, Buffer.from(SECRET))).payload.iss).toBe(SEED.issuerId);
  });

  it.each([
    { from: 'a file', args: ['--secret-file', secretFile], input: '' },
    { from: 'standard input', args: ['--secret-file', '-'], input: SECRET },
  ])('reads the secret from $from', async ({ args, input }) => {
    const { stdout } = await mint(
      [...issuer, ...args, '--algorithm', 'HS512'],
      { PIXSEAL_SECRET: '' },
      input,
    );
    const { protectedHeader } = await jwtVerify(stdout.trim(), Buffer.from(SECRET));
    expect(protectedHeader.alg).toBe('HS512');
  });

  it('warns beside the token about keys that have no effect', async () => {
    const { code, stdout, stderr } = await mint([...issuer, '--step', 'miaim=200,flags=tiled']);
    expect({ code, stderr }).toStrictEqual({
      code: 0,
      stderr:
        'note: step 1: miaim is ignored: unknown parameter\n' +
        'note: step 1: flags is ignored: `tiled` acts only on a layer, and this step has none\n' +
        UNBOUND +
        UNLIMITED,
    });
    expect(stdout).toMatch(/^ey[\w-]+\.[\w-]+\.[\w-]{43}\n$/);
  });

  it.each([
    {
      step: 'width=abc',
      error: /^error: 422 invalid_transformation: Transformation refused: step 1, `width`/,
    },
    { step: 'overlay=logo', error: /^error: 422 invalid_transformation: / },
    {
      step: 'wdith=200',
      error:
        /^error: 422 invalid_transformation: .* step 1, `wdith` is not a parameter. Did you mean `width`\?/,
    },
    {
      step: `{"overlay":"text:Arial_40:${'a'.repeat(900)}","x":"${'1'.repeat(8000)}"}`,
      error: /^error: 422 invalid_transformation: /,
    },
    { step: `{"ignored":"${'x'.repeat(6500)}"}`, error: /error: 401 invalid_token: .*longer than 8192/ },
  ])('refuses a token that the service would refuse: $error', async ({ step, error }) => {
    const { code, stdout, stderr } = await mint([...issuer, '--step', step]);
    expect({ code, stdout }).toStrictEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(error);
  });

  it.each([
    { args: [], error: 'Name the issuer with --issuer, or set PIXSEAL_DSN.' },
    { args: ['--issuer', 'x'], error: '--issuer must be a UUID.' },
    { args: [...issuer, '--image', 'x'], error: '--image must be a UUID.' },
    {
      args: [...issuer, '--expires-in', '0h'],
      error: '--expires-in must be a duration such as 90s, 15m, 1h or 7d.',
    },
    {
      args: [...issuer, '--step', 'overlay=text:Arial_40:a, b'],
      error:
        '--step "overlay=text:Arial_40:a, b": " b": expected key=value. A value that contains a comma needs JSON, such as ' +
        '--step \'{"overlay":{"text":"a, b","text_style":"Arial_40"}}\'.',
    },
    {
      args: [...issuer, '--step', 'width=1,width=2'],
      error: '--step "width=1,width=2": width is repeated.',
    },
    {
      args: [...issuer, '--steps', '{}'],
      error: '--steps must be a JSON array of steps, such as \'[{"width":200}]\'.',
    },
    { args: [...issuer, '--steps', '@nowhere.json'], error: 'nowhere.json cannot be read (ENOENT).' },
    { args: [...issuer, '--url'], error: '--url requires an image: name it with --image.' },
    {
      args: [...issuer, '--url', '--image', UNKNOWN_ID],
      error: '--url requires the service’s address: pass --server, or set PIXSEAL_SERVER or PIXSEAL_DSN.',
    },
    {
      args: [...issuer, '--kid'],
      error: '--kid requires the key’s id here: only PIXSEAL_DSN and the database contain it.',
    },
    {
      args: [...issuer, '--secret-file', stepsFile],
      error: '--secret-file must contain 32 to 512 printable ASCII characters without spaces.',
    },
  ])('exits 2 for an invalid command line: $error', async ({ args, error }) => {
    expect(await mint(args)).toStrictEqual({ code: 2, stdout: '', stderr: `error: ${error}\n` });
  });

  it('never prints a secret that it refuses', async () => {
    for (const variables of [
      { PIXSEAL_SECRET: 'too short' },
      { PIXSEAL_DSN: 'https://x:tooshort@example.com' },
      { PIXSEAL_DSN: `https://${SEED.issuerId}:%zzshort@example.com` },
      { PIXSEAL_DSN: 'short' },
    ]) {
      const { code, stdout, stderr } = await mint([], { PIXSEAL_SECRET: '', ...variables });
      expect({ code, stdout }).toStrictEqual({ code: 2, stdout: '' });
      expect(stderr).not.toContain('short');
    }
  });
});

describe('the database', () => {
  let database: TestDatabase;
  let variables: Variables;
  beforeAll(async () => {
    database = await createTestDatabase();
    variables = { ...TEST_VARIABLES, ...database.variables };
  });
  afterAll(() => database.drop());

  it('uses the issuer’s newest active key, or the one that is named', async () => {
    const service = await startService({}, database);
    const createdRow = await service.admin('POST', '/issuers', { name: 'Rotating' });
    const { id, key: oldest } = createdRow.json() as { id: string; key: { id: string } };
    const addKey = async (body: object): Promise<{ id: string; secret: string }> =>
      (await service.admin('POST', `/issuers/${id}/keys`, body)).json() as { id: string; secret: string };
    const newest = await addKey({ algorithm: 'HS384' });
    const retired = await addKey({ not_after: '2020-01-01T00:00:00Z' });
    await addKey({ not_before: '2999-01-01T00:00:00Z' });
    const disabled = await service.admin('POST', '/issuers', { name: 'Disabled', disabled: true });
    const { id: disabledId } = disabled.json() as { id: string };
    await service.close();

    const mint = (args: readonly string[]): Promise<Outcome> =>
      pixseal(['token', 'mint', '--issuer', id, ...args], variables);
    const token = (await mint(['--kid'])).stdout.trim();
    expect(decodeProtectedHeader(token)).toStrictEqual({ typ: 'JWT', alg: 'HS384', kid: newest.id });
    await jwtVerify(token, Buffer.from(newest.secret));
    expect(decodeProtectedHeader((await mint([])).stdout)).toStrictEqual({ typ: 'JWT', alg: 'HS384' });
    expect(decodeProtectedHeader((await mint(['--kid', oldest.id])).stdout)).toStrictEqual({
      typ: 'JWT',
      alg: 'HS256',
      kid: oldest.id,
    });
    expect(await mint(['--kid', retired.id])).toMatchObject({
      code: 1,
      stderr: 'error: 404 key_not_found: The issuer has no key with this id. Check both ids.\n',
    });
    expect(await pixseal(['token', 'mint', '--issuer', disabledId], variables)).toMatchObject({
      code: 1,
      stderr: 'error: The issuer is disabled: its tokens are refused.\n',
    });
    expect(await pixseal(['token', 'mint', '--issuer', UNKNOWN_ID], variables)).toMatchObject({
      code: 1,
      stderr: 'error: 404 issuer_not_found: No issuer has this id. Check it.\n',
    });
    const url = await mint(['--url', '--image', SEED.imageId]);
    expect(url.stdout).toMatch(`http://127.0.0.1:0/images/${SEED.imageId}?token=ey`);
  }, 180_000);

  it('follows DEFAULT_POLICY, as the service does', async () => {
    const create = (policy: string, args: readonly string[] = []): Promise<Outcome> =>
      pixseal(['issuer', 'create', '--name', 'x', '--json', ...args], {
        ...variables,
        DEFAULT_POLICY: policy,
      });
    const policyOf = ({ stdout }: Outcome): unknown => (JSON.parse(stdout) as { policy: unknown }).policy;
    expect(policyOf(await create('{"require_exp": true}'))).toStrictEqual({ require_exp: true });
    expect(policyOf(await create('recommended', ['--policy', '{}']))).toStrictEqual({});
    expect(await create('x')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('DEFAULT_POLICY must be `recommended`, or a policy as JSON') as string,
    });
  });

  it('names every missing variable, and no value', async () => {
    const { code, stdout, stderr } = await pixseal(['explain', 'abc'], {
      DATABASE_URL: 'postgres://user:hidden@127.0.0.1:1/pixseal',
      SECRETS_KEY: 'hidden',
    });
    expect({ code, stdout }).toStrictEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: The environment cannot be used:\n {2}- /);
    for (const name of ['ADMIN_API_KEYS', 'CLOUDINARY_URL', 'SECRETS_KEY']) expect(stderr).toContain(name);
    expect(stderr).not.toContain('hidden');
  });

  it('is named if it does not respond', async () => {
    const unreachable = { ...TEST_VARIABLES, DATABASE_URL: 'postgres://user:hidden@127.0.0.1:1/pixseal' };
    expect(await pixseal(['explain', 'abc'], unreachable)).toStrictEqual({
      code: 1,
      stdout: '',
      stderr: 'error: The database cannot be opened: connect ECONNREFUSED 127.0.0.1:1. Check DATABASE_URL.\n',
    });
  });

  describe.runIf(embedded)('in a folder', () => {
    it('is locked by a running service, and the error suggests --server', async () => {
      const service = await startService({}, database);
      // Its port differs from this command's settings.
      const { code, stdout, stderr } = await pixseal(['issuer', 'create', '--name', 'x'], variables);
      await service.close();
      const folder = database.variables['DATA_DIR'] ?? '';
      expect({ code, stdout }).toStrictEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(`The data folder ${folder} is in use by process ${process.pid}.`);
      expect(stderr).toContain(
        `add: --server <its address> --admin-key-file ${join(folder, 'secrets.json')}\n`,
      );
    });

    it('is created if it does not exist, with a message', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'pixseal-cli-'));
      const dataDir = join(folder, 'data');
      const { code, stdout, stderr } = await pixseal(['issuer', 'create', '--name', 'First'], {
        DATA_DIR: dataDir,
      });
      rmSync(folder, { recursive: true });
      expect({ code, stderr }).toStrictEqual({
        code: 0,
        stderr: `note: there is no database in ${dataDir} yet: creating one\n${SECRET_NOTE}`,
      });
      expect(rowsOf(stdout)).toMatchObject({ name: 'First' });
    });
  });
});

describe('a running service', () => {
  let service: Service;
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-cli-'));
  const create = ['issuer', 'create', '--name', 'x'];
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(async () => {
    await service.close();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['a file', `${ADMIN_KEY}\n`],
    ['the secrets.json of a data folder', JSON.stringify({ admin_api_key: ADMIN_KEY, secrets_key: 'x' })],
  ])('reads the admin key from %s', async (_, text) => {
    const file = join(folder, 'key');
    writeFileSync(file, text);
    const { code, stderr } = await pixseal([...create, '--server', service.url, '--admin-key-file', file]);
    expect({ code, stderr }).toStrictEqual({ code: 0, stderr: SECRET_NOTE });
  });

  it.each([
    {
      what: 'no admin key',
      variables: {},
      code: 2,
      error: 'This command requires an admin key. Set PIXSEAL_ADMIN_KEY, or pass --admin-key-file.',
    },
    {
      what: 'an admin key that no header can hold',
      variables: { PIXSEAL_ADMIN_KEY: 'one\nand another' },
      code: 2,
      error: 'PIXSEAL_ADMIN_KEY does not contain an admin key: printable ASCII, not in quotation marks.',
    },
    {
      what: 'an admin key in quotation marks',
      variables: { PIXSEAL_ADMIN_KEY: `"${'k'.repeat(32)}"` },
      code: 2,
      error: 'PIXSEAL_ADMIN_KEY does not contain an admin key: printable ASCII, not in quotation marks.',
    },
    {
      what: 'a wrong admin key',
      variables: { PIXSEAL_ADMIN_KEY: 'wrong' },
      code: 1,
      error:
        '401 admin_key_required: The admin key is unknown, revoked or expired. Check it, or create another one. ' +
        'It is read from PIXSEAL_ADMIN_KEY, PIXSEAL_ADMIN_KEY_FILE or --admin-key-file.',
    },
  ])('refuses $what', async ({ variables, code, error }) => {
    const outcome = await pixseal(create, { ...variables, PIXSEAL_SERVER: service.url });
    expect(outcome).toStrictEqual({ code, stdout: '', stderr: `error: ${error}\n` });
  });

  it('never returns secrets: the caller of mint supplies one', async () => {
    const args = ['token', 'mint', '--issuer', SEED.issuerId, '--server', service.url];
    expect(await pixseal(args, { PIXSEAL_ADMIN_KEY: ADMIN_KEY })).toStrictEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: The server never returns secrets. Supply the issuer’s secret: set PIXSEAL_DSN or PIXSEAL_SECRET, or pass --secret-file.\n',
    });
  });

  it('that does not respond is named', async () => {
    expect(await pixseal(['--server', 'http://127.0.0.1:9', 'explain', 'abc'])).toMatchObject({
      code: 1,
      stdout: '',
    });
    const unknown = await pixseal(['explain', 'abc', '--server', 'http://127.0.0.1:49999']);
    expect(unknown).toStrictEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: The service at http://127.0.0.1:49999 does not respond (ECONNREFUSED). Start it, or check the address given as --server.\n',
    });
  });

  it.each([
    ['answers no JSON', 200, { 'content-type': 'text/html' }, '<html>'],
    ['answers other JSON', 404, { 'content-type': 'application/json' }, '{"message":"not here"}'],
    ['redirects', 302, { location: 'https://example.com/' }, ''],
  ])('that %s is reported as not being Pixseal', async (_, status, headers, body) => {
    const other = createServer((_request, response) => response.writeHead(status, headers).end(body));
    const port = await listen(other);
    const url = `http://127.0.0.1:${port}`;
    const outcome = await pixseal(['explain', 'abc', '--server', url]);
    other.close();
    expect(outcome).toStrictEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${url} returned ${status}, which is not a Pixseal response. Check the address given as --server.\n`,
    });
  });

  it.each(['ftp://example.com', 'example', 'http://user@example.com', 'http://example.com?x'])(
    'refuses the URL %s',
    async (server) => {
      expect(await pixseal(['explain', 'abc', '--server', server])).toStrictEqual({
        code: 2,
        stdout: '',
        stderr: 'error: --server must be a URL such as http://127.0.0.1:3000.\n',
      });
    },
  );
});

describeOnce('help', () => {
  it.each([
    ['issuer list', []],
    ['issuer show', []],
    ['issuer update', ['--name', '--delivery-format', '--account', '--not-before', '--disabled']],
    ['issuer delete', []],
    ['key rotate', ['--issuer', '--overlap', '--public-key', '--algorithm', '--secret-file']],
    ['key list', ['--issuer']],
    ['key update', ['--issuer', '--not-before', '--not-after']],
    ['key revoke', ['--issuer']],
    ['policy get', ['--issuer']],
    ['policy set', ['--issuer']],
    ...['image', 'overlay'].flatMap((name): [string, string[]][] => [
      [`${name} upload`, ['--issuer', '--public-id', '--id', '--delivery-type']],
      [`${name} list`, ['--issuer', '--public-id']],
      [`${name} show`, []],
      [`${name} update`, ['--public-id', '--delivery-type']],
      [`${name} replace`, []],
      [`${name} delete`, []],
    ]),
    ['revoke', ['--session', '--image', '--all', '--issuer', '--expires-at']],
    ['revocation list', ['--issuer']],
    ['revocation delete', ['--issuer']],
    ['audit tail', ['--lines', '--follow', '--issuer', '--action', '--row']],
    ['issuer create', ['--name', '--id', '--delivery-format']],
    [
      'image add',
      ['--issuer', '--public-id', '--version', '--id', '--format', '--delivery-type', '--access'],
    ],
    ['overlay add', ['--issuer', '--public-id', '--id', '--delivery-type', '--shared']],
    [
      'token mint',
      [
        '--issuer',
        '--image',
        '--step',
        '--steps',
        '--expires-in',
        '--no-download',
        '--original',
        '--kid',
        '--url',
      ],
    ],
    ['explain', ['--image']],
    ['admin-key create', ['--name', '--scope', '--issuer', '--expires-at']],
    [
      'account create',
      ['--name', '--cloud-name', '--api-key', '--api-secret-file', '--host', '--private-cdn'],
    ],
    ['account list', []],
    ['account show', []],
    ['account update', ['--name', '--disabled', '--upload-prefix', '--signature', '--auth-token-key-file']],
    ['account delete', []],
    ['account secret add', ['--api-key', '--api-secret-file', '--signs', '--not-after']],
    ['account secret list', []],
    ['account secret update', ['--signs', '--not-after']],
    ['account secret revoke', []],
    ['admin-key list', []],
    ['admin-key revoke', []],
  ])('of %s lists its options, with valid examples', async (command, options) => {
    const text = await output([...command.split(' '), '--help']);
    expect(text).toContain(`Usage: pixseal ${command}`);
    for (const option of [...options, '--server', '--admin-key-file', '--json'])
      expect(text).toContain(`${option} `.trimEnd());
    expect(text).toMatch(new RegExp(`Examples:\n(.*\n)*? {2}\\$ .*pixseal ${command} `));
  });

  it('states what `token mint` checks, and what the service checks', async () => {
    expect(await output(['token', 'mint', '--help'])).toContain(
      'Validates the steps against the vocabulary; the service checks the issuer’s policy.',
    );
  });

  it('of the program lists every command, variable and exit code', async () => {
    const text = await output(['--help']);
    for (const part of [
      'issuer create',
      'image add',
      'overlay add',
      'token mint',
      'explain <token|url>',
      'account create',
      'account secret add <account>',
      'admin-key create',
      'admin-key list',
      'admin-key revoke <id>',
    ]) {
      expect(text).toMatch(new RegExp(`^ {2}${part.replace('|', '\\|')} {2,}\\S`, 'm'));
    }
    for (const name of ['PIXSEAL_SERVER', 'PIXSEAL_ADMIN_KEY', 'PIXSEAL_DSN', 'PIXSEAL_SECRET']) {
      expect(text).toContain(name);
    }
    expect(text).toContain('Exit codes: 0');
    expect(await output(['--version'])).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('is printed with exit code 2 if a command is missing', async () => {
    const { code, stdout, stderr } = await pixseal([]);
    expect({ code, stdout }).toStrictEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: pixseal');
  });

  it.each([
    [['frob'], "error: unknown command 'frob'"],
    [['issuer', 'creat', '--help'], "error: unknown command 'creat'\n(Did you mean create?)"],
    [['nonsense', '--help'], "error: unknown command 'nonsense'"],
    [['issuer', 'create', '--nam', 'x'], "error: unknown option '--nam'\n(Did you mean --name?)"],
    [['issuer', 'create'], "error: required option '--name <name>' not specified"],
    [['explain'], "error: missing required argument 'token|url'"],
    [['explain', 'abc', '--frob', 'x'], "error: unknown option '--frob'"],
    [
      ['overlay', 'add', '--issuer', UNKNOWN_ID, '--public-id', 'x', '--delivery-type', 'fetch'],
      "error: option '--delivery-type <type>' argument 'fetch' is invalid. Allowed choices are upload, private, authenticated.",
    ],
  ])('is suggested for %j', async (args, error) => {
    expect(await pixseal(args)).toStrictEqual({
      code: 2,
      stdout: '',
      stderr: `${error}\nRun it with --help to see options and examples.\n`,
    });
  });
});

describe('keys rewrap', () => {
  it('encrypts stored secrets with the first key of SECRETS_KEY, and reports it', async () => {
    const place = await openDatabase();
    const variables = { ...place.variables, PUBLIC_URL: 'https://img.example' };
    try {
      const both = { ...variables, SECRETS_KEY: `${'0f'.repeat(32)},${TEST_VARIABLES.SECRETS_KEY}` };
      await output(['issuer', 'create', '--name', 'Before', '--json'], variables);
      expect(rowsOf(await output(['keys', 'rewrap'], both))).toStrictEqual({
        rewrapped: '1',
        already: '0',
        failed: '0',
      });
      expect(JSON.parse(await output(['keys', 'rewrap', '--json'], both))).toStrictEqual({
        rewrapped: 0,
        already: 1,
        failed: [],
      });
      const refused = await pixseal(['keys', 'rewrap'], place.variables);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/^error: SECRETS_KEY lacks the key of 1 stored secrets/);
      expect(refused.stderr).not.toContain(TEST_VARIABLES.SECRETS_KEY);
    } finally {
      await place.close();
    }
  });

  it('is refused for a running service', async () => {
    const { code, stderr } = await pixseal(['keys', 'rewrap', '--server', 'http://127.0.0.1:1']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: keys rewrap requires direct access to the database/);
  });
});
