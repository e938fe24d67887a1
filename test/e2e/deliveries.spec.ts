import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpResponse, problem, request } from '../support/http.js';
import { createSeedTenant, createTenant, SEED, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

interface Item {
  readonly image_id?: string;
  readonly token?: string;
}
interface Result {
  readonly image_id: string | null;
  readonly url?: string;
  readonly location?: string;
  readonly problem?: object;
}

let service: Service;
let tenant: Tenant;
let neighbour: Tenant;
let publicImage: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
  neighbour = await createTenant(service, { publicId: 'neighbours', overlayPublicId: 'neighbours_layer' });
  publicImage = await createTenant(service, {
    publicId: 'public_one',
    overlayPublicId: 'public_layer',
    access: 'public',
  });
});
afterAll(() => service.close());

const post = (body: unknown, headers: Record<string, string> = {}): Promise<HttpResponse> =>
  request({ port: service.port, path: '/deliveries', method: 'POST', body, headers });

/** Requests deliveries, and checks every Location. */
async function deliver(items: readonly unknown[]): Promise<Result[]> {
  const response = await post({ deliveries: items });
  expect(response.status).toBe(200);
  const body = response.json() as { deliveries: Result[] };
  expect(Object.keys(body)).toStrictEqual(['deliveries']);
  for (const [index, { url, location }] of body.deliveries.entries()) {
    if (url === undefined || location === undefined) continue;
    const { image_id: id = '', token } = items[index] as Item;
    for (const shown of [url, location]) service.assertAllowed(shown, id, token);
  }
  return body.deliveries;
}

const ARRAY = 'must be an array of 1 to 500 objects {image_id, token}';
const unreadable = (detail: string): object => ({
  type: 'about:blank',
  title: 'Unprocessable Entity',
  status: 422,
  code: 'invalid_request',
  detail: 'The request does not have the form of this route: see errors.',
  errors: [{ key: 'deliveries', detail }],
});

describe('several deliveries in a request', () => {
  it('equal the redirects of the same requests, in order, for several issuers', async () => {
    const steps = { transformations: SEED.transformations, sharinpix: {} };
    const items: Item[] = [
      { image_id: tenant.imageId, token: tenant.sign(steps) },
      { image_id: neighbour.imageId, token: neighbour.sign({ transformations: [{ width: 7 }] }) },
      { image_id: neighbour.imageId, token: tenant.sign() },
      { image_id: publicImage.imageId },
      { image_id: tenant.imageId },
      { image_id: tenant.imageId, token: '' },
      { image_id: tenant.imageId, token: 'a.b.c' },
      { image_id: tenant.imageId, token: neighbour.sign() },
      { image_id: randomUUID(), token: tenant.sign() },
      { image_id: 'image.jpg', token: tenant.sign() },
      { image_id: 'image.jpg', token: tenant.sign({ image_id: tenant.imageId }) },
      { image_id: tenant.imageId, token: tenant.sign({ image_id: [randomUUID()] }) },
      { image_id: tenant.imageId, token: tenant.sign({ transformations: [{ crop: 'x' }] }) },
      {
        image_id: tenant.imageId,
        token: tenant.sign({ transformations: [{ overlay: neighbour.overlayId }] }),
      },
      { image_id: tenant.imageId, token: tenant.sign({ exp: 1 }) },
    ];
    const results = await deliver(items);
    const expected = await Promise.all(
      items.map(async ({ image_id: id = '', token }): Promise<Result> => {
        const query = token === undefined ? '' : `?token=${token}`;
        const { status, shown, headers, json } = await service.image(`/images/${id}${query}`);
        if (status !== 302) return { image_id: id, problem: json() as object };
        const location = headers.location ?? '';
        const url = location.split('#')[1] ?? '';
        expect(shown).not.toBeNull();
        return { image_id: id === 'image.jpg' ? tenant.imageId : id, url, location };
      }),
    );
    expect(results).toStrictEqual(expected);
    expect(results.filter(({ url }) => url !== undefined)).toHaveLength(4);
  });

  it.each<[name: string, item: unknown]>([
    ['null', null],
    ['a string', 'x'],
    ['a number', 1],
    ['an array', []],
    ['an array in an array', [[{ image_id: SEED.imageId }]]],
    ['a number as image_id', { image_id: 1 }],
    ['null as image_id', { image_id: null }],
    ['an array as image_id', { image_id: [SEED.imageId] }],
    ['an object as image_id', { image_id: {} }],
  ])('a malformed item is an error of that item only: %s', async (_, item) => {
    const good = { image_id: tenant.imageId, token: tenant.sign() };
    const [before, bad, after] = await deliver([good, item, good]);
    expect(bad).toStrictEqual({
      image_id: null,
      problem: unreadable('must contain objects {image_id, token}'),
    });
    expect(before?.url).toBeDefined();
    expect(after).toStrictEqual(before);
  });

  it.each<[name: string, token: unknown]>([
    ['null', null],
    ['a number', 5],
    ['an array', ['x']],
    ['an object', { toString: 'x' }],
    ['true', true],
  ])('a token that is %s is refused as one', async (_, token) => {
    const [result] = await deliver([{ image_id: tenant.imageId, token }]);
    expect(result).toStrictEqual({
      image_id: tenant.imageId,
      problem: problem(401, 'invalid_token', 'The token is malformed: pass exactly one non-empty `token`.'),
    });
  });

  it('an item without image_id uses the token’s', async () => {
    const { location } = (await service.image(tenant.path())).headers;
    const [named, unnamed, empty] = await deliver([
      { token: tenant.sign({ image_id: tenant.imageId }) },
      { token: tenant.sign() },
      {},
    ]);
    expect(named?.location).toBe(location);
    expect(unnamed).toMatchObject({ image_id: null, problem: { code: 'invalid_image_id' } });
    expect(empty).toMatchObject({ image_id: null, problem: { code: 'invalid_image_id' } });
  });

  it('an overlong id is returned truncated', async () => {
    const [result] = await deliver([{ image_id: 'x'.repeat(5000), token: tenant.sign() }]);
    expect(result?.image_id).toBe('x'.repeat(100));
  });

  it('may be 500, with tokens of 8 KiB each, and no more', async () => {
    const token = tenant.sign({ filler: 'x'.repeat(5_980) });
    expect(token.length).toBeGreaterThan(8_000);
    expect(token.length).toBeLessThanOrEqual(8_192);
    const items = Array.from({ length: 500 }, () => ({ image_id: tenant.imageId, token }));
    const results = await deliver(items);
    expect(results).toHaveLength(500);
    expect(new Set(results.map(({ location }) => location)).size).toBe(1);
    expect(results[0]?.url).toBeDefined();

    const tooMany = await post({ deliveries: Array.from({ length: 501 }, () => ({ image_id: 'x' })) });
    expect(tooMany.status).toBe(422);
    expect(tooMany.json()).toStrictEqual(unreadable(ARRAY));
  });

  it('in a body over 5 MiB are refused', async () => {
    const response = await post({ deliveries: [{ image_id: 'x'.repeat(5 * 1024 * 1024) }] });
    expect(response.status).toBe(413);
    expect(response.json()).toStrictEqual(problem(413, 'body_too_large', 'The request body is too large.'));
  });
});

describe('a malformed request for deliveries', () => {
  it.each<[name: string, body: unknown]>([
    ['an empty list', { deliveries: [] }],
    ['no list', {}],
    ['an object as list', { deliveries: { 0: {} } }],
    ['null as list', { deliveries: null }],
    ['a string as list', { deliveries: 'x' }],
  ])('is refused: %s', async (_, body) => {
    const response = await post(body);
    expect(response.status).toBe(422);
    expect(response.json()).toStrictEqual(unreadable(ARRAY));
  });

  it('is refused with an unknown member', async () => {
    const response = await post({ deliveries: [{ image_id: 'x' }], token: 'x' });
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({
      errors: [{ key: 'token', detail: 'is unknown' }],
    });
  });

  it.each<[name: string, body: string, type: string, status: number, code: string]>([
    ['no JSON', '{', 'application/json', 400, 'bad_request'],
    ['an empty body', '', 'application/json', 400, 'bad_request'],
    ['a BOM and nothing', '\ufeff', 'application/json', 400, 'bad_request'],
    ['__proto__', '{"__proto__":{"deliveries":[]}}', 'application/json', 400, 'bad_request'],
    ['text', 'deliveries', 'text/plain', 415, 'unsupported_media_type'],
    ['XML', '<x/>', 'application/xml', 415, 'unsupported_media_type'],
    ['a form', 'deliveries=x', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
  ])('is refused: %s', async (_, body, type, status, code) => {
    const response = await post(body, { 'content-type': type });
    expect(response.json()).toMatchObject({ status, code });
    expect(response.status).toBe(status);
    expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  });

  it('is refused as a whole with a malformed Host, without an unhandled rejection', async () => {
    const unlogged: unknown[] = [];
    const observe = (reason: unknown): void => void unlogged.push(reason);
    process.on('unhandledRejection', observe);
    try {
      const rows = { publicId: 'not_asked_for_yet', overlayPublicId: 'not_asked_for_yet_layer' };
      const uncached = await createTenant(service, rows);
      await deliver([{ token: tenant.sign(), image_id: tenant.imageId }]);
      // The first one still waits for its rows when the second is refused.
      const items = [uncached, tenant].map((each) => ({ image_id: each.imageId, token: each.sign() }));
      const response = await post({ deliveries: items }, { host: 'img.example.com/elsewhere' });
      expect(response.json()).toMatchObject({ status: 400, code: 'invalid_host' });
      expect(await deliver(items)).toMatchObject(items.map(({ image_id: id }) => ({ image_id: id })));
      expect(unlogged).toStrictEqual([]);
    } finally {
      process.off('unhandledRejection', observe);
    }
  });

  it.each(['[]', '[{}]', 'null', '"text"', '5', 'true'])('is refused: %s as a body', async (body) => {
    const response = await post(body);
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({ errors: [{ key: 'body', detail: 'must be an object' }] });
  });
});
