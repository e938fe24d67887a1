import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { problem, request } from '../support/http.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

const BASE = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'];

let service: Service;
let tenant: Tenant;
let otherImage: string;

beforeAll(async () => {
  service = await startService();
  tenant = await createTenant(service, { publicId: 'shoe', overlayPublicId: 'logo' });
  const image = { issuer_id: tenant.issuerId, public_id: 'hat', version: 7, format: 'png' };
  ({ id: otherImage } = await post<{ id: string }>(service, '/images', image));
});
afterAll(() => service.close());
beforeEach(() => setPolicy({}));

type Claims = Readonly<Record<string, unknown>>;

async function setPolicy(policy: object): Promise<void> {
  const response = await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy });
  expect(response.status, response.text).toBe(200);
}

/** The problem of a token, which is the same for the redirect, its explanation and a delivery. */
async function problemOf(claims: Claims, pathId = tenant.imageId): Promise<unknown> {
  const token = tenant.sign(claims);
  const { json, headers } = await service.image(`/images/${pathId}?token=${token}`);
  const explained = await service.image(`/images/${pathId}/explain?token=${token}`);
  expect(explained.json()).toStrictEqual(json());
  const body = { deliveries: [{ image_id: pathId, token }] };
  const delivered = await request({ port: service.port, path: '/deliveries', method: 'POST', body });
  expect(delivered.json()).toStrictEqual({
    deliveries: [{ image_id: pathId, problem: json() as object }],
  });
  expect(headers['www-authenticate']).toBe('Bearer error="invalid_token"');
  return json();
}

/** An explanation, beside a redirect that is allowed. */
async function explain(claims: Claims, pathId = tenant.imageId): Promise<Record<string, unknown>> {
  const token = tenant.sign(claims);
  const { status, shown, text } = await service.image(`/images/${pathId}?token=${token}`);
  expect(status, text).toBe(302);
  const { json } = await service.image(`/images/${pathId}/explain?token=${token}`);
  const explanation = json() as Record<string, unknown>;
  const {
    steps,
    base_chain: base,
    mandatory_chain: mandatory,
  } = explanation as {
    readonly base_chain: string[];
    readonly mandatory_chain: string[];
    readonly steps: readonly { readonly component: string }[];
  };
  const components = [...base, ...steps.map(({ component }) => component), ...mandatory];
  expect(shown?.components).toStrictEqual(components.filter((component) => component !== ''));
  return explanation;
}

const invalidToken = (detail: string): object => problem(401, 'invalid_token', detail);

describe('a token whose claim has no effect', () => {
  it.each<[claims: () => Claims, name: string, near: string]>([
    [
      () => ({ transformation: [{ overlay: tenant.overlayId, flags: 'tiled' }] }),
      'transformation',
      'transformations',
    ],
    [() => ({ imageId: tenant.imageId }), 'imageId', 'image_id'],
    [() => ({ 'imageId ': tenant.imageId }), 'imageId ', 'image_id'],
    [() => ({ sharinpix: { image_id: tenant.imageId } }), 'sharinpix.image_id', 'image_id'],
    [() => ({ sharinpix: { Id: tenant.imageId } }), 'sharinpix.Id', 'image_id'],
    [
      () => ({ sharinpix: { transformations: [{ width: 5 }] } }),
      'sharinpix.transformations',
      'transformations',
    ],
    [() => ({ epx: 4_102_444_800 }), 'epx', 'exp'],
    [() => ({ sharinpix: { donwload: false } }), 'sharinpix.donwload', 'sharinpix.download'],
  ])('is refused and names the near one, on every route', async (claims, name, near) => {
    const problem = invalidToken(
      `\`${name}\` is not a claim. Did you mean \`${near}\`? Correct it, and sign a new token.`,
    );
    expect(await problemOf(claims())).toStrictEqual(problem);
    // Before the path is checked: its id is not a UUID because the claim was meant to name the image.
    expect(await problemOf(claims(), 'image.jpg')).toStrictEqual(problem);
    await setPolicy({ strict: true });
    expect(await problemOf(claims())).toStrictEqual(problem);
  });

  it('is refused if it is a parameter of a step', async () => {
    expect(await problemOf({ width: 200, transformations: [{ crop: 'fit' }] })).toStrictEqual(
      invalidToken('`width` is not a claim. Move it into a step of `transformations`, and sign a new token.'),
    );
    expect(await problemOf({ overlays: tenant.overlayId, transformations: [{ width: 5 }] })).toStrictEqual(
      invalidToken(
        '`overlays` is not a claim. Did you mean `overlay` in a step of `transformations`? Move it there, and sign a new token.',
      ),
    );
  });

  it('is accepted under a lenient policy, and explained', async () => {
    await setPolicy({ lenient: true });
    const explanation = await explain({
      transformation: [{ width: 5 }],
      imageId: otherImage,
      width: 200,
      sharinpix: { donwload: false },
      transformations: [{ widht: 5, miaim: 1, height: 6 }],
    });
    expect(explanation).toMatchObject({
      image_id: tenant.imageId,
      ignored_claims: [
        { claim: 'transformation', reason: 'unknown claim', near: 'transformations' },
        { claim: 'imageId', reason: 'unknown claim', near: 'image_id' },
        { claim: 'width', reason: 'belongs in a step of `transformations`' },
        { claim: 'sharinpix.donwload', reason: 'unknown member', near: 'sharinpix.download' },
      ],
      base_chain: BASE,
      steps: [
        {
          step: 1,
          component: 'h_6',
          ignored: [
            { key: 'widht', reason: 'unknown parameter', near: 'width' },
            { key: 'miaim', reason: 'unknown parameter' },
          ],
        },
      ],
      policy: { lenient: true },
    });
  });

  it('is accepted if its name is not near any other, or registered', async () => {
    const { ignored_claims: ignored } = await explain({ aud: 'x', exi: 60, miaim: 1, download: false });
    expect(ignored).toStrictEqual([
      { claim: 'aud', reason: 'a registered claim that Pixseal does not use' },
      { claim: 'exi', reason: 'a registered claim that Pixseal does not use' },
      { claim: 'miaim', reason: 'unknown claim' },
      { claim: 'download', reason: 'belongs in `sharinpix`', near: 'sharinpix.download' },
    ]);
  });

  it('is refused as soon as the policy is no longer lenient, even if its redirect was cached', async () => {
    await setPolicy({ lenient: true });
    const path = tenant.path({ imageId: tenant.imageId });
    for (let count = 0; count < 3; count += 1) expect((await service.image(path)).status).toBe(302);
    await setPolicy({});
    await expect.poll(async () => (await service.image(path)).status).toBe(401);
  });
});

describe('SharinPix’s claims', () => {
  it('do not bind a token by default, which is explained, and are refused under strict', async () => {
    expect(await explain({ id: otherImage })).toMatchObject({
      image_id: tenant.imageId,
      ignored_claims: [
        { claim: 'id', reason: 'only the policy `claims: "sharinpix"` binds by it', near: 'image_id' },
      ],
    });
    await setPolicy({ strict: true });
    expect(await problemOf({ Id: tenant.imageId })).toStrictEqual(
      invalidToken('The claim `Id` does not bind the token to an image. Sign `image_id` instead.'),
    );
    expect((await explain({ Id: '0012400000abcDEAAY' }))['image_id']).toBe(tenant.imageId);
  });

  it.each(['id', 'Id'])('bind a token under their profile: %s', async (claim) => {
    await setPolicy({ claims: 'sharinpix', require_image_id: true, strict: true });
    for (const pathId of [otherImage, 'photo.jpg', randomUUID()]) {
      expect(await explain({ [claim]: tenant.imageId.toUpperCase() }, pathId)).toMatchObject({
        image_id: tenant.imageId,
        ignored_claims: [],
      });
    }
    expect(await explain({ [claim]: otherImage, image_id: otherImage })).toMatchObject({
      image_id: otherImage,
    });
    expect(await problemOf({ [claim]: otherImage, image_id: tenant.imageId })).toStrictEqual(
      invalidToken(
        'The token names two images: `image_id`, `id` and `Id` must be equal under the issuer’s policy. Use one of them.',
      ),
    );
    expect(await problemOf({ [claim]: 'an-album' })).toStrictEqual(
      invalidToken(
        'The token is malformed: the issuer’s policy reads `id` and `Id` as `image_id`, so each must be a UUID, or absent.',
      ),
    );
  });

  it('accept the token of SharinPix’s own guide', async () => {
    await setPolicy({ claims: 'sharinpix' });
    const claims = {
      id: tenant.imageId,
      sharinpix: {
        original: false,
        download: true,
        annotation: true,
        crop: true,
        rotation: true,
        full_size: true,
      },
      transformations: [
        { width: 300, height: 200, crop: 'fill', angle: 90 },
        { overlay: tenant.overlayId, flags: 'tiled' },
      ],
    };
    expect(await explain(claims)).toMatchObject({
      image_id: tenant.imageId,
      ignored_claims: ['annotation', 'crop', 'rotation'].map((member) => ({
        claim: `sharinpix.${member}`,
        reason: 'unknown member',
      })),
      base_chain: BASE.slice(1),
      steps: [{ component: 'a_90,c_fill,h_200,w_300' }, { component: 'fl_tiled,l_private:logo' }],
    });
  });

  it.each<[policy: object, settings: object, base: string[], largest: number | null]>([
    [{}, { full_size: true }, BASE.slice(1), null],
    [{}, { full_size: false }, BASE, null],
    [{}, { full_size: true, download: false }, BASE.slice(2), null],
    [{ max_width: 1920 }, { full_size: true }, BASE, 1920],
    [{ max_height: 1920 }, { full_size: true }, BASE, null],
    [{}, { filename: 'red_shoe.jpg' }, [BASE[0] ?? '', 'fl_attachment:red_shoe', BASE[2] ?? ''], null],
    [{}, { filename: 'red_shoe.jpg', download: false }, [BASE[0] ?? '', BASE[2] ?? ''], null],
    [{}, { filename: 'red_shoe.jpg', original: true }, ['fl_attachment:red_shoe'], null],
    [{ claims: 'pixseal' }, { filename: 'red_shoe.jpg', full_size: true }, BASE, null],
  ])('determine the base chain: %j %j', async (policy, sharinpix, base, width) => {
    await setPolicy({ claims: 'sharinpix', ...policy });
    expect(await explain({ sharinpix })).toMatchObject({ base_chain: base, largest_output: { width } });
  });
});
