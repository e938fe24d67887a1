import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparable, problem } from '../support/http.js';
import { createSeedTenant, createTenant, post, SEED, type Tenant } from '../support/seed.js';
import { startService, type ImageResponse, type Service } from '../support/service.js';

const BASE = 'c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto';
const ORIGINAL = 'v123123/ba5a440dbe3d.jpg';

let service: Service;
let tenant: Tenant;
let authenticatedOverlay: string;
let publicImage: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
  const overlay = await post<{ id: string }>(service, '/overlays', {
    issuer_id: tenant.issuerId,
    public_id: '3bc669b21d8e',
    delivery_type: 'authenticated',
  });
  authenticatedOverlay = overlay.id;
  publicImage = await createTenant(service, {
    publicId: 'shown_to_all',
    overlayPublicId: 'unused',
    access: 'public',
  });
});
afterAll(() => service.close());

/** The part of an allowed Location after its signature. */
function chainOf({ status, shown, text }: ImageResponse): string {
  if (status !== 302 || shown === null) throw new Error(`${status} ${text}`);
  const { components, version, publicId, format } = shown;
  return [...components, `v${version}`, `${publicId}.${format}`].join('/');
}

describe('the other examples of the seed’s document', () => {
  const step = { width: 101, height: 102, crop: 'fit' };

  it.each<[name: string, claims: () => Record<string, unknown>, chain: string]>([
    [
      'an overlay whose row is authenticated is written as such',
      () => ({ transformations: [{ width: 200, overlay: authenticatedOverlay }], sharinpix: {} }),
      `${BASE}/l_authenticated:3bc669b21d8e,w_200/${ORIGINAL}`,
    ],
    [
      'download: false omits the attachment',
      () => ({ transformations: [step], sharinpix: { download: false } }),
      `c_fit,h_1920,w_1920/dpr_auto,q_auto,f_auto/c_fit,h_102,w_101/${ORIGINAL}`,
    ],
    [
      'original: true omits the base chain and the steps',
      () => ({ transformations: [step], sharinpix: { original: true } }),
      `fl_attachment/${ORIGINAL}`,
    ],
    [
      'original: true with download: false omits every component',
      () => ({ transformations: [step], sharinpix: { original: true, download: false } }),
      ORIGINAL,
    ],
    ['an angle is a_', () => ({ transformations: [{ angle: 90 }] }), `${BASE}/a_90/${ORIGINAL}`],
    [
      'a text layer’s string is kept',
      () => ({
        transformations: [{ overlay: 'text:sample_text_style:Stylish%20text', gravity: 'south' }],
      }),
      `${BASE}/g_south,l_text:sample_text_style:Stylish%20text/${ORIGINAL}`,
    ],
    [
      'several layers with x are separate components, in order',
      () => ({
        transformations: [0, 400, 800].map((x) => ({
          overlay: authenticatedOverlay,
          width: 800,
          crop: 'fit',
          x,
        })),
      }),
      `${BASE}/${[0, 400, 800].map((x) => `c_fit,l_authenticated:3bc669b21d8e,w_800,x_${x}`).join('/')}/${ORIGINAL}`,
    ],
    ['no steps are the base chain alone', () => ({}), `${BASE}/${ORIGINAL}`],
    [
      'an empty list of steps is the base chain alone',
      () => ({ transformations: [] }),
      `${BASE}/${ORIGINAL}`,
    ],
  ])('%s', async (_, claims, chain) => {
    expect(chainOf(await service.image(tenant.path(claims())))).toBe(chain);
  });

  it.each<[settings: unknown]>([
    [{ download: true }],
    [{ download: 'false' }],
    [{ download: 0 }],
    [{ download: null }],
    [{ original: false }],
    [{ original: 'true' }],
    [{ original: 1 }],
    [{}],
    [null],
    [[]],
    ['download'],
  ])('sharinpix %j has no effect: only booleans are read', async (sharinpix) => {
    const path = tenant.path({ transformations: [step], sharinpix });
    expect(chainOf(await service.image(path))).toBe(`${BASE}/c_fit,h_102,w_101/${ORIGINAL}`);
  });

  it.each([['image.jpg'], ['anything'], ['..%2f..%2fetc'], [randomUUID()], [SEED.imageId]])(
    'the claim image_id names the image and takes precedence over the path /images/%s',
    async (name) => {
      const token = tenant.sign({ image_id: tenant.imageId, transformations: [step] });
      const response = await service.image(`/images/${name}?token=${token}`);
      expect(chainOf(response)).toBe(`${BASE}/c_fit,h_102,w_101/${ORIGINAL}`);
    },
  );

  it('a token is final: width, height and crop beside it have no effect', async () => {
    const token = tenant.sign({ transformations: [step], sharinpix: {} });
    const path = `/images/${tenant.imageId}?width=201&height=202&crop=fill&token=${token}&download=false`;
    expect(chainOf(await service.image(path))).toBe(`${BASE}/c_fit,h_102,w_101/${ORIGINAL}`);
  });

  it.each<[format: string]>([['png'], ['tif'], ['pdf']])(
    'an image registered as %s is still delivered as .jpg',
    async (format) => {
      const image = await post<{ id: string }>(service, '/images', {
        issuer_id: tenant.issuerId,
        public_id: `recorded_as_${format}`,
        version: 7,
        format,
      });
      const response = await service.image(`/images/${image.id}?token=${tenant.sign()}`);
      expect(chainOf(response)).toBe(`${BASE}/v7/recorded_as_${format}.jpg`);
    },
  );

  it('an issuer’s delivery_format is the extension of its URLs', async () => {
    const other = await createTenant(service, { publicId: 'delivered', overlayPublicId: 'delivered_layer' });
    expect(chainOf(await service.image(other.path()))).toBe(`${BASE}/v123123/delivered.jpg`);
    await service.admin('PATCH', `/issuers/${other.issuerId}`, { delivery_format: 'png' });
    expect(chainOf(await service.image(other.path()))).toBe(`${BASE}/v123123/delivered.png`);
  });
});

describe('an image without a token', () => {
  it.each<[query: string, step: string]>([
    ['', ''],
    ['?width=201&height=202&crop=fit', '/c_fit,h_202,w_201'],
    ['?crop=fit&width=201', '/c_fit,w_201'],
    ['?height=202', '/h_202'],
    // The value of an empty form field.
    ['?height=202&width=&crop=', '/h_202'],
    ['?width=', ''],
    ['?angle=90&overlay=text:a:b&x=1&raw_transformation=e_sepia', ''],
  ])('that is public is shown with the base chain and the requested size: %j', async (query, step) => {
    const response = await service.image(`/images/${publicImage.imageId}${query}`);
    expect(chainOf(response)).toBe(`${BASE}${step}/v123123/shown_to_all.jpg`);
  });

  it.each<[query: string, key: string]>([
    ['width=0', 'width'],
    ['width=%20', 'width'],
    ['width=&width=', 'width'],
    ['width=1&width=2', 'width'],
    ['height=100%2Cl_x', 'height'],
    ['crop=fill%2Fl_x', 'crop'],
  ])('is refused with an invalid size: %s', async (query, key) => {
    const response = await service.image(`/images/${publicImage.imageId}?${query}`);
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({ code: 'invalid_transformation', step: 1, key });
  });

  it('that is not public returns 401 with X-message among the same headers', async () => {
    const [refused, shown] = [
      await service.image(`/images/${tenant.imageId}`),
      await service.image(`/images/${publicImage.imageId}`),
    ];
    expect(refused.status).toBe(401);
    expect(refused.json()).toStrictEqual(
      problem(
        401,
        'token_required',
        'This image requires a token. Pass one of its issuer as `?token=` or as `Authorization: Bearer TOKEN`.',
      ),
    );
    const own = ['Location', 'Content-Type', 'Content-Length', 'X-Request-Id', 'X-Runtime', 'Date'];
    const rest = (response: ImageResponse): Record<string, string> =>
      Object.fromEntries(
        Array.from({ length: response.rawHeaders.length / 2 }, (_, index) =>
          response.rawHeaders.slice(2 * index, 2 * index + 2),
        ).filter(([name = '']) => !own.includes(name)),
      ) as Record<string, string>;
    expect(rest(refused)).toStrictEqual({
      ...rest(shown),
      'X-message': 'Access denied',
      'WWW-Authenticate': 'Bearer',
    });
  });

  it('that does not exist, or whose issuer is disabled, gets the same response as one that is not public', async () => {
    const disabled = await createTenant(service, {
      publicId: 'of_a_disabled_issuer',
      overlayPublicId: 'unused_too',
      access: 'public',
    });
    await service.admin('PATCH', `/issuers/${disabled.issuerId}`, { disabled: true });
    const responses = await Promise.all(
      [tenant.imageId, randomUUID(), disabled.imageId].map((id) => service.image(`/images/${id}`)),
    );
    const [first, ...others] = responses.map(comparable);
    for (const other of others) expect(other).toStrictEqual(first);
    expect(responses[0]?.status).toBe(401);
  });

  it('is no longer shown once it is not public', async () => {
    const { imageId } = await createTenant(service, {
      publicId: 'shown_for_a_while',
      overlayPublicId: 'unused_as_well',
      access: 'public',
    });
    expect((await service.image(`/images/${imageId}`)).status).toBe(302);
    await service.admin('PATCH', `/images/${imageId}`, { access: 'token' });
    expect((await service.image(`/images/${imageId}`)).status).toBe(401);
  });
});
