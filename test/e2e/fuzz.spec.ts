import { createSecretKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type HmacAlgorithm, PUBLIC_KEY_ALGORITHMS } from '../../src/tokens/signing-key.js';
import { startAccountHost } from '../support/account-host.js';
import { request } from '../support/http.js';
import { createRandomTenant, createTenant, post, SEED, type Tenant } from '../support/seed.js';
import { parseImageRequest, startService, type Service } from '../support/service.js';
import { acceptedSteps, withAbsentValues } from '../support/steps.arbitrary.js';
import { type KeyPair, makeKeyPair, signWithKey } from '../tokens/public-key-fixtures.js';
import { mint } from '../tokens/token-fixtures.js';

const RUNS = Number(process.env['PIXSEAL_FUZZ_RUNS'] ?? 3_000);
/** Requests in flight at once; each run of the property is one such batch. */
const BATCH = 20;
/** Token checks and the mapper are the same on both databases: the full number of runs is on one. */
const BATCHES = Math.ceil(RUNS / BATCH / (inject('database').kind === 'embedded' ? 1 : 10));
/** The only statuses that the service may return for such a request; 5xx is not among them. */
const STATUSES = new Set([200, 302, 400, 401, 403, 404, 410, 422, 431]);

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
/** Private keys that are not the issuer's. */
const ATTACKERS = {
  EdDSA: generateKeyPairSync('ed25519').privateKey,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  RS256: rsa,
  PS256: rsa,
};

const agent = new Agent({ keepAlive: true, maxSockets: BATCH });
let service: Service;
let tenant: Tenant;
let publicImage: Tenant;
let uploadedId: string;

beforeAll(async () => {
  service = await startService();
  tenant = await createTenant(service, SEED);
  publicImage = await createTenant(service, {
    publicId: 'seen_by_all',
    overlayPublicId: 'of_others',
    access: 'public',
  });
  const uploaded = await post<{ id: string }>(service, '/overlays', {
    issuer_id: tenant.issuerId,
    public_id: 'placeholder',
    delivery_type: 'upload',
  });
  uploadedId = uploaded.id;
});
afterAll(async () => {
  agent.destroy();
  await service.close();
});

/** One request, as plain data so that a counterexample can be read. */
interface Fuzzed {
  readonly method: 'GET' | 'HEAD';
  readonly path: string;
}

function arbitraries(): fc.Arbitrary<Fuzzed> {
  const character = fc.constantFrom(...Array.from('ABCXYZabcxyz0189-_.=+/% \0"{},:$\u00e9'));
  const base64url = fc.stringMatching(/^[\w-]{0,80}$/);
  const json = fc.jsonValue({ maxDepth: 3 });
  const key = fc.constantFrom(
    ...[
      'width',
      'height',
      'crop',
      'overlay',
      'underlay',
      'flags',
      'effect',
      'transformation',
      'default_image',
    ],
    ...['raw_transformation', 'if', '$x', 'variables', 'secure_distribution', 'cname', 'type', '__proto__'],
    ...['widht', 'Crop', 'overlays', 'fetchFormat', 'presets'],
    ...['gravity', 'x', 'color', 'border', 'radius', 'page', 'quality', 'prefix', 'size', 'angle', 'miaim'],
  );
  const hostile = fc.oneof(
    json,
    fc.integer(),
    fc.double(),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom(
      ...[
        '100,l_x',
        'fill/l_secret',
        'fetch:aHR0cA==',
        'video:x',
        'authenticated:x',
        '$(x)',
        'text:a:b%2Cl_x',
      ],
      ...[
        '％2C',
        '%2C',
        'sepia:50',
        'text:style:a',
        '#fff',
        'auto',
        'fit',
        '16:9',
        'w_mul_2',
        'iw * 2',
        'tiled',
      ],
      ...[tenant.overlayId, publicImage.overlayId, tenant.imageId, uploadedId],
    ),
  );
  const accepted = acceptedSteps({ overlayIds: [tenant.overlayId], uploadedIds: [uploadedId] });
  const steps = fc.oneof(
    { weight: 4, arbitrary: accepted },
    { weight: 2, arbitrary: withAbsentValues(accepted) },
    { weight: 4, arbitrary: fc.array(fc.dictionary(key, hostile, { maxKeys: 4 }), { maxLength: 4 }) },
    { weight: 1, arbitrary: json },
  );
  const imageId = fc.constantFrom(tenant.imageId, publicImage.imageId, tenant.overlayId, 'image.jpg');
  /** A member that is usually absent, and otherwise usually valid. */
  const rarely = (likely: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof(
      { weight: 12, arbitrary: fc.constant(undefined) },
      { weight: 3, arbitrary: likely },
      { weight: 1, arbitrary: json },
    );
  const claims = fc
    .record({
      transformations: steps,
      sharinpix: rarely(fc.record({ download: fc.boolean(), original: fc.boolean() }, { requiredKeys: [] })),
      image_id: rarely(fc.oneof(fc.constant(tenant.imageId), imageId, fc.array(imageId, { maxLength: 3 }))),
      exp: rarely(fc.constantFrom<unknown>(0, 1e10, 4e9, 1e12, 1e400)),
      iat: rarely(fc.constantFrom<unknown>(0, 1e9, 1e10)),
      jti: rarely(fc.string()),
      max_uses: rarely(fc.integer({ min: -1, max: 1_001 })),
      bind_ip: rarely(fc.oneof(fc.ipV4(), fc.ipV6(), fc.array(fc.ipV4Extended(), { maxLength: 3 }))),
      id: rarely(imageId),
      // Near names, registered ones, and any other.
      more: rarely(
        fc.dictionary(
          fc.oneof(
            fc.constantFrom('imageId', 'transformation', 'epx', 'width', 'exi', '__proto__'),
            fc.string(),
          ),
          fc.oneof(json, imageId),
          { maxKeys: 2 },
        ),
      ),
    })
    .map(({ more, ...rest }) => ({ ...(more as object | undefined), ...rest }));
  const iss = fc.oneof(
    { weight: 8, arbitrary: fc.constant<unknown>(tenant.issuerId) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(publicImage.issuerId, randomUUID()) },
    { weight: 1, arbitrary: json },
  );
  const secret = createSecretKey(Buffer.from(tenant.secret));
  // A pool: generating an accepted chain costs more than requesting it.
  const good = fc.constantFrom(
    ...fc
      .sample(steps, Math.max(200, Math.ceil(RUNS / 100)))
      .map((transformations) =>
        mint({ payload: { iss: tenant.issuerId, transformations }, key: { secret } }),
      ),
  );
  const signed = fc
    .tuple(iss, claims, fc.constantFrom('', '', '.0', '.00', 'e0', '.0E-1'))
    .map(([issuer, rest, point]) => {
      // Integers as floats are written by Ruby, Python and Java, and rarer forms.
      const text = JSON.stringify({ iss: issuer, ...rest });
      const payload = text.replace(/(?<=[:[,])-?\d+(?=[,\]}])/g, (number) => number + point);
      return mint({ payload, key: { secret } });
    });
  /** The secret's own signature on a text with some characters changed. */
  const signedText = fc.tuple(claims, fc.nat(), character).map(([rest, place, replacement]) => {
    const text = JSON.stringify({ iss: tenant.issuerId, ...rest });
    const at = place % text.length;
    return mint({ payload: text.slice(0, at) + replacement + text.slice(at + 1), key: { secret } });
  });
  const header = fc
    .record(
      {
        typ: json,
        alg: fc.constantFrom('HS256', 'HS384', 'none', 'RS256', '', null),
        kid: fc.oneof(fc.constantFrom(tenant.keyId, publicImage.keyId, '../../', "' OR 1=1"), json),
        crit: json,
        b64: fc.boolean(),
        jku: fc.webUrl(),
      },
      { requiredKeys: ['alg'] },
    )
    .map((fields) => mint({ header: fields, payload: { iss: tenant.issuerId }, key: { secret } }));
  const mutated = fc
    .tuple(good, fc.nat(), fc.nat({ max: 3 }), fc.oneof(character, base64url))
    .map(([token, place, cut, put]) => {
      const at = place % (token.length + 1);
      return token.slice(0, at) + put + token.slice(at + cut);
    });
  const spliced = fc.tuple(good, good, fc.nat({ max: 7 })).map(([one, two, mask]) => {
    const [first, second] = [one.split('.'), two.split('.')];
    return first.map((segment, index) => ((mask >> index) & 1 ? second[index] : segment)).join('.');
  });
  const truncated = fc
    .tuple(good, fc.nat())
    .map(([token, length]) => token.slice(0, length % (token.length + 1)));
  const token = fc.oneof(
    { weight: 8, arbitrary: good },
    { weight: 4, arbitrary: signed },
    { weight: 3, arbitrary: signedText },
    { weight: 2, arbitrary: header },
    { weight: 5, arbitrary: mutated },
    { weight: 2, arbitrary: spliced },
    { weight: 3, arbitrary: truncated },
    { weight: 2, arbitrary: fc.tuple(base64url, base64url, base64url).map((parts) => parts.join('.')) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  );
  const escape = (text: string): string => encodeURIComponent(text.toWellFormed());
  const name = fc.oneof(
    { weight: 20, arbitrary: fc.constant('token') },
    { weight: 1, arbitrary: fc.constantFrom('Token', 'token[]', 'token%00', 'tok%65n', 'width') },
  );
  const parameterized = fc
    .tuple(name, token, fc.boolean())
    .map(([as, value, raw]) => `${as}=${raw && /^[\w.-]*$/.test(value) ? value : escape(value)}`);
  // An object whose own `toString` is not a function cannot be converted.
  const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  const parameter = fc
    .tuple(
      fc.oneof(fc.constantFrom('width', 'height', 'crop'), fc.string({ maxLength: 8 })),
      fc.oneof(hostile.map(asText), fc.nat({ max: 5000 }).map(String), fc.constantFrom('fit', 'fill')),
    )
    .map(([as, value]) => `${escape(as)}=${escape(value)}`);
  const query = fc.oneof(
    { weight: 12, arbitrary: parameterized },
    { weight: 2, arbitrary: fc.tuple(parameterized, parameter).map((parts) => parts.join('&')) },
    { weight: 1, arbitrary: fc.tuple(parameterized, parameterized).map((parts) => parts.join('&')) },
    { weight: 2, arbitrary: fc.array(parameter, { maxLength: 3 }).map((parts) => parts.join('&')) },
    {
      weight: 1,
      arbitrary: fc
        .string({ maxLength: 30 })
        .map((text) => encodeURI(text.toWellFormed()).replaceAll('#', '')),
    },
  );
  const id = fc.oneof(
    { weight: 12, arbitrary: fc.constant(tenant.imageId) },
    { weight: 3, arbitrary: fc.constant(publicImage.imageId) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ...['image.jpg', '%00', '..%2f', '%252e', '%zz', tenant.overlayId, tenant.imageId.toUpperCase()],
      ),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map(escape) },
  );
  const suffix = fc.oneof(
    { weight: 12, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constant('/explain') },
  );
  return fc
    .tuple(fc.constantFrom<Fuzzed['method']>('GET', 'GET', 'GET', 'GET', 'HEAD'), id, suffix, query)
    .map(([method, pathId, more, search]) => ({ method, path: `/images/${pathId}${more}?${search}` }));
}

/** Statuses of the whole run: a fuzzer whose requests all fail, or all succeed, shows little. */
const seen = new Map<number, number>();

async function check({ method, path }: Fuzzed): Promise<void> {
  const response = await request({ port: service.port, path, method, agent });
  const { status, headers } = response;
  seen.set(status, (seen.get(status) ?? 0) + 1);
  if (!STATUSES.has(status)) throw new Error(`unexpected status ${status}: ${response.text}`);
  if ((status === 302) !== (headers.location !== undefined))
    throw new Error(`${status} with a wrong Location`);
  if (status >= 400 && headers['content-type'] !== 'application/problem+json; charset=utf-8') {
    throw new Error(`${status} is not problem+json`);
  }
  const locations =
    status === 200 && method === 'GET'
      ? (Object.values(response.json() as Record<string, unknown>).filter(
          (value) => typeof value === 'string' && value.includes('res.cloudinary.com'),
        ) as string[])
      : headers.location === undefined
        ? []
        : [headers.location];
  if (status === 200 && method === 'GET' && locations.length !== 2) throw new Error('no explanation');
  const { pathId, token } = locations.length === 0 ? { pathId: '' } : parseImageRequest(path);
  for (const location of locations) service.assertAllowed(location, pathId, token);
}

it(`${BATCHES * BATCH} random, mutated and truncated tokens and queries get no 5xx and no Location that is not allowed`, async () => {
  const started = performance.now();
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraries(), { minLength: BATCH, maxLength: BATCH }), async (batch) => {
      await Promise.all(batch.map(check));
    }),
    { numRuns: BATCHES, endOnFailure: false, interruptAfterTimeLimit: 3_000_000 },
  );
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const statuses = [...seen].sort(([one], [two]) => one - two).map((entry) => entry.join(': '));
  process.stdout.write(`fuzz: ${BATCHES * BATCH} requests in ${seconds} s; ${statuses.join(', ')}\n`);
  const share = (status: number): number => (seen.get(status) ?? 0) / (BATCHES * BATCH);
  for (const status of [302, 401, 422]) expect(share(status)).toBeGreaterThan(0.03);
  expect(share(401)).toBeLessThan(0.9);
}, 3_600_000);

/** What an attacker knows of a key of an issuer: everything but its private half. */
interface Known {
  readonly pair: KeyPair;
  /** Of another issuer. */
  readonly foreign: KeyPair;
}

/** A token that its key did not sign, as plain data. */
function forgeries({ pair, foreign }: Known, payload: object): fc.Arbitrary<string> {
  const own = makeKeyPair(pair.algorithm, pair.id, ATTACKERS[pair.algorithm]);
  const jwk = own.publicKey.export({ format: 'jwk' });
  const good = signWithKey(pair, { payload });
  const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.');
  const json = fc.jsonValue({ maxDepth: 2 });
  const header = fc.record(
    {
      typ: fc.constantFrom('JWT', 'jwt', 'at+jwt', 'JWE'),
      alg: fc.constantFrom<unknown>(
        ...['none', 'None', '', 'EdDSA', 'Ed25519', 'ES256', 'es256', 'ES384', 'RS256', 'PS256', 'HS256'],
        ...['HS384', 'HS512', null, ['EdDSA'], {}],
      ),
      kid: fc.oneof(
        fc.constantFrom<unknown>(
          pair.id,
          foreign.id,
          pair.id.toUpperCase(),
          ` ${pair.id}`,
          '../../',
          "' OR 1=1",
        ),
        json,
      ),
      crit: fc.oneof(fc.constantFrom<unknown>([], ['b64'], ['exp']), json),
      b64: fc.boolean(),
      jwk: fc.constant({ ...jwk, kid: pair.id }),
      jku: fc.constantFrom('https://attacker.example/jwks.json', 'http://127.0.0.1/'),
      x5c: fc.constant([own.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')]),
      x5u: fc.webUrl(),
    },
    { requiredKeys: ['alg', 'kid'] },
  );
  /** HMAC by every text that a confused verifier may take for its secret. */
  const confused = fc
    .tuple(
      header,
      fc.constantFrom<HmacAlgorithm>('HS256', 'HS384', 'HS512'),
      fc.constantFrom<string | Buffer>(
        pair.pem,
        pair.pem.trim(),
        pair.pem.split('\n').slice(1, -2).join(''),
        pair.publicKey.export({ type: 'spki', format: 'der' }),
        JSON.stringify(pair.publicKey.export({ format: 'jwk' })),
        String(pair.publicKey.export({ format: 'jwk' }).x ?? pair.publicKey.export({ format: 'jwk' }).n),
        pair.id,
      ),
    )
    .map(([fields, algorithm, secret]) =>
      mint({
        header: { ...fields, alg: algorithm },
        payload,
        key: { secret: createSecretKey(Buffer.from(secret)) },
        algorithm,
      }),
    );
  const signedByAttacker = header.map((fields) => signWithKey(own, { header: fields, payload }));
  const signedByForeign = header.map((fields) => signWithKey(foreign, { header: fields, payload }));
  /** The key's own signature under another header or payload. */
  const moved = fc
    .tuple(header, fc.constantFrom(payload, { ...payload, exp: 4e9 }))
    .map(([fields, claims]) => {
      const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
      return [encode(fields), encode(claims), goodSignature].join('.');
    })
    .filter((token) => !token.startsWith(`${goodHeader}.${goodPayload}.`));
  const mutated = fc
    .tuple(fc.nat(), fc.nat({ max: 3 }), fc.stringMatching(/^[\w=+/ -]{0,4}$/))
    .map(([place, cut, put]) => {
      const at = place % good.length;
      return good.slice(0, at) + put + good.slice(at + cut);
    })
    .filter((token) => token !== good);
  const unsigned = fc
    .constantFrom(
      '',
      'A',
      'AA',
      'AAAA',
      Buffer.alloc(64).toString('base64url'),
      Buffer.alloc(256, 1).toString('base64url'),
    )
    .map((signature) => `${goodHeader}.${goodPayload}.${signature}`);
  const other =
    pair.algorithm === 'ES256' ? [fc.constant(signWithKey(pair, { payload, encoding: 'der' }))] : [];
  return fc.oneof(confused, signedByAttacker, signedByForeign, moved, mutated, unsigned, ...other);
}

it.each(PUBLIC_KEY_ALGORITHMS)(
  'no forgery of a token of %s opens a proxied image',
  async (algorithm) => {
    const host = await startAccountHost();
    const proxy = await startService({
      DELIVERY_MODE: 'cloudinary',
      PROXY: 'on',
      PROXY_UPSTREAM: host.origin,
    });
    try {
      const [own, other] = [await createRandomTenant(proxy), await createRandomTenant(proxy)];
      const register = async ({ issuerId }: Tenant, pair: KeyPair): Promise<KeyPair> => {
        await proxy.admin('PATCH', `/issuers/${issuerId}`, { policy: { delivery: 'proxy' } });
        const body = { algorithm, public_key: pair.pem };
        return { ...pair, id: (await post<{ id: string }>(proxy, `/issuers/${issuerId}/keys`, body)).id };
      };
      const known = {
        pair: await register(own, makeKeyPair(algorithm)),
        foreign: await register(other, makeKeyPair(algorithm, 'foreign', ATTACKERS[algorithm])),
      };
      const payload = { iss: own.issuerId, transformations: [{ width: 5 }] };
      const open = (token: string): Promise<{ status: number }> =>
        request({
          port: proxy.port,
          path: `/images/${own.imageId}?token=${encodeURIComponent(token)}`,
          agent,
        });
      // The image is cached, so that only the token is in the way.
      expect((await open(signWithKey(known.pair, { payload }))).status).toBe(200);
      expect((await open(signWithKey(known.pair, { payload }))).status).toBe(200);
      const fetches = host.requests.length;
      await fc.assert(
        fc.asyncProperty(
          fc.array(forgeries(known, payload), { minLength: BATCH, maxLength: BATCH }),
          async (batch) => {
            const statuses = await Promise.all(batch.map(async (token) => (await open(token)).status));
            expect(statuses).toStrictEqual(batch.map(() => 401));
          },
        ),
        { numRuns: Math.ceil(BATCHES / 5), endOnFailure: false },
      );
      expect((await open(signWithKey(known.pair, { payload }))).status).toBe(200);
      expect(host.requests).toHaveLength(fetches);
    } finally {
      await proxy.close();
      await host.close();
    }
  },
  600_000,
);
