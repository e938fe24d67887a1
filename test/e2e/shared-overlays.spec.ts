import { randomUUID } from 'node:crypto';
import { v2 as cloudinary } from 'cloudinary';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAccount, createTenantOf } from '../support/accounts.js';
import { createAdminKey } from '../support/admin-keys.js';
import { request, type HttpResponse } from '../support/http.js';
import { documentBlock } from '../support/readme.js';
import { createRandomTenant, post, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, API_SECRET, CLOUD, startService, type Service } from '../support/service.js';

let service: Service;
let agency: Tenant;
let customer: Tenant;
let watermark: string;

beforeAll(async () => {
  service = await startService();
  [agency, customer] = [await createRandomTenant(service), await createRandomTenant(service)];
});
afterAll(() => service.close());
beforeEach(async () => {
  await setPolicy({});
  const row = { issuer_id: agency.issuerId, public_id: `marks/${randomUUID().slice(0, 8)}`, shared: true };
  watermark = (await post<{ id: string }>(service, '/overlays', row)).id;
});

async function setPolicy(policy: object): Promise<HttpResponse> {
  return service.admin('PATCH', `/issuers/${customer.issuerId}`, { policy });
}

const change = (id: string, body: object): Promise<HttpResponse> =>
  service.admin('PATCH', `/overlays/${id}`, body);

async function chainOf(path: string): Promise<string> {
  const { status, shown, text } = await service.image(path);
  expect(status, text).toBe(302);
  return shown?.components.slice(3).join('/') ?? '';
}

async function codeOf(path: string): Promise<string> {
  const { status, json } = await service.image(path);
  return `${status} ${(json() as { code: string }).code}`;
}

describe('a shared overlay', () => {
  it('is a mandatory step of another issuer, on images with and without a token', async () => {
    const { status } = await setPolicy({ mandatory_steps: [{ overlay: watermark, flags: 'tiled' }] });
    expect(status).toBe(200);
    expect(await chainOf(customer.path())).toMatch(/^fl_tiled,l_private:marks:\w+$/);
    expect(await chainOf(customer.steps({ width: 5 }))).toMatch(/^w_5\/fl_tiled,l_private:marks:\w+$/);
    const explained = await service.get(customer.path().replace('?', '/explain?'));
    expect(explained.json()).toMatchObject({
      mandatory_chain: [expect.stringContaining('l_private:marks:') as string],
    });
  });

  it('is in the presets of another issuer', async () => {
    await setPolicy({ presets: { card: [{ overlay: watermark }] } });
    expect(await chainOf(customer.steps({ preset: 'card' }, { width: 5 }))).toMatch(
      /^l_private:marks:\w+\/w_5$/,
    );
  });

  it('does not exist for tokens of another issuer, whatever its policy uses', async () => {
    const policies = [
      {},
      { mandatory_steps: [{ overlay: watermark }] },
      { presets: { card: [{ overlay: watermark }] } },
    ];
    for (const policy of policies) {
      await setPolicy(policy);
      const steps = [{ overlay: watermark }, { underlay: watermark }, { width: 5, default_image: watermark }];
      for (const step of steps) expect(await codeOf(customer.steps(step))).toBe('404 overlay_not_found');
    }
    await setPolicy({ presets: { card: [{ overlay: watermark }] } });
    expect(await codeOf(customer.steps({ preset: 'card' }, { overlay: watermark }))).toBe(
      '404 overlay_not_found',
    );
    // Its own issuer's may.
    expect(await chainOf(agency.steps({ overlay: watermark }))).toMatch(/^l_private:marks:\w+$/);
  });

  it.each(['unshared', 'deleted'])(
    'that is %s while policies use it makes their redirects fail, cached ones too',
    async (what) => {
      await setPolicy({
        mandatory_steps: [{ overlay: watermark }],
        presets: { card: [{ overlay: watermark }] },
      });
      const path = customer.path({ exp: Math.floor(Date.now() / 1000) + 60 });
      for (let view = 0; view < 3; view += 1) expect(await chainOf(path)).toMatch(/^l_private:/);
      const { status } =
        what === 'deleted'
          ? await service.admin('DELETE', `/overlays/${watermark}`)
          : await change(watermark, { shared: false });
      expect(status).toBeLessThan(300);
      expect(await codeOf(path)).toBe('404 overlay_not_found');
      expect(await codeOf(customer.steps({ preset: 'card' }))).toBe('404 overlay_not_found');
      if (what === 'deleted') return;
      expect(await chainOf(agency.steps({ overlay: watermark }))).toMatch(/^l_private:/);
      await change(watermark, { shared: true });
      expect(await chainOf(path)).toMatch(/^l_private:/);
    },
  );

  it('follows a change of its public id in every issuer’s redirects', async () => {
    await setPolicy({ mandatory_steps: [{ overlay: watermark }] });
    const path = customer.path();
    for (let view = 0; view < 3; view += 1) await chainOf(path);
    const name = `renamed_${randomUUID().slice(0, 8)}`;
    await change(watermark, { public_id: name });
    expect(await chainOf(path)).toBe(`l_private:${name}`);
  });

  it('exists for no issuer of another account', async () => {
    const account = await createAccount(service, `cloud-${randomUUID().slice(0, 8)}`);
    const [one, two] = [
      await createTenantOf(service, account.id, 'theirs', 'theirs_logo'),
      await createTenantOf(service, account.id, 'ours', 'ours_logo'),
    ];
    const set = (issuerId: string, overlay: string, more: object = {}): Promise<HttpResponse> =>
      service.admin('PATCH', `/issuers/${issuerId}`, { policy: { mandatory_steps: [{ overlay }] }, ...more });
    expect((await set(one.issuerId, watermark)).status).toBe(422);
    await change(two.overlayId, { shared: true });
    expect((await setPolicy({ mandatory_steps: [{ overlay: two.overlayId }] })).status).toBe(422);
    expect((await set(one.issuerId, two.overlayId)).status).toBe(200);
    const { status, headers } = await service.get(one.path());
    expect([status, headers.location]).toStrictEqual([
      302,
      expect.stringMatching(`/${account.cloudName}/image/.*/l_private:ours_logo/`) as string,
    ]);
    // An issuer without rows moves away from the account that its policy depends on.
    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Moves', account_id: account.id });
    expect((await set(id, two.overlayId, { account_id: null })).status).toBe(422);
    expect((await set(id, two.overlayId)).status).toBe(200);
    expect((await set(id, watermark, { account_id: null })).status).toBe(200);
  });

  it('is a policy’s only while it is shared', async () => {
    await change(watermark, { shared: false });
    for (const policy of [
      { mandatory_steps: [{ overlay: watermark }] },
      { presets: { card: [{ overlay: watermark }] } },
    ]) {
      const response = await setPolicy(policy);
      expect([response.status, response.text]).toMatchObject([
        422,
        expect.stringContaining(
          `must refer to overlays of this issuer, or shared ones: ${watermark} is not one`,
        ),
      ]);
    }
  });

  it('is shown and changed by the admin API, and shared by no key that is bound to an issuer', async () => {
    const { json } = await service.admin('GET', `/overlays/${watermark}`);
    expect(json()).toMatchObject({ shared: true });
    const [{ key }, own] = [
      await createAdminKey(service, { scopes: ['read', 'write'], issuer_id: agency.issuerId }),
      await service.admin('GET', `/overlays/${agency.overlayId}`),
    ];
    expect(own.json()).toMatchObject({ shared: false });
    const as = (method: string, path: string, body?: object): Promise<HttpResponse> =>
      request({
        port: service.port,
        path: `/admin${path}`,
        method,
        body,
        headers: { authorization: `Bearer ${key}` },
      });
    const row = { issuer_id: agency.issuerId, public_id: 'bound' };
    expect((await as('POST', '/overlays', { ...row, shared: true })).json()).toMatchObject({
      code: 'insufficient_scope',
    });
    expect((await as('PATCH', `/overlays/${agency.overlayId}`, { shared: true })).status).toBe(403);
    // It would be another watermark on the images of other issuers.
    for (const body of [{ public_id: 'blank' }, { delivery_type: 'upload' }]) {
      expect((await as('PATCH', `/overlays/${watermark}`, body)).status).toBe(403);
    }
    expect((await as('PATCH', `/overlays/${watermark}`, { shared: false })).json()).toMatchObject({
      shared: false,
    });
    const foreign = await createAdminKey(service, {
      scopes: ['read', 'write'],
      issuer_id: customer.issuerId,
    });
    const unseen = await request({
      port: service.port,
      path: `/admin/overlays/${watermark}`,
      headers: { authorization: `Bearer ${foreign.key}` },
    });
    expect(unseen.status).toBe(404);
  });

  it.each([1, 'yes', null])('is refused as %j', async (shared) => {
    const response = await change(watermark, { shared });
    expect([response.status, response.text]).toMatchObject([
      422,
      expect.stringContaining('must be true or false'),
    ]);
  });
});

describe('a font file', () => {
  const TEXT = { text: 'Jane, 5 May', font_size: 40, font_weight: 'bold' };
  let font: { id: string; public_id: string; delivery_type: string };

  beforeEach(async () => {
    const row = { issuer_id: agency.issuerId, public_id: `fonts/${randomUUID().slice(0, 8)}.ttf` };
    font = await post(service, '/overlays', row);
  });

  it('is the font of a text, by its id, as the SDK writes it', async () => {
    expect(font.delivery_type).toBe('authenticated');
    const layer = { ...TEXT, font_family: font.id };
    const { headers, shown } = await service.image(agency.steps({ overlay: layer, color: 'white' }));
    const url = (headers.location ?? '').replace(/^[^#]*#/, '');
    const expected = cloudinary.url(shown?.publicId ?? '', {
      transformation: [
        { raw_transformation: 'c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto' },
        { overlay: { ...layer, font_family: font.public_id.replace('/', ':') }, color: 'white' },
      ],
      type: 'authenticated',
      version: shown?.version ?? '',
      format: 'jpg',
      sign_url: true,
      secure: true,
      cloud_name: CLOUD,
      api_secret: API_SECRET,
      urlAnalytics: false,
    });
    expect(url).toBe(expected);
    expect(url).toContain(`l_text:${font.public_id.replace('/', ':')}_40_bold:Jane%252C%205%20May`);
  });

  it('is named as docs/tokens.md shows', async () => {
    const block = documentBlock('docs/tokens.md', 'Fonts / json 1').replace(/[0-9a-f-]{36}/, font.id);
    const steps = JSON.parse(block) as readonly object[];
    expect(await chainOf(agency.steps(...steps))).toBe(
      `l_text:${font.public_id.replace('/', ':')}_40:Jane%20Doe`,
    );
  });

  it('of another issuer is used by policies if it is shared, and never by tokens', async () => {
    const step = { overlay: { ...TEXT, font_family: font.id } };
    expect((await setPolicy({ presets: { title: [step] } })).status).toBe(422);
    await change(font.id, { shared: true });
    expect((await setPolicy({ presets: { title: [step] } })).status).toBe(200);
    expect(await chainOf(customer.steps({ preset: 'title' }))).toMatch(/^l_text:fonts:\w+\.ttf_40_bold:/);
    expect(await codeOf(customer.steps(step))).toBe('404 overlay_not_found');
  });

  it('is no image, and an image is no font', async () => {
    const text = { overlay: { ...TEXT, font_family: agency.overlayId } };
    for (const step of [{ overlay: font.id }, { underlay: font.id }, { default_image: font.id }, text]) {
      expect(await codeOf(agency.steps(step))).toBe('422 invalid_transformation');
    }
    const refused = await service.admin('PATCH', `/issuers/${agency.issuerId}`, {
      policy: { mandatory_steps: [{ overlay: font.id }] },
    });
    expect(refused.status).toBe(422);
  });

  it('has no thumbnail', async () => {
    const { status, json } = await service.admin('GET', `/overlays/${font.id}/preview`);
    expect([status, json()]).toMatchObject([409, { code: 'no_preview' }]);
  });

  it.each<[body: object, key: string]>([
    [{ delivery_type: 'upload' }, 'delivery_type'],
    [{ delivery_type: 'private' }, 'delivery_type'],
    [{ public_id: 'marks/logo' }, 'public_id'],
    [{ public_id: 'a_40_b.ttf' }, 'public_id'],
    [{ public_id: 'a:b.ttf' }, 'public_id'],
  ])('is refused as %j', async (body, key) => {
    for (const response of [
      await change(font.id, body),
      ...('public_id' in body && body.public_id === 'marks/logo'
        ? []
        : [
            await service.admin('POST', '/overlays', {
              issuer_id: agency.issuerId,
              public_id: 'fonts/other.otf',
              ...body,
            }),
          ]),
    ]) {
      expect([response.status, response.json()]).toMatchObject([422, { errors: [{ key }] }]);
    }
  });

  it('is not uploaded here', async () => {
    const form = new FormData();
    form.set('issuer_id', agency.issuerId);
    form.set('public_id', 'fonts/uploaded.ttf');
    form.set('shared', 'true');
    form.set('file', new Blob(['OTTO']), 'file');
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const created = await fetch(`${service.url}/admin/overlays`, { method: 'POST', headers, body: form });
    expect([created.status, await created.json()]).toMatchObject([422, { errors: [{ key: 'file' }] }]);
    const file = new FormData();
    file.set('file', new Blob(['OTTO']), 'file');
    const url = `${service.url}/admin/overlays/${font.id}/original`;
    const replaced = await fetch(url, { method: 'PUT', headers, body: file });
    expect([replaced.status, await replaced.json()]).toMatchObject([422, { errors: [{ key: 'file' }] }]);
  });

  it('is not made of an image', async () => {
    const response = await change(agency.overlayId, { public_id: 'fonts/late.ttf' });
    expect([response.status, response.json()]).toMatchObject([422, { errors: [{ key: 'public_id' }] }]);
  });
});
