import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSeedTenant, createTenant, SEED, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

const BASE = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'];

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
});
afterAll(() => service.close());

/** The explanation beside the redirect of the same request, both Locations checked. */
async function explain(path: string): Promise<{ body: Record<string, unknown>; location: string }> {
  const [before, query = ''] = path.split('?');
  const redirect = await service.image(path);
  const response = await service.image(`${before}/explain?${query}`);
  expect(response.status).toBe(200);
  expect(response.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
  });
  return { body: response.json() as Record<string, unknown>, location: redirect.headers.location ?? '' };
}

/** An explanation without a policy, steps and a token: its members, and what differs. */
const explanationOf = (location: string, members: object): object => ({
  placeholder_id: null,
  expires_at: null,
  ignored_claims: [],
  base_chain: BASE,
  mandatory_chain: [],
  largest_output: { width: null, height: null },
  policy: {},
  redirect_max_age: 0,
  url: location.split('#')[1],
  location,
  ...members,
});

describe('an explanation', () => {
  it('of the seed’s token has its URL, each step’s component and each ignored key with the reason', async () => {
    const { body, location } = await explain(
      tenant.path({ transformations: SEED.transformations, sharinpix: {} }),
    );
    expect(body).toStrictEqual(
      explanationOf(location, {
        image_id: SEED.imageId,
        issuer_id: SEED.issuerId,
        key_id: tenant.keyId,
        steps: [
          {
            step: 1,
            component: 'fl_tiled,l_private:d47e609177b4,w_200',
            ignored: [
              { key: 'miaim', reason: 'unknown parameter' },
              { key: 'super_plop', reason: 'unknown parameter' },
            ],
          },
          {
            step: 2,
            component: 'c_fit,h_102,w_101',
            ignored: [{ key: 'flags', reason: '`tiled` acts only on a layer, and this step has none' }],
          },
        ],
      }),
    );
  });

  it('has an empty component for a step without a mapped key, with every reason', async () => {
    const { body } = await explain(
      tenant.path({
        transformations: [
          { flags: 'tiled', raw_transformation: 'l_x', $x: 1, cname: 'x', format: 'png', video_codec: 'x' },
          { width: 5, size: '10x20' },
        ],
      }),
    );
    expect(body['steps']).toStrictEqual([
      {
        step: 1,
        component: '',
        ignored: [
          { key: 'raw_transformation', reason: 'must not come from a token' },
          { key: '$x', reason: 'must not come from a token' },
          { key: 'cname', reason: 'determines the URL, which a token cannot' },
          {
            key: 'format',
            reason: 'is the extension of the URL, which the issuer defines; `fetch_format` converts',
          },
          { key: 'video_codec', reason: 'applies to video only' },
          { key: 'flags', reason: '`tiled` acts only on a layer, and this step has none' },
        ],
      },
      { step: 2, component: 'h_20,w_10', ignored: [{ key: 'width', reason: 'overridden by `size`' }] },
    ]);
  });

  it('lists each absent value of a step, a text and a border', async () => {
    const font = { font_family: 'Arial', font_size: 40, font_weight: null, letter_spacing: '' };
    const { body } = await explain(
      tenant.path({
        transformations: [
          { width: 5, height: null, crop: '', flags: [], effect: [null], size: '', miaim: null },
          { overlay: { text: 'Hi', ...font, text_style: [] }, border: { width: 3, color: null }, x: null },
        ],
      }),
    );
    expect(body['steps']).toStrictEqual([
      {
        step: 1,
        component: 'w_5',
        ignored: [
          { key: 'miaim', reason: 'unknown parameter' },
          ...['height', 'crop', 'flags', 'effect', 'size'].map((key) => ({ key, reason: 'no value' })),
        ],
      },
      {
        step: 2,
        component: 'bo_3px_solid_black,l_text:Arial_40:Hi',
        ignored: [
          'overlay.font_weight',
          'overlay.letter_spacing',
          'overlay.text_style',
          'border.color',
          'x',
        ].map((key) => ({ key, reason: 'no value' })),
      },
    ]);
  });

  it('lists the keys beside a preset once, with the first of its steps', async () => {
    const owner = await createTenant(service, { publicId: 'preset', overlayPublicId: 'preset_layer' });
    const policy = { presets: { card: [{ width: 5 }, { quality: 50 }] } };
    expect((await service.admin('PATCH', `/issuers/${owner.issuerId}`, { policy })).status).toBe(200);
    const { body } = await explain(
      owner.steps({ height: '' }, { preset: 'card', width: null, miaim: 1 }, { preset: 'card' }),
    );
    const second = { preset: 'card', component: 'q_50', ignored: [] };
    expect(body['steps']).toStrictEqual([
      { step: 1, component: '', ignored: [{ key: 'height', reason: 'no value' }] },
      {
        step: 2,
        preset: 'card',
        component: 'w_5',
        ignored: [
          { key: 'miaim', reason: 'unknown parameter' },
          { key: 'width', reason: 'no value' },
        ],
      },
      { step: 2, ...second },
      { step: 3, preset: 'card', component: 'w_5', ignored: [] },
      { step: 3, ...second },
    ]);
  });

  it.each<[settings: object, base: string[]]>([
    [{}, BASE],
    [{ download: false }, ['c_fit,h_1920,w_1920', 'dpr_auto,q_auto,f_auto']],
    [{ original: true }, ['fl_attachment']],
    [{ original: true, download: false }, []],
  ])('has the base chain of %j', async (sharinpix, base) => {
    const { body } = await explain(tenant.path({ transformations: [{ width: 5 }], sharinpix }));
    expect(body['base_chain']).toStrictEqual(base);
    expect(body['steps']).toStrictEqual(
      'original' in sharinpix ? [] : [{ step: 1, component: 'w_5', ignored: [] }],
    );
  });

  it('has the token’s exp as a date', async () => {
    const { body } = await explain(tenant.path({ exp: 4_102_444_800 }));
    expect(body['expires_at']).toBe('2100-01-01T00:00:00.000Z');
  });

  it('of a public image without a token names no key', async () => {
    const owner = await createTenant(service, {
      publicId: 'explained',
      overlayPublicId: 'explained_layer',
      access: 'public',
    });
    const { body, location } = await explain(`/images/${owner.imageId}?width=10`);
    expect(body).toStrictEqual(
      explanationOf(location, {
        image_id: owner.imageId,
        issuer_id: owner.issuerId,
        key_id: null,
        steps: [{ step: 1, component: 'w_10', ignored: [] }],
      }),
    );
  });

  it('of a claim’s image names that image', async () => {
    const { body } = await explain(`/images/image.jpg?token=${tenant.sign({ image_id: SEED.imageId })}`);
    expect(body['image_id']).toBe(SEED.imageId);
  });

  it('contains no token and no secret', async () => {
    const token = tenant.sign({ transformations: [{ width: 5 }] });
    const { text } = await service.image(`/images/${SEED.imageId}/explain?token=${token}`);
    expect(text).not.toContain(token);
    expect(text).not.toContain(token.split('.')[2]);
    expect(text).not.toContain(tenant.secret);
  });

  it.each<[name: string, path: () => string]>([
    ['no token', () => `/images/${SEED.imageId}`],
    ['a refused token', () => `/images/${SEED.imageId}?token=a.b.c`],
    ['an id that is not a UUID', () => `/images/x?token=${tenant.sign()}`],
    ['an image that does not exist', () => `/images/${randomUUID()}?token=${tenant.sign()}`],
    ['an overlay that does not exist', () => tenant.steps({ overlay: randomUUID() })],
    ['another issuer’s image', () => tenant.path({ image_id: [randomUUID()] })],
    ['a step outside the grammar', () => tenant.steps({ width: 0 })],
  ])('of %s is the redirect’s own refusal', async (_, path) => {
    const [before, query = ''] = path().split('?');
    const [explained, redirect] = [
      await service.image(`${before}/explain?${query}`),
      await service.image(path()),
    ];
    expect(explained.status).toBeGreaterThanOrEqual(400);
    expect({ status: explained.status, body: explained.json() }).toStrictEqual({
      status: redirect.status,
      body: redirect.json(),
    });
  });
});
