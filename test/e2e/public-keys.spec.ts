import { execFile } from 'node:child_process';
import { createPublicKey, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { signToken } from '../../packages/client/src/pixseal-client.js';
import { JwksNetwork } from '../../src/directory/jwks-network.js';
import { PUBLIC_KEY_ALGORITHMS } from '../../src/tokens/signing-key.js';
import { createPrivateCa, type PrivateCa } from '../support/certificates.js';
import { problem } from '../support/http.js';
import { type JwksServer, openToLoopback, startJwksServer } from '../support/jwks-server.js';
import { documentBlock } from '../support/readme.js';
import { createRandomTenant, post, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, startService, type ImageResponse, type Service } from '../support/service.js';
import { type KeyPair, makeKeyPair, signWithKey } from '../tokens/public-key-fixtures.js';

const STEPS = [{ width: 5 }];
const CHAIN = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto', 'w_5'];
const NOT_ACCEPTED = { status: 401, code: 'invalid_token' };

let service: Service;
let ca: PrivateCa;

beforeAll(async () => {
  ca = createPrivateCa();
  service = await startService();
  openToLoopback(service.app.get(JwksNetwork, { strict: false }), ca);
});
afterAll(async () => {
  await service.close();
  ca.remove();
});

interface KeyView {
  readonly id: string;
  readonly algorithm: string;
  readonly public_key: string | null;
  readonly secret: string | null;
  readonly dsn: string | null;
}

const show = ({ imageId }: Tenant, token: string): Promise<ImageResponse> =>
  service.image(`/images/${imageId}?token=${token}`);

const tokenOf = (pair: KeyPair, iss: string, claims: object = {}): string =>
  signWithKey(pair, { payload: { iss, transformations: STEPS, ...claims } });

async function outcomeOf(tenant: Tenant, token: string): Promise<object> {
  const response = await show(tenant, token);
  if (response.status !== 302) {
    return { status: response.status, code: (response.json() as { code: string }).code };
  }
  return { status: 302, components: response.shown?.components };
}

/** Registers a key pair as a row. @returns the pair with the row's id. */
async function register({ issuerId }: Tenant, pair: KeyPair, body: object = {}): Promise<KeyPair> {
  const { algorithm, pem } = pair;
  const key = await post<KeyView>(service, `/issuers/${issuerId}/keys`, {
    algorithm,
    public_key: pem,
    ...body,
  });
  return { ...pair, id: key.id };
}

describe.each(PUBLIC_KEY_ALGORITHMS)('a public key of %s', (algorithm) => {
  it('verifies the tokens of its private key until it is revoked, and has no secret', async () => {
    const tenant = await createRandomTenant(service);
    const pair = makeKeyPair(algorithm);
    const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'theirs', alg: algorithm };
    for (const form of [pair.pem, jwk, JSON.stringify(jwk)]) {
      const key = await post<KeyView>(service, `/issuers/${tenant.issuerId}/keys`, {
        algorithm,
        public_key: form,
      });
      expect(key).toMatchObject({ algorithm, public_key: pair.pem, secret: null, dsn: null });
      const token = tokenOf({ ...pair, id: key.id }, tenant.issuerId);
      // The second and third are served from the cache of redirects.
      for (let times = 0; times < 3; times += 1) {
        expect(await outcomeOf(tenant, token)).toStrictEqual({ status: 302, components: CHAIN });
      }
      const explained = await service.get(`/images/${tenant.imageId}/explain?token=${token}`);
      expect(explained.json()).toMatchObject({ key_id: key.id, issuer_id: tenant.issuerId });
      await service.admin('DELETE', `/issuers/${tenant.issuerId}/keys/${key.id}`);
      expect(await outcomeOf(tenant, token)).toStrictEqual(NOT_ACCEPTED);
    }
  });

  it('of one issuer verifies no token of another', async () => {
    const [one, other] = [await createRandomTenant(service), await createRandomTenant(service)];
    const pair = await register(one, makeKeyPair(algorithm));
    expect(await outcomeOf(other, tokenOf(pair, other.issuerId))).toStrictEqual(NOT_ACCEPTED);
    expect(await outcomeOf(other, tokenOf(pair, one.issuerId))).toStrictEqual({
      status: 404,
      code: 'image_not_found',
    });
  });

  it('that is private is refused, and is stored nowhere', async () => {
    const tenant = await createRandomTenant(service);
    const { privateKey } = makeKeyPair(algorithm);
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    for (const form of [pem, privateKey.export({ format: 'jwk' })]) {
      const response = await service.admin('POST', `/issuers/${tenant.issuerId}/keys`, {
        algorithm,
        public_key: form,
      });
      expect(response.status).toBe(422);
      expect(response.json()).toMatchObject({
        code: 'invalid_request',
        errors: [{ key: 'public_key', detail: expect.stringContaining('must be a public key') as string }],
      });
      expect(response.text).not.toContain(pem.split('\n')[1]);
    }
    const { text } = await service.admin('GET', `/issuers/${tenant.issuerId}`);
    expect(text).not.toContain(algorithm);
  });
});

describe('a key', () => {
  const { pem } = makeKeyPair('EdDSA');
  it.each<[body: object, key: string, detail: string]>([
    [{ algorithm: 'EdDSA' }, 'public_key', 'is required with EdDSA'],
    [{ algorithm: 'EdDSA', public_key: pem, secret: 'x'.repeat(32) }, 'secret', 'must be omitted with EdDSA'],
    [{ public_key: pem }, 'public_key', 'must be omitted with HS256: it is for EdDSA, ES256, RS256, PS256'],
    [{ algorithm: 'ES256', public_key: pem }, 'public_key', 'must be a P-256 public key, in PEM or as a JWK'],
    [{ algorithm: 'EdDSA', public_key: 1 }, 'public_key', 'must be a public key, in PEM or as a JWK'],
    [{ algorithm: 'EdDSA', public_key: null }, 'public_key', 'must be a public key, in PEM or as a JWK'],
  ])('of %j is refused', async (body, key, detail) => {
    const { issuerId } = await createRandomTenant(service);
    const response = await service.admin('POST', `/issuers/${issuerId}/keys`, body);
    expect(response.json()).toMatchObject({ status: 422, errors: [{ key, detail }] });
    const created = await service.admin('POST', '/issuers', { name: 'X', key: body });
    expect(created.json()).toMatchObject({ status: 422, errors: [{ key: `key.${key}`, detail }] });
  });

  it('is created as docs/keys.md has it', async () => {
    const tenant = await createRandomTenant(service);
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-keys-'));
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const { stdout } = await promisify(execFile)(
      'bash',
      ['-euo', 'pipefail', '-c', documentBlock('docs/keys.md', 'A public key / sh 1')],
      {
        cwd: folder,
        env: {
          PATH: process.env['PATH'],
          PIXSEAL_ADMIN_KEY: ADMIN_KEY,
          PIXSEAL_SERVER: service.url,
          ISSUER: tenant.issuerId,
        },
      },
    );
    const { id, algorithm, public_key: pem } = JSON.parse(stdout) as KeyView;
    const privateKey = readFileSync(join(folder, 'private.pem'), 'utf8');
    expect([algorithm, pem]).toStrictEqual([
      'EdDSA',
      createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }),
    ]);
    service.model.publicKeys.set(id, { id, issuer_id: tenant.issuerId, algorithm, public_key: pem ?? '' });
    // As docs/clients.md has it.
    const program = documentBlock('docs/clients.md', '`@pixseal/client` / ts 2')
      .replace('process.env.PIXSEAL_PRIVATE_KEY!', 'privateKey')
      .replace('const token =', 'return');
    const code = `export const sign = async (signToken, issuerId, privateKey, kid, imageId) => { ${program} };`;
    const { sign } = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as {
      sign: (...values: unknown[]) => Promise<string>;
    };
    const token = await sign(signToken, tenant.issuerId, privateKey, id, tenant.imageId);
    expect((await show(tenant, token)).status).toBe(302);
  });

  it('may be an issuer’s first, so that no secret is created', async () => {
    const pair = makeKeyPair('ES256');
    const issuer = await post<{ id: string; key: KeyView }>(service, '/issuers', {
      name: 'Without a secret',
      key: { algorithm: 'ES256', public_key: pair.pem },
    });
    expect(issuer.key).toMatchObject({ algorithm: 'ES256', public_key: pair.pem, secret: null, dsn: null });
    const { keys } = (await service.admin('GET', `/issuers/${issuer.id}`)).json() as { keys: object[] };
    expect(keys).toHaveLength(1);
  });
});

describe('an alias of an issuer', () => {
  it('is an iss of its tokens, until it is removed; aud is then required', async () => {
    const tenant = await createRandomTenant(service);
    const pair = await register(tenant, makeKeyPair('RS256'));
    const alias = `https://idp.example/${randomUUID()}`;
    const token = tokenOf(pair, alias, { aud: ['images'] });
    expect(await outcomeOf(tenant, token)).toStrictEqual(NOT_ACCEPTED);
    const change = (body: object): Promise<unknown> =>
      service.admin('PATCH', `/issuers/${tenant.issuerId}`, body).then((response) => response.json());
    expect(await change({ iss_aliases: [alias], aud: 'images' })).toMatchObject({
      iss_aliases: [alias],
      aud: 'images',
    });
    for (let times = 0; times < 3; times += 1) {
      expect(await outcomeOf(tenant, token)).toStrictEqual({ status: 302, components: CHAIN });
    }
    expect(await outcomeOf(tenant, tokenOf(pair, alias))).toStrictEqual(NOT_ACCEPTED);
    expect(await outcomeOf(tenant, tokenOf(pair, alias, { aud: 'others' }))).toStrictEqual(NOT_ACCEPTED);
    expect(await outcomeOf(tenant, tenant.sign({ transformations: STEPS }))).toMatchObject({ status: 302 });
    expect(await change({ iss_aliases: [] })).toMatchObject({ iss_aliases: [] });
    expect(await outcomeOf(tenant, token)).toStrictEqual(NOT_ACCEPTED);
  });

  it('of a provider with a jwks_url requires an aud', async () => {
    const provider = {
      iss_aliases: [`https://idp.example/${randomUUID()}`],
      jwks_url: 'https://idp.example/jwks',
    };
    const fault = { status: 422, errors: [{ key: 'aud' }] };
    const create = (body: object) => service.admin('POST', '/issuers', { name: 'X', ...body });
    expect((await create(provider)).json()).toMatchObject(fault);
    const created = await create({ ...provider, aud: 'images' });
    expect(created.status).toBe(201);
    const path = `/issuers/${(created.json() as { id: string }).id}`;
    expect((await service.admin('PATCH', path, { aud: null })).json()).toMatchObject(fault);
    expect((await service.admin('PATCH', path, { aud: null, iss_aliases: [] })).status).toBe(200);
  });

  it('belongs to one issuer, also if two issuers register it at once', async () => {
    const [one, other] = [await createRandomTenant(service), await createRandomTenant(service)];
    const alias = `idp-${randomUUID()}`;
    const patch = (tenant: Tenant, aliases: readonly string[]) =>
      service.admin('PATCH', `/issuers/${tenant.issuerId}`, { iss_aliases: aliases });
    expect((await patch(one, [alias, 'x'])).status).toBe(200);
    const taken = problem(
      409,
      'iss_alias_taken',
      'Another issuer has one of the `iss_aliases`. An `iss` names one issuer.',
    );
    expect((await patch(other, [alias])).json()).toStrictEqual(taken);
    expect(
      (await service.admin('POST', '/issuers', { name: 'X', iss_aliases: [alias] })).json(),
    ).toStrictEqual(taken);
    expect((await patch(one, [alias])).status).toBe(200);
    const racing = `race-${randomUUID()}`;
    const statuses = await Promise.all(
      [one, other].map(async (each) => (await patch(each, [racing])).status),
    );
    expect(statuses.toSorted()).toStrictEqual([200, 409]);
  });

  it('never replaces the id of an issuer', async () => {
    const [one, other] = [await createRandomTenant(service), await createRandomTenant(service)];
    for (const aliases of [
      [other.issuerId],
      [other.issuerId.toUpperCase()],
      [''],
      ['a', 'a'],
      [1],
      'a',
      Array(9).fill('a'),
    ]) {
      const response = await service.admin('PATCH', `/issuers/${one.issuerId}`, { iss_aliases: aliases });
      expect(response.json()).toMatchObject({ status: 422, errors: [{ key: 'iss_aliases' }] });
    }
  });
});

describe('a jwks_url', () => {
  let server: JwksServer;
  let elsewhere = 0;
  const start = async (): Promise<JwksServer> => {
    const started = await startJwksServer(ca.local);
    onTestFinished(() => started.close());
    return started;
  };

  /** An issuer whose keys the server publishes. */
  async function createPublishedTenant(url = server.url): Promise<Tenant> {
    const tenant = await createRandomTenant(service);
    // Only a test may name loopback: the row is written as an operator with access to the database could.
    await service.app
      .get(DataSource)
      .query('UPDATE issuers SET jwks_url = $1 WHERE id = $2', [url, tenant.issuerId]);
    await vi.waitFor(async () => {
      const issuer = (await service.admin('GET', `/issuers/${tenant.issuerId}`)).json();
      expect(issuer).toMatchObject({ jwks_url: url });
    });
    return tenant;
  }

  const trust = (tenant: Tenant, pair: KeyPair): void => {
    elsewhere += 1;
    service.model.publicKeys.set(`jwks-${elsewhere}`, {
      id: pair.id,
      issuer_id: tenant.issuerId,
      algorithm: pair.algorithm,
      public_key: pair.pem,
    });
  };

  it.each([
    ['http://idp.example/jwks'],
    ['https://user@idp.example/jwks'],
    ['https://idp.example/jwks#a'],
    ['https://localhost/jwks'],
    ['https://a.localhost/jwks'],
    ['https://127.0.0.1/jwks'],
    ['https://2130706433/jwks'],
    ['https://0x7f.1/jwks'],
    ['https://[::1]/jwks'],
    ['https://[::ffff:10.0.0.1]/jwks'],
    ['https://169.254.169.254/latest/meta-data'],
    ['https://10.1.2.3/jwks'],
    ['file:///etc/passwd'],
    [`https://idp.example/${'a'.repeat(500)}`],
    ['jwks'],
    [1],
  ])('%j is refused', async (url) => {
    const { issuerId } = await createRandomTenant(service);
    const response = await service.admin('PATCH', `/issuers/${issuerId}`, { jwks_url: url });
    expect(response.json()).toMatchObject({ status: 422, errors: [{ key: 'jwks_url' }] });
  });

  it('publishes keys of every algorithm, which are fetched once', async () => {
    server = await start();
    const pairs = PUBLIC_KEY_ALGORITHMS.map((algorithm) => makeKeyPair(algorithm, `published ${algorithm}`));
    server.publish(...pairs);
    const tenant = await createPublishedTenant();
    expect(await outcomeOf(tenant, tenant.sign())).toMatchObject({ status: 302 });
    expect(server.requests()).toBe(0);
    for (const pair of pairs) {
      trust(tenant, pair);
      const token = tokenOf(pair, tenant.issuerId);
      for (let times = 0; times < 3; times += 1) {
        expect(await outcomeOf(tenant, token)).toStrictEqual({ status: 302, components: CHAIN });
      }
      const explained = await service.get(`/images/${tenant.imageId}/explain?token=${token}`);
      expect(explained.json()).toMatchObject({ key_id: pair.id });
    }
    expect(server.requests()).toBe(1);
  });

  it('that fails is 503, and other keys of the issuer stay valid', async () => {
    server = await start();
    const tenant = await createPublishedTenant();
    const row = await register(tenant, makeKeyPair('PS256'));
    const pair = makeKeyPair('EdDSA', 'published');
    const response = await show(tenant, tokenOf(pair, tenant.issuerId));
    expect(response.json()).toStrictEqual(
      problem(
        503,
        'jwks_unavailable',
        'The public keys of this issuer cannot be fetched. Try again, or check its `jwks_url`.',
      ),
    );
    expect(response.headers['retry-after']).toBe('30');
    expect(await outcomeOf(tenant, tokenOf(row, tenant.issuerId))).toMatchObject({ status: 302 });
    expect(await outcomeOf(tenant, tenant.sign())).toMatchObject({ status: 302 });
    expect(await outcomeOf(tenant, tokenOf(pair, tenant.issuerId))).toMatchObject({ status: 503 });
    expect(server.requests()).toBe(1);
  });

  it('of another issuer publishes no key of this one', async () => {
    server = await start();
    const pair = makeKeyPair('EdDSA', 'published');
    server.publish(pair);
    const [one, other] = [await createPublishedTenant(), await createRandomTenant(service)];
    trust(one, pair);
    expect(await outcomeOf(one, tokenOf(pair, one.issuerId))).toMatchObject({ status: 302 });
    expect(await outcomeOf(other, tokenOf(pair, other.issuerId))).toStrictEqual(NOT_ACCEPTED);
  });

  it('is fetched again for an unknown kid, at most once in 30 seconds', async () => {
    server = await start();
    const [old, next] = [makeKeyPair('EdDSA', 'old'), makeKeyPair('ES256', 'next')];
    server.publish(old);
    const tenant = await createPublishedTenant();
    trust(tenant, old);
    trust(tenant, next);
    expect(await outcomeOf(tenant, tokenOf(old, tenant.issuerId))).toMatchObject({ status: 302 });
    server.publish(old, next);
    for (let times = 0; times < 5; times += 1) {
      expect(await outcomeOf(tenant, tokenOf(next, tenant.issuerId))).toStrictEqual(NOT_ACCEPTED);
    }
    expect(server.requests()).toBe(1);
    const realNow = performance.now.bind(performance);
    // For the rest of this file, since a monotonic clock does not go back.
    vi.spyOn(performance, 'now').mockImplementation(() => realNow() + 31_000);
    expect(await outcomeOf(tenant, tokenOf(next, tenant.issuerId))).toMatchObject({ status: 302 });
    expect(server.requests()).toBe(2);
  });
});
