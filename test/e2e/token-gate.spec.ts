import { createSecretKey, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparable, problem, sendRaw } from '../support/http.js';
import { createSeedTenant, createTenant, post, SEED, signWith, type Tenant } from '../support/seed.js';
import { startService, type ImageResponse, type Service } from '../support/service.js';
import { mint as mintWith, signSegments, type MintOptions } from '../tokens/token-fixtures.js';

const ACCEPTED_CHAIN = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto', 'w_5'];
const MALFORMED = {
  one: 'The token is malformed: pass exactly one non-empty `token`.',
  long: 'The token is malformed: it is longer than 8192 characters. Sign fewer or shorter steps.',
  compact:
    'The token is malformed: it must be three unpadded base64url segments joined by dots (RFC 7515 §7.1), unchanged.',
  header:
    'The token is malformed: its header must be a JSON object in UTF-8 without repeated names, `crit` or `b64`.',
  algorithm:
    'The token is malformed: its header’s `alg` must be HS256, HS384, HS512, EdDSA, ES256, RS256 or PS256.',
  keyId:
    'The token is malformed: with EdDSA, ES256, RS256 or PS256 its header must have the `kid` of the key.',
  payload:
    'The token is malformed: its payload must be a JSON object in UTF-8, without a byte order mark or repeated names, at most 16 levels deep.',
  time: 'The token is malformed: `exp`, `nbf` and `iat` must be numbers of seconds (not milliseconds) since 1970, from 0 to below 100000000000 (the year 5138), or absent.',
  imageId: 'The token is malformed: `image_id` must be a UUID or a non-empty array of UUIDs, or absent.',
  identifier:
    'The token is malformed: `jti` and `session_id` must be strings of 1 to 255 characters without control characters, or absent.',
} as const;
const NOT_ACCEPTED =
  'The token is not accepted. Sign a new one: `iss` must be your issuer’s id, and the key must be an active key of the issuer, with its algorithm; a secret is used as its text, not base64url-decoded.';
const EXPIRED = 'The token has expired. Sign a new one with a later `exp`.';
const NOT_YET =
  'The token is not valid yet. Wait until its `nbf`, or check the clock of the machine that signed it.';
const AHEAD = 'The token’s `iat` is in the future. Check the clock of the machine that signed it.';

let service: Service;
let tenant: Tenant;
let neighbour: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
  neighbour = await createTenant(service, {
    publicId: 'neighbours_image',
    overlayPublicId: 'neighbours_layer',
  });
});
afterAll(() => service.close());

const keyOf = (secret: string): { secret: ReturnType<typeof createSecretKey> } => ({
  secret: createSecretKey(Buffer.from(secret)),
});
/** Signs anything with the tenant's secret, well-formed or not. */
const mint = (options: MintOptions = {}): string =>
  mintWith({
    payload: { iss: tenant.issuerId, transformations: [{ width: 5 }] },
    key: keyOf(tenant.secret),
    ...options,
  });
const now = (): number => Math.floor(Date.now() / 1000);
const show = (token: string): Promise<ImageResponse> =>
  service.image(`/images/${tenant.imageId}?token=${encodeURIComponent(token)}`);

function expectRefused(response: ImageResponse, detail: string): void {
  expect(response.json()).toStrictEqual(problem(401, 'invalid_token', detail));
  expect(response.status).toBe(401);
  expect(response.headers).toMatchObject({
    'content-type': 'application/problem+json; charset=utf-8',
    'www-authenticate': 'Bearer error="invalid_token"',
    'cache-control': 'no-cache, no-store',
    'access-control-allow-origin': '*',
  });
}

function expectAccepted(response: ImageResponse): void {
  expect({ status: response.status, components: response.shown?.components }).toStrictEqual({
    status: 302,
    components: ACCEPTED_CHAIN,
  });
}

describe('the form of a token', () => {
  it.each<[name: string, query: (good: string) => string, detail: string]>([
    ['repeated', (good) => `token=${good}&token=${good}`, MALFORMED.one],
    ['repeated, once empty', (good) => `token=${good}&token=`, MALFORMED.one],
    ['empty', () => 'token=', MALFORMED.one],
    ['without a value', () => 'token', MALFORMED.one],
    ['two segments', () => 'token=a.b', MALFORMED.compact],
    ['four segments', (good) => `token=${good}.AAAA`, MALFORMED.compact],
    ['with a plus', (good) => `token=${good.slice(0, -1)}%2B`, MALFORMED.compact],
    ['with a raw plus', (good) => `token=${good.slice(0, -1)}+`, MALFORMED.compact],
    ['with a slash', (good) => `token=${good.slice(0, -1)}/`, MALFORMED.compact],
    ['padded', (good) => `token=${good}=`, MALFORMED.compact],
    ['padded, escaped', (good) => `token=${good}%3D`, MALFORMED.compact],
    ['followed by a newline', (good) => `token=${good}%0A`, MALFORMED.compact],
    ['followed by a space', (good) => `token=${good}%20`, MALFORMED.compact],
    ['followed by NUL', (good) => `token=${good}%00`, MALFORMED.compact],
    ['in square brackets', (good) => `token=[${good}]`, MALFORMED.compact],
    ['with a bad escape', (good) => `token=${good}%zz`, MALFORMED.compact],
    ['unsigned', (good) => `token=${good.slice(0, good.lastIndexOf('.') + 1)}`, MALFORMED.compact],
  ])('%s is refused', async (_, query, detail) => {
    expectRefused(await service.image(`/images/${tenant.imageId}?${query(mint())}`), detail);
  });

  it.each([['token[]'], ['token[0]'], ['Token'], ['TOKEN']])(
    'under the name %s is not a token',
    async (name) => {
      const response = await service.image(`/images/${tenant.imageId}?${name}=${mint()}`);
      expect(response.status).toBe(401);
      expect(response.json()).toMatchObject({ code: 'token_required' });
    },
  );

  it('may have at most 8,192 characters', async () => {
    const ofLength = (length: number): string => {
      const [header = '', , mac = ''] = mint().split('.');
      const room = length - header.length - mac.length - 2;
      const payload = { iss: tenant.issuerId, transformations: [{ width: 5 }], filler: '' };
      const filler = Math.floor((room * 3) / 4) - JSON.stringify(payload).length;
      return mint({ payload: { ...payload, filler: 'x'.repeat(filler) } });
    };
    expect([ofLength(8192).length, ofLength(8193).length]).toStrictEqual([8192, 8193]);
    expectAccepted(await show(ofLength(8192)));
    expectRefused(await show(ofLength(8193)), MALFORMED.long);
  });

  it('in a request line over 16 KiB is refused before it is read', async () => {
    const { status, text, body } = await sendRaw(
      service.port,
      `GET /images/${tenant.imageId}?token=${'a'.repeat(16 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    expect(status).toBe(431);
    expect(text).toMatch(/\r\nContent-Type: application\/problem\+json; charset=utf-8\r\n/);
    expect(JSON.parse(body)).toStrictEqual(
      problem(
        431,
        'headers_too_large',
        'The request line and headers are over 16 KiB. Shorten the token or the headers.',
      ),
    );
  });

  it('of 12 KiB, whose request fits, is refused as too long', async () => {
    expectRefused(await service.image(`/images/${SEED.imageId}?token=${'a'.repeat(12_288)}`), MALFORMED.long);
  });
});

describe('the header of a token', () => {
  it.each<[name: string, header: object | string, detail: string]>([
    ['alg none', { alg: 'none' }, MALFORMED.algorithm],
    ['alg None', { alg: 'None' }, MALFORMED.algorithm],
    ['alg hs256', { alg: 'hs256' }, MALFORMED.algorithm],
    ['alg in an array', { alg: ['HS256'] }, MALFORMED.algorithm],
    ['alg RS384', { alg: 'RS384' }, MALFORMED.algorithm],
    ['alg RS256 and no kid', { alg: 'RS256' }, MALFORMED.keyId],
    ['alg RS256 and an unknown kid', { alg: 'RS256', kid: 'x' }, NOT_ACCEPTED],
    ['no alg', {}, MALFORMED.algorithm],
    ['HS384 for an HS256 key', { alg: 'HS384' }, NOT_ACCEPTED],
    ['HS512 for an HS256 key', { alg: 'HS512' }, NOT_ACCEPTED],
    ['an unknown crit', { alg: 'HS256', crit: ['x'], x: 1 }, MALFORMED.header],
    ['b64 false', { alg: 'HS256', b64: false, crit: ['b64'] }, MALFORMED.header],
    ['a repeated alg', '{"alg":"none","alg":"HS256"}', MALFORMED.header],
    ['an array', '[{"alg":"HS256"}]', MALFORMED.header],
    ['a BOM', '\ufeff{"alg":"HS256"}', MALFORMED.header],
  ])('with %s is refused', async (_, header, detail) => {
    for (const algorithm of ['HS256', 'HS384', 'HS512'] as const) {
      expectRefused(await show(mint({ header, algorithm })), detail);
    }
  });

  it.each<[kid: unknown]>([
    ["' OR 1=1"],
    ['../../'],
    ['%00'],
    [''],
    [1],
    [null],
    [['a']],
    [{ $ne: null }],
    [randomUUID()],
    ['https://attacker.example/key'],
  ])('with kid %j is handled as without one', async (kid) => {
    const header = { typ: 'JWT', alg: 'HS256', kid };
    expectAccepted(await show(mint({ header })));
    expectRefused(await show(mint({ header, key: keyOf(neighbour.secret) })), NOT_ACCEPTED);
  });

  it('whose kid is another issuer’s key opens nothing with it', async () => {
    const header = { typ: 'JWT', alg: 'HS256', kid: neighbour.keyId };
    expectAccepted(await show(mint({ header })));
    expectRefused(await show(mint({ header, key: keyOf(neighbour.secret) })), NOT_ACCEPTED);
  });

  it.each([['jku'], ['x5u']])('with a %s is not followed', async (name) => {
    const header = { alg: 'HS256', [name]: `${service.url}/assets/blank.jpg` };
    expectAccepted(await show(mint({ header })));
  });

  it('with a jwk is not signed by it', async () => {
    const secret = createSecretKey(Buffer.from('of an attacker, thirty-two bytes or more'));
    const header = { alg: 'HS256', jwk: secret.export({ format: 'jwk' }) };
    expectRefused(await show(mint({ header, key: { secret } })), NOT_ACCEPTED);
  });
});

describe('the payload of a token', () => {
  const iss = `"iss":"${SEED.issuerId}"`;
  it.each<[name: string, payload: string | Buffer]>([
    ['an array', `[{${iss}}]`],
    ['null', 'null'],
    ['a string', '"x"'],
    ['of a BOM and an object', `\ufeff{${iss}}`],
    ['invalid UTF-8', Buffer.from([...Buffer.from(`{${iss},"x":"`), 0xc3, 0x28, 0x22, 0x7d])],
    ['1,000 deep', `{${iss},"x":${'['.repeat(999)}${']'.repeat(999)}}`],
    ['an object with iss twice', `{${iss},${iss}}`],
    ['an object with iss twice, once escaped', `{${iss},"\\u0069ss":"${randomUUID()}"}`],
    ['an object with transformations twice', `{${iss},"transformations":[],"transformations":[{"width":1}]}`],
    ['a step with width twice', `{${iss},"transformations":[{"width":1,"width":2}]}`],
  ])('that is %s is refused, though well signed', async (_, payload) => {
    expectRefused(await show(mint({ payload })), MALFORMED.payload);
  });

  it.each<[claims: object | string, detail: string]>([
    [{ exp: 'soon' }, MALFORMED.time],
    [{ exp: String(now() + 60) }, MALFORMED.time],
    [{ exp: null }, MALFORMED.time],
    [{ exp: true }, MALFORMED.time],
    [{ exp: -1 }, MALFORMED.time],
    [{ exp: (now() + 60) * 1000 }, MALFORMED.time],
    ['"exp":1e400', MALFORMED.time],
    [{ exp: 0 }, EXPIRED],
    [{ exp: now() - 31 }, EXPIRED],
    [{ nbf: 'soon' }, MALFORMED.time],
    [{ nbf: now() + 600 }, NOT_YET],
    [{ iat: now() + 600 }, AHEAD],
    [{ iat: Date.now() }, MALFORMED.time],
    [{ image_id: null }, MALFORMED.imageId],
    [{ image_id: '' }, MALFORMED.imageId],
    [{ image_id: [] }, MALFORMED.imageId],
    [{ image_id: [SEED.imageId, 'x'] }, MALFORMED.imageId],
    [{ image_id: { id: SEED.imageId } }, MALFORMED.imageId],
    [{ image_id: 'image.jpg' }, MALFORMED.imageId],
    [{ jti: 1 }, MALFORMED.identifier],
    [{ jti: '' }, MALFORMED.identifier],
    [{ session_id: 'a\u0000b' }, MALFORMED.identifier],
  ])('with %j is refused', async (claims, detail) => {
    const payload = typeof claims === 'string' ? `{${iss},${claims}}` : { iss: tenant.issuerId, ...claims };
    expectRefused(await show(mint({ payload })), detail);
  });

  it.each<[name: string, claims: () => object]>([
    ['an exp passed within the leeway', () => ({ exp: now() - 10 })],
    ['an exp in the future', () => ({ exp: now() + 3600 })],
    ['an exp with a fraction', () => ({ exp: now() + 3600.5 })],
    ['an nbf within the leeway', () => ({ nbf: now() + 10 })],
    ['an nbf that has passed', () => ({ nbf: 0 })],
    ['an iat within the leeway', () => ({ iat: now() + 10 })],
    ['an iat long ago', () => ({ iat: 1 })],
    ['a jti and a session', () => ({ jti: 'j-1', session_id: 'Sitzung 😀' })],
    ['claims of other systems', () => ({ sub: 'x', aud: ['y'], admin: true })],
  ])('with %s is accepted', async (_, claims) => {
    const transformations = [{ width: 5 }];
    expectAccepted(await show(mint({ payload: { iss: tenant.issuerId, transformations, ...claims() } })));
  });
});

describe('responses that must not reveal which issuers and keys exist', () => {
  it('are identical in status, headers and body', async () => {
    const disabled = await createTenant(service, { publicId: 'disabled', overlayPublicId: 'disabled_layer' });
    await service.admin('PATCH', `/issuers/${disabled.issuerId}`, { disabled: true });
    const retired = await post<{ id: string; secret: string }>(
      service,
      `/issuers/${tenant.issuerId}/keys`,
      {},
    );
    await service.admin('PATCH', `/issuers/${tenant.issuerId}/keys/${retired.id}`, {
      not_after: '2020-01-01T00:00:00Z',
    });
    const byIss = (iss: unknown): string => mint({ payload: { ...(iss === undefined ? {} : { iss }) } });
    const [input, mac] = [mint().slice(0, -44), mint().slice(-43)];
    const flipped = Buffer.from(mac, 'base64url');
    flipped[5] = (flipped[5] ?? 0) ^ 4;

    const tokens: Record<string, string> = {
      'iss missing': byIss(undefined),
      'iss null': byIss(null),
      'iss a number': byIss(1),
      'iss an array': byIss([tenant.issuerId]),
      'iss an object': byIss({ id: tenant.issuerId }),
      'iss upper-case': byIss(tenant.issuerId.toUpperCase()),
      'iss in braces': byIss(`{${tenant.issuerId}}`),
      'iss unknown': byIss(randomUUID()),
      'iss unknown, expired': mint({ payload: { iss: randomUUID(), exp: 1 } }),
      'another issuer’s key': mint({ key: keyOf(neighbour.secret) }),
      'a disabled issuer': disabled.sign(),
      'a retired key': signWith(retired.secret, { iss: tenant.issuerId }),
      'a bad signature': `${input}.${flipped.toString('base64url')}`,
      'a signature cut to 31 bytes': `${input}.${Buffer.from(mac, 'base64url').subarray(0, 31).toString('base64url')}`,
      'no key at all': mint({ key: { secret: createSecretKey(Buffer.from('x')) } }),
    };
    const responses = await Promise.all(Object.values(tokens).map(show));
    const [first] = responses;
    if (first === undefined) throw new Error('no response');
    expectRefused(first, NOT_ACCEPTED);
    for (const [index, name] of Object.keys(tokens).entries()) {
      const response = responses[index];
      expect({ name, response: response && comparable(response) }).toStrictEqual({
        name,
        response: comparable(first),
      });
    }
  });

  it('include every alternative encoding of a signature', async () => {
    const good = mint();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const alternatives = Array.from(alphabet, (last) => good.slice(0, -1) + last);
    const responses = await Promise.all(alternatives.map(show));
    expect(responses.filter(({ status }) => status === 302)).toHaveLength(1);
    expect(responses.filter(({ status }) => status === 401)).toHaveLength(63);
  });

  it('include a payload that was re-signed with a changed `alg` of the same key', async () => {
    const [header = '', payload = ''] = mint().split('.');
    expectRefused(
      await show(signSegments(`${header}.${payload}`, keyOf(tenant.secret), 'HS512')),
      NOT_ACCEPTED,
    );
  });
});

describe('the keys of an issuer', () => {
  it.each([['HS256'], ['HS384'], ['HS512']] as const)(
    'of %s accept jose’s signatures, and no other algorithm',
    async (algorithm) => {
      const owner = await createTenant(service, {
        publicId: `sealed_by_jose_${algorithm}`,
        overlayPublicId: `layer_of_jose_${algorithm}`,
      });
      const secret = `${algorithm} `.trim().padEnd(64, 'k');
      const key = await post<{ id: string }>(service, `/issuers/${owner.issuerId}/keys`, {
        secret,
        algorithm,
      });
      const path = `/images/${owner.imageId}?token=`;
      const claims = { transformations: [{ width: 5, overlay: owner.overlayId }], sharinpix: {} };
      const seal = (alg: string, header = {}): Promise<string> =>
        new SignJWT(claims)
          .setProtectedHeader({ alg, ...header })
          .setIssuer(owner.issuerId)
          .setIssuedAt()
          .setExpirationTime('5m')
          .setJti(randomUUID())
          .sign(new TextEncoder().encode(secret));
      for (const header of [{}, { typ: 'JWT' }, { kid: key.id }]) {
        const response = await service.image(path + (await seal(algorithm, header)));
        expect(response.shown?.components.at(-1)).toBe(`l_private:layer_of_jose_${algorithm},w_5`);
      }
      for (const other of ['HS256', 'HS384', 'HS512'].filter((name) => name !== algorithm)) {
        expectRefused(await service.image(path + (await seal(other))), NOT_ACCEPTED);
      }
    },
  );

  it('are active together during a rotation; a revoked one is refused at once', async () => {
    const owner = await createTenant(service, { publicId: 'rotating', overlayPublicId: 'rotating_layer' });
    const second = await post<{ id: string; secret: string }>(service, `/issuers/${owner.issuerId}/keys`, {});
    const [byFirst, bySecond] = [owner.sign(), signWith(second.secret, { iss: owner.issuerId })];
    const statusOf = async (token: string): Promise<number> =>
      (await service.image(`/images/${owner.imageId}?token=${token}`)).status;

    expect([await statusOf(byFirst), await statusOf(bySecond)]).toStrictEqual([302, 302]);
    const revoked = await service.admin('DELETE', `/issuers/${owner.issuerId}/keys/${owner.keyId}`);
    expect(revoked.status).toBe(204);
    expect([await statusOf(byFirst), await statusOf(bySecond)]).toStrictEqual([401, 302]);
    await service.admin('DELETE', `/issuers/${owner.issuerId}/keys/${second.id}`);
    expect([await statusOf(byFirst), await statusOf(bySecond)]).toStrictEqual([401, 401]);
  });

  it.each<[name: string, times: object, status: number]>([
    ['not_after in the past', { not_after: '2020-01-01T00:00:00Z' }, 401],
    ['not_after in the future', { not_after: '2200-01-01T00:00:00+02:00' }, 302],
    ['not_before in the future', { not_before: '2200-01-01T00:00:00Z' }, 401],
    ['not_before in the past', { not_before: '2020-01-01T00:00:00Z' }, 302],
    ['neither', {}, 302],
  ])('are active in their times: %s, set on create and changed later', async (name, times, status) => {
    const owner = await createTenant(service, {
      publicId: `times ${name}`,
      overlayPublicId: `times layer ${name}`,
    });
    const created = await post<{ id: string; secret: string }>(
      service,
      `/issuers/${owner.issuerId}/keys`,
      times,
    );
    const byCreated = signWith(created.secret, { iss: owner.issuerId });
    const byFirst = owner.sign();
    const statusOf = async (token: string): Promise<number> =>
      (await service.image(`/images/${owner.imageId}?token=${token}`)).status;

    expect([await statusOf(byCreated), await statusOf(byFirst)]).toStrictEqual([status, 302]);
    const changed = await service.admin('PATCH', `/issuers/${owner.issuerId}/keys/${owner.keyId}`, times);
    expect(changed.status).toBe(200);
    expect(await statusOf(byFirst)).toBe(status);
    const unbounded = { not_before: null, not_after: null };
    await service.admin('PATCH', `/issuers/${owner.issuerId}/keys/${owner.keyId}`, unbounded);
    expect(await statusOf(byFirst)).toBe(302);
  });
});

describe('a valid token', () => {
  it('with any one byte changed is refused', async () => {
    const good = mint();
    // The next letter changes one bit, including the unused bits at a segment's end.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const beside = (character: string): string => alphabet[alphabet.indexOf(character) ^ 1] ?? 'A';
    for (const [index, character] of Array.from(good).entries()) {
      const others = [beside(character), character === 'A' ? 'B' : 'A', '.', '=', '\u0000', '\u00e9'];
      const variants = others
        .filter((other) => other !== character)
        .map((other) => good.slice(0, index) + other + good.slice(index + 1));
      const responses = await Promise.all(variants.map(show));
      expect(responses.filter(({ status }) => status !== 401)).toStrictEqual([]);
    }
  });

  it('truncated anywhere is refused', async () => {
    const good = mint();
    const responses = await Promise.all(Array.from(good, (_, index) => show(good.slice(0, index))));
    expect(responses.filter(({ status }) => status !== 401)).toStrictEqual([]);
  });
});
