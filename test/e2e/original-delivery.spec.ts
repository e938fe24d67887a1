import { v2 as cloudinary } from 'cloudinary';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import '../support/built.js';
import { request } from '../support/http.js';
import { createRandomTenant, post, type Tenant } from '../support/seed.js';
import { API_SECRET, CLOUD, startService, type Service } from '../support/service.js';

const ORIGINAL = { sharinpix: { original: true } };

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService({ DELIVERY_MODE: 'cloudinary' });
  tenant = await createRandomTenant(service);
});
afterAll(() => service.close());
beforeEach(() => setIssuer({ delivery_format: 'jpg', policy: {} }));

async function setIssuer(change: object): Promise<void> {
  const response = await service.admin('PATCH', `/issuers/${tenant.issuerId}`, change);
  expect(response.status, response.text).toBe(200);
}

/** The response to a request for an image, the same of the redirect, its explanation and a delivery. */
async function deliver(claims: object, imageId = tenant.imageId): Promise<{ status: number; body: unknown }> {
  const token = tenant.sign({ ...claims });
  const { status, headers, json, text } = await service.get(`/images/${imageId}?token=${token}`);
  const body = { deliveries: [{ image_id: imageId, token }] };
  const bulk = await request({ port: service.port, path: '/deliveries', method: 'POST', body });
  const [delivered] = (bulk.json() as { deliveries: { location?: string; problem?: unknown }[] }).deliveries;
  if (status !== 302) {
    expect(delivered?.problem).toStrictEqual(json());
    return { status, body: json() };
  }
  const location = headers.location ?? '';
  expect(delivered?.location?.replace(/\?.*/, '')).toBe(location.replace(/\?.*/, ''));
  expect(text).toContain('redirected');
  return { status, body: location };
}

describe('a delivery format of originals', () => {
  it('ends each URL in the format of its image, and the SDK signs the same', async () => {
    const other = await post<{ id: string; public_id: string }>(service, '/images', {
      issuer_id: tenant.issuerId,
      public_id: 'a.b/größe',
      version: 3,
      format: 'tif',
    });
    const pathOf = (id: string): string => `/images/${id}?token=${tenant.sign(ORIGINAL)}`;
    expect((await service.image(pathOf(tenant.imageId))).shown?.format).toBe('jpg');
    await setIssuer({ delivery_format: 'original' });
    expect((await service.image(pathOf(tenant.imageId))).shown?.format).toBe('png');
    expect((await service.image(pathOf(other.id))).shown?.format).toBe('tif');
    await service.admin('PATCH', `/images/${other.id}`, { format: 'gif' });
    expect((await service.image(pathOf(other.id))).shown?.format).toBe('gif');
  });

  it('is refused for an image whose format is unknown, until it is set', async () => {
    await setIssuer({ delivery_format: 'original' });
    const { id } = await post<{ id: string }>(service, '/images', {
      issuer_id: tenant.issuerId,
      public_id: 'without_format',
      version: 3,
    });
    expect(await deliver({}, id)).toStrictEqual({
      status: 409,
      body: {
        type: 'about:blank',
        title: 'Conflict',
        status: 409,
        code: 'image_format_unknown',
        detail:
          'The issuer delivers images in the formats of their originals, and this image has no `format`. Its operator must set it.',
      },
    });
    await service.admin('PATCH', `/images/${id}`, { format: 'webp' });
    expect((await service.image(`/images/${id}?token=${tenant.sign()}`)).shown?.format).toBe('webp');
  });
});

describe('a policy of originals', () => {
  it('delivers them by URL unless it says otherwise', async () => {
    for (const policy of [{}, { original: 'url' }]) {
      await setIssuer({ policy });
      const { shown } = await service.image(tenant.path(ORIGINAL));
      expect(shown?.components).toStrictEqual(['fl_attachment']);
    }
  });

  it('refuses them', async () => {
    await setIssuer({ policy: { original: 'no' } });
    expect(await deliver(ORIGINAL)).toStrictEqual({
      status: 403,
      body: {
        type: 'about:blank',
        title: 'Forbidden',
        status: 403,
        code: 'policy_violation',
        detail:
          'The issuer’s policy forbids it: the token requests the original. Sign one without `sharinpix.original`.',
        rule: 'original',
        limit: 'no',
      },
    });
    expect((await service.image(tenant.path())).status).toBe(302);
  });

  it('delivers them as downloads that expire within a minute, and that nothing caches', async () => {
    await setIssuer({ policy: { original: 'download', redirect_cache: 'private' } });
    const token = tenant.sign(ORIGINAL);
    const before = Math.floor(Date.now() / 1000);
    for (let view = 0; view < 3; view += 1) {
      const { status, headers } = await service.get(`/images/${tenant.imageId}?token=${token}`);
      expect([status, headers['cache-control']]).toStrictEqual([302, 'no-cache, no-store']);
      const link = new URL(headers.location ?? '');
      const timestamp = Number(link.searchParams.get('timestamp'));
      const expiresAt = Number(link.searchParams.get('expires_at'));
      expect(timestamp).toBeGreaterThanOrEqual(before);
      expect(expiresAt).toBe(timestamp + 60);
      const options = {
        type: 'authenticated',
        attachment: true,
        expires_at: expiresAt,
        timestamp,
        cloud_name: CLOUD,
        api_key: '123456789012345',
        api_secret: API_SECRET,
      } as const;
      const publicId = link.searchParams.get('public_id') ?? '';
      expect(publicId).toMatch(/^image_/);
      expect(link.href).toBe(cloudinary.utils.private_download_url(publicId, 'png', options));
      // The next one must not be this one, whatever the redirect's cache has.
      while (Math.floor(Date.now() / 1000) === timestamp) await new Promise((done) => setTimeout(done, 20));
    }
    expect(await deliver(ORIGINAL)).toMatchObject({ status: 302 });
  });

  it('explains a download without a chain', async () => {
    await setIssuer({ policy: { original: 'download' } });
    const explained = await service.get(tenant.path(ORIGINAL).replace('?', '/explain?'));
    expect(explained.json()).toMatchObject({
      base_chain: [],
      steps: [],
      mandatory_chain: [],
      redirect_max_age: 0,
      policy: { original: 'download' },
      url: expect.stringMatching(/^https:\/\/api\.cloudinary\.com\/v1_1\/\w+\/image\/download\?/) as string,
    });
  });

  it('refuses a download of a public image, which is shown without a token', async () => {
    await setIssuer({ policy: { original: 'download' } });
    const { id } = await post<{ id: string }>(service, '/images', {
      issuer_id: tenant.issuerId,
      public_id: 'poster',
      version: 3,
      access: 'public',
    });
    expect(await deliver(ORIGINAL, id)).toMatchObject({ status: 403, body: { rule: 'original' } });
    const { shown } = await service.image(`/images/${id}`);
    expect(shown?.publicId).toBe('poster');
  });

  it.each([{ original: 'yes' }, { original: true }, { original: null }])('%j is refused', async (policy) => {
    const response = await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy });
    expect([response.status, response.json()]).toMatchObject([
      422,
      { errors: [{ key: 'policy.original', detail: 'must be one of url, download, no' }] },
    ]);
  });
});

describe('a download of an original', () => {
  it.each([
    [
      { DELIVERY_MODE: 'local' },
      'Originals cannot be downloaded: Cloudinary’s API has no originals of mode `local`.',
    ],
  ])('is refused clearly with %j', async (variables, detail) => {
    const local = await startService(variables);
    try {
      const own = await createRandomTenant(local);
      await local.admin('PATCH', `/issuers/${own.issuerId}`, { policy: { original: 'download' } });
      const { status, json } = await local.get(own.path(ORIGINAL));
      expect([status, json()]).toStrictEqual([
        503,
        {
          type: 'about:blank',
          title: 'Service Unavailable',
          status: 503,
          code: 'download_unavailable',
          detail,
        },
      ]);
    } finally {
      await local.close();
    }
  });

  it('is beside the blank image in mode blank', async () => {
    const blank = await startService();
    try {
      const own = await createRandomTenant(blank);
      await blank.admin('PATCH', `/issuers/${own.issuerId}`, { policy: { original: 'download' } });
      const { headers } = await blank.get(own.path(ORIGINAL));
      expect(headers.location).toMatch(/\/assets\/blank\.jpg#https:\/\/api\.cloudinary\.com\//);
    } finally {
      await blank.close();
    }
  });
});
