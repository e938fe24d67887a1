import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AccountHost, type ReceivedView, startAccountHost, view } from '../support/account-host.js';
import { comparable, request, type HttpResponse } from '../support/http.js';
import { createRandomTenant, createTenant, signWith, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';
import { type KeyPair, makeKeyPair, signWithKey } from '../tokens/public-key-fixtures.js';

let service: Service;
let a: Tenant;
let b: Tenant;
type Ids = Readonly<Record<'imageId' | 'overlayId' | 'keyId' | 'issuerId', string>>;
/** Unknown ids: the response for a foreign row must be the same. */
const UNKNOWN: Ids = {
  imageId: randomUUID(),
  overlayId: randomUUID(),
  keyId: randomUUID(),
  issuerId: randomUUID(),
};

beforeAll(async () => {
  service = await startService();
  a = await createTenant(service, { publicId: 'image_of_a', overlayPublicId: 'layer_of_a' });
  b = await createTenant(service, { publicId: 'image_of_b', overlayPublicId: 'layer_of_b' });
  // Both are cached: one tenant's rows are in the caches when the other requests them.
  for (const each of [a, b]) {
    expect((await service.image(each.steps({ overlay: each.overlayId }))).status).toBe(302);
  }
});
afterAll(() => service.close());

/** Routes by which a token could reach another tenant's rows: each is requested with rows of B and with unknown ids. */
const REACHES: readonly (readonly [
  name: string,
  reach: (own: Tenant, other: Ids) => [id: string, token: string],
])[] = [
  ['the image in the path', (own, other) => [other.imageId, own.sign()]],
  ['the image in upper case', (own, other) => [other.imageId.toUpperCase(), own.sign()]],
  ['the image in the claim', (own, other) => [own.imageId, own.sign({ image_id: other.imageId })]],
  [
    'the image in the claim’s list',
    (own, other) => [other.imageId, own.sign({ image_id: [own.imageId, other.imageId] })],
  ],
  [
    'the image as an overlay',
    (own, other) => [own.imageId, own.sign({ transformations: [{ overlay: other.imageId }] })],
  ],
  [
    'the overlay',
    (own, other) => [own.imageId, own.sign({ transformations: [{ overlay: other.overlayId }] })],
  ],
  [
    'the overlay in upper case',
    (own, other) => [
      own.imageId,
      own.sign({ transformations: [{ overlay: other.overlayId.toUpperCase() }] }),
    ],
  ],
  [
    'the overlay beside the tenant’s own',
    (own, other) => [
      own.imageId,
      own.sign({ transformations: [{ overlay: own.overlayId }, { overlay: other.overlayId }] }),
    ],
  ],
  [
    'the overlay as an underlay',
    (own, other) => [own.imageId, own.sign({ transformations: [{ underlay: other.overlayId }] })],
  ],
  [
    'the overlay as a default image',
    (own, other) => [own.imageId, own.sign({ transformations: [{ default_image: other.overlayId }] })],
  ],
  ['the overlay as the image', (own, other) => [other.overlayId, own.sign()]],
  [
    'the issuer, in the token’s iss',
    (own, other) => [own.imageId, signWith(own.secret, { iss: other.issuerId })],
  ],
  [
    'the issuer and its image',
    (own, other) => [other.imageId, signWith(own.secret, { iss: other.issuerId, image_id: other.imageId })],
  ],
];

type Route = (id: string, token: string) => Promise<HttpResponse>;
const ROUTES: readonly (readonly [name: string, sendRequest: Route])[] = [
  ['GET', (id, token) => service.image(`/images/${id}?token=${token}`)],
  ['HEAD', (id, token) => service.image(`/images/${id}?token=${token}`, { method: 'HEAD' })],
  ['explain', (id, token) => service.image(`/images/${id}/explain?token=${token}`)],
];

const DIRECTIONS = [
  ['A for B’s', () => [a, b]],
  ['B for A’s', () => [b, a]],
] as const satisfies readonly (readonly [string, () => readonly [Tenant, Tenant]])[];

describe.each(DIRECTIONS)('a token with %s rows', (_, tenants) => {
  it.each(
    ROUTES.flatMap(([route, sendRequest]) =>
      REACHES.map(([name, reach]) => ({ route, sendRequest, name, reach })),
    ),
  )('gets by $route for $name the response for unknown ids', async ({ sendRequest, reach }) => {
    const [own, other] = tenants();
    const [foreign, nobodys] = [
      await sendRequest(...reach(own, other)),
      await sendRequest(...reach(own, UNKNOWN)),
    ];
    expect(foreign.status).toBeGreaterThanOrEqual(400);
    expect(foreign.status).toBeLessThan(500);
    expect(comparable(foreign)).toStrictEqual(comparable(nobodys));
    expect(foreign.text).not.toMatch(/(image|layer)_of_/);
  });

  it('gets by deliveries for each the response for unknown ids', async () => {
    const [own, other] = tenants();
    const deliver = async (ids: Ids): Promise<{ image_id: unknown; problem: unknown }[]> => {
      const deliveries = REACHES.map(([, reach]) => reach(own, ids)).map(([image_id, token]) => ({
        image_id,
        token,
      }));
      const response = await request({
        port: service.port,
        path: '/deliveries',
        method: 'POST',
        body: { deliveries },
      });
      return (response.json() as { deliveries: { image_id: unknown; problem: unknown }[] }).deliveries;
    };
    const [foreign, nobodys] = [await deliver(other), await deliver(UNKNOWN)];
    expect(foreign).toHaveLength(REACHES.length);
    expect(foreign.every(({ problem }) => typeof problem === 'object')).toBe(true);
    expect(foreign.map(({ problem }) => problem)).toStrictEqual(nobodys.map(({ problem }) => problem));
  });

  it('does not open what the other’s opens in the same request', async () => {
    const [own, other] = tenants();
    const response = await request({
      port: service.port,
      path: '/deliveries',
      method: 'POST',
      body: {
        deliveries: [
          { image_id: other.imageId, token: other.sign({ transformations: [{ overlay: other.overlayId }] }) },
          { image_id: other.imageId, token: own.sign() },
          { image_id: own.imageId, token: own.sign({ transformations: [{ overlay: other.overlayId }] }) },
        ],
      },
    });
    const { deliveries } = response.json() as {
      deliveries: { url?: string; problem?: { code: string } }[];
    };
    expect(deliveries.map(({ url, problem }) => (url === undefined ? problem?.code : 'shown'))).toStrictEqual(
      ['shown', 'image_not_found', 'overlay_not_found'],
    );
    const token = other.sign({ transformations: [{ overlay: other.overlayId }] });
    service.assertAllowed(deliveries[0]?.url ?? '', other.imageId, token);
  });
});

describe('two tenants of proxied images', () => {
  let host: AccountHost;
  let proxy: Service;
  let own: Tenant;
  let other: Tenant;
  /** The bytes of each image are its URL. */
  const bytesOf = (url: string): Buffer => Buffer.from(`image of ${url}`);
  const views = (path: string): Promise<ReceivedView> => view(proxy.port, path);
  const codeOf = ({ status, body }: ReceivedView): unknown => [
    status,
    (JSON.parse(body.toString()) as { code: string }).code,
  ];

  beforeAll(async () => {
    host = await startAccountHost();
    host.answer(({ url = '' }, response) => {
      const bytes = bytesOf(url);
      response.writeHead(200, { 'Content-Type': 'image/png', 'Content-Length': bytes.length }).end(bytes);
    });
    proxy = await startService({ DELIVERY_MODE: 'cloudinary', PROXY: 'on', PROXY_UPSTREAM: host.origin });
  });
  afterAll(async () => {
    await proxy.close();
    await host.close();
  });
  beforeEach(async () => {
    [own, other] = [await createRandomTenant(proxy), await createRandomTenant(proxy)];
    for (const { issuerId } of [own, other]) await setPolicy(issuerId, {});
  });

  async function setPolicy(issuerId: string, policy: object): Promise<void> {
    const changed = { policy: { delivery: 'proxy', ...policy } };
    expect((await proxy.admin('PATCH', `/issuers/${issuerId}`, changed)).status).toBe(200);
  }

  it('share no cached image: a token gets the response for unknown ids, and its own chain its own bytes', async () => {
    const [shown] = [await views(own.path()), await views(own.path())];
    expect(shown.status).toBe(200);
    const before = host.requests.length;
    for (const sign of [
      (ids: Ids) => `/images/${ids.imageId}?token=${other.sign()}`,
      (ids: Ids) => `/images/${other.imageId}?token=${other.sign({ image_id: ids.imageId })}`,
      (ids: Ids) => `/images/${ids.imageId}?token=${signWith(other.secret, { iss: ids.issuerId })}`,
    ]) {
      const [foreign, unknown] = [await proxy.image(sign(own)), await proxy.image(sign(UNKNOWN))];
      expect(foreign.status).toBeGreaterThanOrEqual(400);
      expect(comparable(foreign)).toStrictEqual(comparable(unknown));
    }
    expect(host.requests).toHaveLength(before);
    const theirs = await views(other.path());
    expect(theirs.body.equals(bytesOf(host.requests.at(-1)?.url ?? ''))).toBe(true);
    expect(theirs.body.equals(shown.body)).toBe(false);
    expect(host.requests).toHaveLength(before + 1);
  });

  it('share no uses: the same jti is counted for each', async () => {
    const claims = { jti: 'one', max_uses: 1, exp: Math.floor(Date.now() / 1000) + 600 };
    const path = (of: Tenant): string => of.path(claims);
    expect((await views(path(own))).status).toBe(200);
    expect(codeOf(await views(path(own)))).toStrictEqual([401, 'invalid_token']);
    expect((await views(path(other))).status).toBe(200);
    expect(codeOf(await views(path(other)))).toStrictEqual([401, 'invalid_token']);
  });

  it('share no budget of new pictures', async () => {
    for (const { issuerId } of [own, other]) await setPolicy(issuerId, { new_pictures_per_day: 1 });
    const path = (of: Tenant, width: number): string => of.path({ transformations: [{ width }] });
    expect((await views(path(own, 1))).status).toBe(200);
    expect(codeOf(await views(path(own, 2)))).toStrictEqual([429, 'picture_budget_spent']);
    expect((await views(path(other, 1))).status).toBe(200);
    expect((await views(path(own, 1))).status).toBe(200);
  });

  it('share no alias and no public key: either is as one that does not exist', async () => {
    const alias = `https://${own.issuerId}.idp.example/`;
    expect(
      (await proxy.admin('PATCH', `/issuers/${own.issuerId}`, { iss_aliases: [alias], aud: 'pixseal' }))
        .status,
    ).toBe(200);
    const pair = makeKeyPair('EdDSA');
    const register = async ({ issuerId }: Tenant): Promise<KeyPair> => {
      const body = { algorithm: 'EdDSA', public_key: pair.pem };
      const response = await proxy.admin('POST', `/issuers/${issuerId}/keys`, body);
      expect(response.status).toBe(201);
      return { ...pair, id: (response.json() as { id: string }).id };
    };
    const key = await register(own);
    const pathOf = (imageId: string, iss: string, kid = key.id): string =>
      `/images/${imageId}?token=${signWithKey({ ...pair, id: kid }, { payload: { iss, aud: 'pixseal' } })}`;
    expect((await views(pathOf(own.imageId, alias))).status).toBe(200);
    const refused = comparable(await proxy.image(pathOf(other.imageId, UNKNOWN.issuerId)));
    // The key of one is no key of the other, and the alias leads to no image of the other.
    expect(comparable(await proxy.image(pathOf(other.imageId, other.issuerId)))).toStrictEqual(refused);
    expect(codeOf(await views(pathOf(other.imageId, alias)))).toStrictEqual([404, 'image_not_found']);
    // The other's secret opens nothing by the alias.
    const forged = `/images/${own.imageId}?token=${signWith(other.secret, { iss: alias, aud: 'pixseal' })}`;
    expect(comparable(await proxy.image(forged))).toStrictEqual(refused);
    // The same key pair of both: the kid decides for whom.
    const twin = await register(other);
    expect((await views(pathOf(other.imageId, other.issuerId, twin.id))).status).toBe(200);
    expect(comparable(await proxy.image(pathOf(other.imageId, other.issuerId)))).toStrictEqual(refused);
  });
});

describe('an issuer of the admin API', () => {
  it('cannot change or revoke another’s key', async () => {
    for (const [method, body] of [
      ['PATCH', { not_after: '2020-01-01T00:00:00Z' }],
      ['DELETE', undefined],
    ] as const) {
      const sendRequest = (key: string): Promise<HttpResponse> =>
        service.admin(method, `/issuers/${a.issuerId}/keys/${key}`, body);
      const [foreign, nobodys] = [await sendRequest(b.keyId), await sendRequest(UNKNOWN.keyId)];
      expect(foreign.status).toBe(404);
      expect(comparable(foreign)).toStrictEqual(comparable(nobodys));
    }
    expect((await service.image(b.path())).status).toBe(302);
  });

  it.each(['images', 'overlays'])('lists no %s of another', async (kind) => {
    const response = await service.admin('GET', `/${kind}?issuer_id=${a.issuerId}&limit=100`);
    const { items } = response.json() as { items: { id: string; issuer_id: string }[] };
    expect(items.map(({ id }) => id)).toStrictEqual([kind === 'images' ? a.imageId : a.overlayId]);
  });

  it.each([
    ['images', 'image_of_b'],
    ['overlays', 'layer_of_b'],
    ['images', 'layer_of_b'],
    ['overlays', 'image_of_b'],
  ])('cannot register under %s what another has: %s', async (kind, public_id) => {
    for (const delivery_type of ['upload', 'private', 'authenticated']) {
      const body = { issuer_id: a.issuerId, public_id, delivery_type };
      const response = await service.admin(
        'POST',
        `/${kind}`,
        kind === 'images' ? { ...body, version: 1 } : body,
      );
      expect(response.json()).toMatchObject({ status: 409, code: 'public_id_taken' });
      const own = kind === 'images' ? a.imageId : a.overlayId;
      const moved = await service.admin('PATCH', `/${kind}/${own}`, { public_id });
      expect(moved.json()).toMatchObject({ status: 409, code: 'public_id_taken' });
    }
  });

  it('cannot get another’s image or overlay', async () => {
    for (const path of [`/images/${b.imageId}`, `/overlays/${b.overlayId}`]) {
      const response = await service.admin('PATCH', path, { issuer_id: a.issuerId });
      expect(response.status).toBe(422);
    }
  });

  it('can be disabled and deleted without effect on another', async () => {
    const c = await createTenant(service, { publicId: 'image_of_c', overlayPublicId: 'layer_of_c' });
    await service.admin('PATCH', `/issuers/${c.issuerId}`, { disabled: true });
    await service.admin('DELETE', `/images/${c.imageId}`);
    await service.admin('DELETE', `/overlays/${c.overlayId}`);
    expect((await service.admin('DELETE', `/issuers/${c.issuerId}`)).status).toBe(204);
    for (const each of [a, b]) {
      expect((await service.image(each.steps({ overlay: each.overlayId }))).status).toBe(302);
    }
  });
});
