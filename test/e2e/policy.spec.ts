import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AddIssuerPolicy1768000000000 } from '../../src/platform/database/migrations/1768000000000-add-issuer-policy.js';
import { POLICY_MEMBERS } from '../../src/policy/policy-members.js';
import { request } from '../support/http.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

let service: Service;
let tenant: Tenant;
let neighbour: Tenant;
let publicOne: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createTenant(service, { publicId: 'shoe', overlayPublicId: 'logo' });
  neighbour = await createTenant(service, { publicId: 'hat', overlayPublicId: 'hats_logo' });
  publicOne = await createTenant(service, {
    publicId: 'poster',
    overlayPublicId: 'posters_logo',
    access: 'public',
  });
});
afterAll(() => service.close());
beforeEach(() => setPolicy({}));

type Body = Record<string, unknown>;

async function setPolicy(policy: object, of = tenant): Promise<Body> {
  const received = await service.admin('PATCH', `/issuers/${of.issuerId}`, { policy });
  expect(received.status, received.text).toBe(200);
  const body = received.json() as Body;
  expect(body['policy']).toStrictEqual(policy);
  return body;
}

/** The chain of a path's redirect. */
async function chainOf(path: string): Promise<string> {
  const { status, shown, text } = await service.image(path);
  expect(status, text).toBe(302);
  return shown?.components.join('/') ?? '';
}

/** A refusal's status and members; the same for the redirect, its explanation and a delivery. */
async function refusalOf(path: string): Promise<Body> {
  const { status, text, headers, json } = await service.image(path);
  expect(status, text).toBeGreaterThanOrEqual(400);
  expect(headers['cache-control']).toBe('no-cache, no-store');
  const [before = '', query = ''] = path.split('?');
  const explained = await service.image(`${before}/explain?${query}`);
  expect({ status: explained.status, body: explained.json() }).toStrictEqual({ status, body: json() });
  const token = new URLSearchParams(query).get('token');
  if (token !== null) {
    const delivered = await request({
      port: service.port,
      path: '/deliveries',
      method: 'POST',
      body: { deliveries: [{ image_id: before.split('/')[2], token }] },
    });
    expect(delivered.json()).toMatchObject({ deliveries: [{ problem: json() as object }] });
  }
  const body = json() as Body;
  expect(body['detail']).toBeTypeOf('string');
  return Object.fromEntries(
    Object.entries(body).filter(([name]) => !['type', 'title', 'detail'].includes(name)),
  );
}

const violation = (rule: string, limit: unknown, more: object = {}): object => ({
  status: 403,
  code: 'policy_violation',
  rule,
  limit,
  ...more,
});
const BASE = 'c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto';

describe('an issuer’s policy', () => {
  it('is set on create, shown, replaced as a whole and removed', async () => {
    const policy = { max_width: 800, presets: { card: [{ width: 100 }] }, strict: true };
    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'With a policy', policy });
    const show = async (): Promise<unknown> =>
      ((await service.admin('GET', `/issuers/${id}`)).json() as Body)['policy'];
    expect(await show()).toStrictEqual(policy);
    await service.admin('PATCH', `/issuers/${id}`, { name: 'Renamed' });
    expect(await show()).toStrictEqual(policy);
    await service.admin('PATCH', `/issuers/${id}`, { policy: { max_height: 5 } });
    expect(await show()).toStrictEqual({ max_height: 5 });
    await service.admin('PATCH', `/issuers/${id}`, { policy: {} });
    expect(await show()).toStrictEqual({});
  });

  it('is the recommended one by its name', async () => {
    const recommended = {
      require_image_id: true,
      require_exp: true,
      strict: true,
      denied_effects: ['generative'],
    };
    const created = await post<Body>(service, '/issuers', { name: 'Named', policy: 'recommended' });
    expect(created['policy']).toStrictEqual(recommended);
    await service.admin('PATCH', `/issuers/${String(created['id'])}`, { policy: {} });
    const patched = await service.admin('PATCH', `/issuers/${String(created['id'])}`, {
      policy: 'recommended',
    });
    expect(patched.json()).toMatchObject({ policy: recommended });
  });

  it.each<[policy: string, key: string]>([
    ['{"max_width":800,"max_width":65500}', 'policy.max_width'],
    ['{"strict":true,"\\u0073trict":false}', 'policy.strict'],
    ['{"mandatory_steps":[{"width":5,"width":6}]}', 'policy.mandatory_steps.width'],
    ['{"presets":{"a":[{"width":5}],"a":[{"width":6}]}}', 'policy.presets.a'],
    ['{"strict":true},"policy":{}', 'policy'],
    ['{"strict":true},"name":"Thrice"', 'name'],
  ])('has no member twice: %s', async (policy, key) => {
    const refusal = {
      status: 422,
      code: 'invalid_request',
      errors: [{ key, detail: 'must appear only once' }],
    };
    for (const [method, path] of [
      ['PATCH', `/issuers/${tenant.issuerId}`],
      ['POST', '/issuers'],
    ] as const) {
      const body = `{"name":"Twice","policy":${policy}}`;
      const response = await service.admin(method, path, body);
      expect(response.json()).toMatchObject(refusal);
    }
  });

  it.each<[policy: unknown, ...errors: [key: string, detail: RegExp][]]>([
    [null, ['policy', /^must be an object, or `recommended`$/]],
    [[], ['policy', /^must be an object, or `recommended`$/]],
    ['x', ['policy', /^must be an object, or `recommended`$/]],
    ['constructor', ['policy', /^must be an object, or `recommended`$/]],
    [{ max_widht: 1 }, ['policy.max_widht', /^is unknown; did you mean `max_width`\?$/]],
    [
      { max_width: 0, require_exp: 'yes', base_chain: ['l_x'] },
      ['policy.max_width', /^must be a whole number from 1 to 65500$/],
      ['policy.require_exp', /^must be true or false$/],
      ['policy.base_chain', /^component 1: `l_x` names an asset/],
    ],
    [{ mandatory_steps: [{ width: 0 }] }, ['policy.mandatory_steps', /^step 1: `width` must be a whole/]],
    [{ presets: { 'a b': [{ width: 1 }] } }, ['policy.presets', /^must have names/]],
    [
      { denied_effects: ['gen_restor'], allowed_effects: ['xyz'], allowed_formats: ['jpge'], text: true },
      ['policy.denied_effects', /^`gen_restor` is unknown; did you mean `gen_restore`\?$/],
      [
        'policy.allowed_effects',
        /^must contain only names of effects and their groups: generative, ai, addon, /,
      ],
      ['policy.allowed_formats', /^`jpge` is unknown; did you mean `jpe`\?$/],
      ['policy.text', /^must be false, or a whole number from 1 to 1000$/],
    ],
  ])('is refused with an error: %j', async (policy, ...errors) => {
    for (const received of [
      await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy }),
      await service.admin('POST', '/issuers', { name: 'x', policy }),
    ]) {
      expect(received.status).toBe(422);
      const { errors: problems } = received.json() as { errors: { key: string; detail: string }[] };
      const sorted = problems.toSorted(
        (a, b) => errors.findIndex(([key]) => key === a.key) - errors.findIndex(([key]) => key === b.key),
      );
      expect(sorted.map(({ key }) => key)).toStrictEqual(errors.map(([key]) => key));
      for (const [index, [, detail]] of errors.entries()) expect(sorted[index]?.detail).toMatch(detail);
    }
  });

  it('accepts rows of its own issuer only; another’s are unknown', async () => {
    const refused = async (policy: object): Promise<unknown> => {
      const received = await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy });
      expect(received.status).toBe(422);
      return (received.json() as Body)['errors'];
    };
    const unknown = randomUUID();
    for (const id of [unknown, neighbour.overlayId]) {
      const detail = `must refer to overlays of this issuer, or shared ones: ${id} is not one`;
      expect(
        await refused({ mandatory_steps: [{ overlay: id }], presets: { p: [{ underlay: id }] } }),
      ).toStrictEqual([
        { key: 'policy.mandatory_steps', detail },
        { key: 'policy.presets.p', detail },
      ]);
    }
    const shared = { shared: true };
    expect((await service.admin('PATCH', `/overlays/${neighbour.overlayId}`, shared)).status).toBe(200);
    // A token's own steps cannot use an overlay that another issuer shares.
    for (const id of [unknown, neighbour.overlayId]) {
      const detail = `must contain ids of overlays of this issuer: ${id} is not one`;
      expect(await refused({ allowed_overlays: [tenant.overlayId, id] })).toStrictEqual([
        { key: 'policy.allowed_overlays', detail },
      ]);
    }
    await service.admin('PATCH', `/overlays/${neighbour.overlayId}`, { shared: false });
    for (const id of [unknown, neighbour.imageId]) {
      expect(await refused({ placeholder: id })).toStrictEqual([
        { key: 'policy.placeholder', detail: 'must be the id of an image of this issuer' },
      ]);
    }
    // A default image must have delivery type `upload`: checked when the policy is written, not when an image is requested.
    expect(await refused({ mandatory_steps: [{ default_image: tenant.overlayId }] })).toMatchObject([
      { key: 'policy.mandatory_steps' },
    ]);
  });

  it('is an object however it is written, and an unreadable one allows nothing', async () => {
    const dataSource = service.app.get(DataSource);
    const write = (policy: unknown): Promise<unknown> =>
      dataSource.query('UPDATE issuers SET policy = $1 WHERE id = $2', [
        JSON.stringify(policy),
        neighbour.issuerId,
      ]);
    await expect(write([])).rejects.toThrow('issuers_policy_object');
    await write({ mandatory_steps: [{ overlay: 'not a row' }] });
    await expect
      .poll(async () => (await service.image(neighbour.path())).status, { timeout: 5_000 })
      .toBe(503);
    expect(await refusalOf(neighbour.path())).toStrictEqual({ status: 503, code: 'policy_unreadable' });
    expect((await service.image(tenant.path())).status).toBe(302);
    await setPolicy({}, neighbour);
    expect((await service.image(neighbour.path())).status).toBe(302);
  });

  it('is in the OpenAPI document', async () => {
    const { components } = (await service.get('/docs/openapi.json')).json() as {
      components: { schemas: Record<string, { properties: Record<string, object> }> };
    };
    expect(Object.keys(components.schemas['PolicyDto']?.properties ?? {})).toHaveLength(
      Object.keys(POLICY_MEMBERS).length,
    );
    expect(components.schemas['PolicyDto']?.properties['max_width']).toMatchObject({
      type: 'integer',
      minimum: 1,
      maximum: 65500,
    });
    for (const schema of ['CreateIssuerDto', 'UpdateIssuerDto', 'IssuerView']) {
      expect(JSON.stringify(components.schemas[schema]?.properties['policy'])).toContain('PolicyDto');
    }
  });
});

describe('a custom base chain', () => {
  it('replaces the default, and obeys download and original', async () => {
    await setPolicy({ base_chain: ['q_auto,f_auto,c_limit,w_800', 'fl_attachment'] });
    expect(await chainOf(tenant.steps({ width: 5 }))).toBe('q_auto,f_auto,c_limit,w_800/fl_attachment/w_5');
    expect(await chainOf(tenant.path({ sharinpix: { download: false } }))).toBe(
      'q_auto,f_auto,c_limit,w_800',
    );
    expect(await chainOf(tenant.path({ sharinpix: { original: true } }))).toBe('fl_attachment');
    await setPolicy({ base_chain: [] });
    expect(await chainOf(tenant.path())).toBe('');
    await setPolicy({});
    expect(await chainOf(tenant.path())).toBe(BASE);
  });
});

describe('mandatory steps', () => {
  it('end every chain, and no token can omit them', async () => {
    await setPolicy({
      mandatory_steps: [{ overlay: tenant.overlayId, flags: 'tiled', width: 200 }, { quality: 50 }],
    });
    const end = 'fl_tiled,l_private:logo,w_200/q_50';
    expect(await chainOf(tenant.path())).toBe(`${BASE}/${end}`);
    expect(await chainOf(tenant.steps({ overlay: tenant.overlayId }, { flags: 'layer_apply' }))).toBe(
      `${BASE}/l_private:logo/fl_layer_apply/${end}`,
    );
    expect(await chainOf(tenant.steps(...Array.from({ length: 32 }, () => ({ effect: 'sepia' }))))).toMatch(
      end,
    );
    for (const sharinpix of [{ original: true }, { original: true, download: false }]) {
      expect(await refusalOf(tenant.path({ sharinpix }))).toStrictEqual(violation('mandatory_steps', 2));
    }
  });

  it('end the chain of a public image without a token', async () => {
    await setPolicy({ mandatory_steps: [{ overlay: publicOne.overlayId }] }, publicOne);
    expect(await chainOf(`/images/${publicOne.imageId}?width=20`)).toBe(
      `${BASE}/w_20/l_private:posters_logo`,
    );
    await setPolicy({}, publicOne);
  });

  it('are refused, not omitted, if their overlay is deleted', async () => {
    const { id } = await post<{ id: string }>(service, '/overlays', {
      issuer_id: tenant.issuerId,
      public_id: 'brief',
    });
    await setPolicy({ mandatory_steps: [{ overlay: id }] });
    expect(await chainOf(tenant.path())).toBe(`${BASE}/l_private:brief`);
    await service.admin('DELETE', `/overlays/${id}`);
    expect(await refusalOf(tenant.path())).toStrictEqual({ status: 404, code: 'overlay_not_found' });
  });
});

describe('presets and keys', () => {
  it('let a token use steps that it must not contain itself', async () => {
    await setPolicy({
      presets: { card: [{ width: 300, height: 200, crop: 'fill' }, { overlay: tenant.overlayId }] },
      allowed_keys: ['effect'],
    });
    expect(await chainOf(tenant.steps({ effect: 'sepia' }, { preset: 'card' }))).toBe(
      `${BASE}/e_sepia/c_fill,h_200,w_300/l_private:logo`,
    );
    expect(await refusalOf(tenant.steps({ preset: 'card' }, { width: 5 }))).toStrictEqual(
      violation('allowed_keys', ['effect'], { step: 2, key: 'width' }),
    );
    expect(await refusalOf(tenant.steps({ preset: 'none' }))).toStrictEqual({
      status: 422,
      code: 'invalid_transformation',
      step: 1,
      key: 'preset',
      value: '"none"',
      allowed: 'card',
    });
    // An error behind a preset has the step number of the token.
    expect(await refusalOf(tenant.steps({ preset: 'card' }, { effect: 'nothing' }))).toMatchObject({
      status: 422,
      step: 2,
      key: 'effect',
    });
  });

  it.each([
    [{ presets: { toString: [{ width: 5 }] } }, 'policy.presets'],
    [{ presets: { card: [{ width: 5 }], constructor: [{ width: 5 }] } }, 'policy.presets'],
    [{ mandatory_steps: [{ width: 5 }, {}] }, 'policy.mandatory_steps'],
  ])('are refused if they would be dropped or have no effect: %j', async (policy, key) => {
    const response = await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy });
    expect(response.json()).toMatchObject({ status: 422, errors: [{ key }] });
  });

  it('can be the only steps of a token', async () => {
    await setPolicy({ presets: { card: [{ width: 300 }] }, presets_only: true });
    expect(await chainOf(tenant.steps({ preset: 'card' }))).toBe(`${BASE}/w_300`);
    expect(await chainOf(tenant.path())).toBe(BASE);
    const limit = ['card'];
    expect(await refusalOf(tenant.steps({ width: 300 }))).toStrictEqual(
      violation('presets_only', limit, { step: 1 }),
    );
    expect(await refusalOf(tenant.path({ sharinpix: { original: true } }))).toStrictEqual(
      violation('presets_only', limit),
    );
  });

  it('that are not allowed are refused, and unknown ones if the issuer is strict', async () => {
    await setPolicy({ denied_keys: ['overlay', 'underlay'], strict: true });
    expect(await refusalOf(tenant.steps({ overlay: tenant.overlayId }))).toStrictEqual(
      violation('denied_keys', ['overlay', 'underlay'], { step: 1, key: 'overlay' }),
    );
    expect(await refusalOf(tenant.steps({ miaim: 1 }))).toMatchObject({
      status: 422,
      code: 'invalid_transformation',
      step: 1,
      key: 'miaim',
    });
  });

  it.each([{}, { strict: true }])(
    'that are misspelt, or a short code, name the near key under %j',
    async (policy) => {
      await setPolicy(policy);
      for (const [key, near] of [
        ['widht', 'width'],
        ['w', 'width'],
        ['l', 'overlay'],
      ] as const) {
        expect(await refusalOf(tenant.steps({ crop: 'fit', [key]: 5 }))).toMatchObject({
          status: 422,
          code: 'invalid_transformation',
          step: 1,
          key,
          near,
        });
      }
    },
  );

  it('without effect are refused if the issuer is strict', async () => {
    await setPolicy({});
    // JSON of `{ overlay: undefined, flags: 'tiled' }`.
    expect(await chainOf(tenant.steps({ flags: 'tiled' }, {}))).toBe(BASE);
    await setPolicy({ strict: true });
    expect(await refusalOf(tenant.steps({ width: 5 }, { flags: 'tiled' }))).toMatchObject({
      status: 422,
      code: 'invalid_transformation',
      step: 2,
      key: 'flags',
    });
    expect(await refusalOf(tenant.steps({}))).toMatchObject({
      status: 422,
      code: 'invalid_transformation',
      step: 1,
    });
  });
});

describe('limits', () => {
  it('apply to size, layers and steps', async () => {
    await setPolicy({ max_width: 800, max_height: 600, max_layers: 1, max_steps: 2 });
    const box = { width: 800, height: 600, crop: 'fit' };
    const LIMIT = 'c_limit,h_600,w_800';
    expect(await chainOf(tenant.steps(box))).toBe(`${BASE}/c_fit,h_600,w_800/${LIMIT}`);
    expect(await refusalOf(tenant.steps({ ...box, dpr: 2 }))).toStrictEqual(
      violation('max_width', 800, { step: 1, key: 'dpr' }),
    );
    expect(await chainOf(tenant.path())).toBe(`${BASE}/${LIMIT}`);
    expect(await refusalOf(tenant.path({ sharinpix: { original: true } }))).toStrictEqual(
      violation('max_width', 800),
    );
    expect(
      await refusalOf(
        tenant.steps(
          { ...box, overlay: tenant.overlayId, underlay: tenant.overlayId, flags: 'no_overflow' },
          box,
        ),
      ),
    ).toStrictEqual(violation('max_layers', 1, { step: 1, key: 'overlay' }));
    expect(await refusalOf(tenant.steps(box, box, box))).toStrictEqual(
      violation('max_steps', 2, { step: 3 }),
    );
  });

  it('apply without a token too', async () => {
    await setPolicy({ max_width: 800, max_height: 800, denied_keys: ['crop'] }, publicOne);
    const path = `/images/${publicOne.imageId}`;
    expect(await chainOf(`${path}?width=800&height=800`)).toBe(`${BASE}/h_800,w_800/c_limit,h_800,w_800`);
    expect(await refusalOf(`${path}?width=801&height=5`)).toStrictEqual(
      violation('max_width', 800, { step: 1, key: 'width' }),
    );
    expect(await refusalOf(`${path}?width=5&height=5&crop=fit`)).toStrictEqual(
      violation('denied_keys', ['crop'], { step: 1, key: 'crop' }),
    );
    await setPolicy({}, publicOne);
  });

  it('apply to the token itself', async () => {
    const now = Math.floor(Date.now() / 1000);
    await setPolicy({ require_exp: true, max_token_age: 600, require_image_id: true });
    const good = { exp: now + 60, iat: now - 500, image_id: tenant.imageId };
    expect(await chainOf(tenant.path(good))).toBe(BASE);
    expect(await refusalOf(tenant.path({ ...good, exp: undefined }))).toStrictEqual(
      violation('require_exp', true),
    );
    expect(await refusalOf(tenant.path({ ...good, iat: now - 700 }))).toStrictEqual(
      violation('max_token_age', 600),
    );
    expect(await refusalOf(tenant.path({ ...good, iat: undefined }))).toStrictEqual(
      violation('max_token_age', 600),
    );
    expect(await refusalOf(tenant.path({ ...good, image_id: undefined }))).toStrictEqual(
      violation('require_image_id', true),
    );
    // An invalid token stays invalid, whatever the policy; and the binding is checked first.
    expect(await refusalOf(tenant.path({ exp: now - 60 }))).toMatchObject({ status: 401 });
    expect(await refusalOf(tenant.path({ image_id: [randomUUID()] }))).toMatchObject({
      code: 'image_not_in_token',
    });
  });
});

describe('generative effects', () => {
  it('are refused in a token’s own steps, and allowed in a preset', async () => {
    await setPolicy({ deny_generative_effects: true, presets: { restore: [{ effect: 'gen_restore' }] } });
    const denied = (key: string): object => violation('deny_generative_effects', true, { step: 2, key });
    for (const [key, value] of [
      ['effect', 'gen_remove:prompt_hat'],
      ['effect', 'upscale'],
      ['background', 'gen_fill'],
      ['transformation', 'named'],
    ] as const) {
      expect(await refusalOf(tenant.steps({ width: 5 }, { [key]: value }))).toStrictEqual(denied(key));
    }
    expect(await chainOf(tenant.steps({ preset: 'restore' }))).toBe(`${BASE}/e_gen_restore`);
    await setPolicy({});
    expect(await chainOf(tenant.steps({ background: 'gen_fill' }))).toBe(`${BASE}/b_gen_fill`);
  });
});

describe('values', () => {
  it('are restricted in a token’s own steps, and in the sizes of a public image', async () => {
    const policy = {
      allowed_effects: ['sepia'],
      denied_effects: ['addon'],
      allowed_overlays: [tenant.overlayId],
      allowed_formats: ['webp'],
      allowed_transformations: ['listed'],
      text: 5,
    };
    await setPolicy(policy);
    const allowed = {
      effect: 'sepia',
      fetch_format: 'webp',
      overlay: tenant.overlayId,
      underlay: { text: '12345', font_family: 'Arial', font_size: 5 },
    };
    expect(await chainOf(tenant.steps(allowed, { transformation: 'listed' }))).toMatch(/t_listed$/);
    const denied: readonly (readonly [keyof typeof policy, string, object])[] = [
      ['allowed_effects', 'effect', { effect: 'blur' }],
      ['denied_effects', 'crop', { width: 5, crop: 'imagga_crop' }],
      ['allowed_overlays', 'overlay', { overlay: randomUUID() }],
      ['allowed_overlays', 'default_image', { default_image: neighbour.overlayId }],
      ['allowed_formats', 'fetch_format', { fetch_format: 'auto' }],
      ['allowed_transformations', 'transformation', { transformation: 'listed.other' }],
      ['text', 'overlay', { overlay: { text: '123456', font_family: 'Arial', font_size: 5 } }],
    ];
    for (const [rule, key, step] of denied) {
      expect(await refusalOf(tenant.steps({ width: 5 }, step))).toStrictEqual(
        violation(rule, policy[rule], { step: 2, key }),
      );
    }
    await setPolicy({ denied_effects: ['addon'] }, publicOne);
    expect(await refusalOf(`/images/${publicOne.imageId}?width=5&height=5&crop=imagga_scale`)).toMatchObject({
      rule: 'denied_effects',
      key: 'crop',
    });
    await setPolicy({}, publicOne);
  });
});

describe('DEFAULT_POLICY', () => {
  const RECOMMENDED = {
    require_image_id: true,
    require_exp: true,
    strict: true,
    denied_effects: ['generative'],
  };

  it.each<[setting: string | undefined, policy: object]>([
    [undefined, {}],
    ['', {}],
    ['{}', {}],
    ['recommended', RECOMMENDED],
    [
      '{"max_width": 800, "presets": {"card": [{"width": 400}]}}',
      { max_width: 800, presets: { card: [{ width: 400 }] } },
    ],
  ])('%s is the policy of issuers that are created without one', async (DEFAULT_POLICY, policy) => {
    const own = await startService({ DEFAULT_POLICY });
    try {
      const create = (body: object): Promise<Body> => post<Body>(own, '/issuers', { name: 'New', ...body });
      expect((await create({}))['policy']).toStrictEqual(policy);
      expect((await create({ policy: {} }))['policy']).toStrictEqual({});
      expect((await create({ policy: { max_steps: 1 } }))['policy']).toStrictEqual({ max_steps: 1 });
    } finally {
      await own.close();
    }
  });

  it('recommended refuses a token that names no image or never expires, a misspelt key and a generated part', async () => {
    const own = await startService({ DEFAULT_POLICY: 'recommended' });
    try {
      const fresh = await createTenant(own, { publicId: 'fresh', overlayPublicId: 'fresh_logo' });
      const exp = Math.floor(Date.now() / 1000) + 60;
      const good = { image_id: fresh.imageId, exp };
      for (const [claims, expected] of [
        [{ ...good, transformations: [{ width: 5 }] }, { status: 302 }],
        [{ exp }, { status: 403, rule: 'require_image_id' }],
        [{ image_id: fresh.imageId }, { status: 403, rule: 'require_exp' }],
        [
          { ...good, transformations: [{ miaim: 1 }] },
          { status: 422, code: 'invalid_transformation' },
        ],
        [
          { ...good, transformations: [{ effect: 'upscale' }] },
          { status: 403, rule: 'denied_effects' },
        ],
      ] as const) {
        const { status, text, json } = await own.image(fresh.path(claims));
        expect({ status, ...(status === 302 ? {} : (json() as object)) }, text).toMatchObject(expected);
      }
      await own.admin('PATCH', `/issuers/${fresh.issuerId}`, { policy: {} });
      expect((await own.image(fresh.path())).status).toBe(302);
    } finally {
      await own.close();
    }
  });
});

describe('a redirect’s caching', () => {
  const cachingOf = async (path: string): Promise<(string | undefined)[]> => {
    const { headers, status } = await service.image(path);
    expect(status).toBe(302);
    return [headers['cache-control'], headers.pragma, headers.expires];
  };

  it('is the seed’s, unless the policy sets it; then it expires with the token', async () => {
    const exp = Math.floor(Date.now() / 1000) + 100;
    const never = ['no-cache, no-store', 'no-cache', 'Fri, 01 Jan 1990 00:00:00 GMT'];
    expect(await cachingOf(tenant.path({ exp }))).toStrictEqual(never);
    await setPolicy({ redirect_cache: 'private', redirect_max_age: 60 });
    expect(await cachingOf(tenant.path({ exp }))).toStrictEqual([
      'private, max-age=60',
      undefined,
      undefined,
    ]);
    expect(await cachingOf(tenant.path())).toStrictEqual(['private, max-age=60', undefined, undefined]);
    await setPolicy({ redirect_cache: 'private', redirect_max_age: 6000 });
    const [caching = ''] = await cachingOf(tenant.path({ exp }));
    const seconds = Number(/^private, max-age=(\d+)$/.exec(caching)?.[1]);
    expect(seconds).toBeGreaterThan(60);
    expect(seconds).toBeLessThanOrEqual(100);
    expect(await cachingOf(tenant.path({ exp: exp - 110 }))).toStrictEqual(never);
  });

  it('changes no other header', async () => {
    const names = async (): Promise<string[]> =>
      (await service.image(tenant.path())).rawHeaders.filter((_, index) => index % 2 === 0);
    const before = await names();
    await setPolicy({ redirect_cache: 'private' });
    expect(await names()).toStrictEqual(before.filter((name) => name !== 'Pragma' && name !== 'Expires'));
  });
});

describe('a placeholder', () => {
  it('is shown for a deleted image, with the token’s chain', async () => {
    const createOne = async (access: string): Promise<string> => {
      const public_id = `p_${randomUUID()}`;
      const body = { issuer_id: tenant.issuerId, public_id, version: 5, access };
      return (await post<{ id: string }>(service, '/images', body)).id;
    };
    const [deletedId, placeholder, open] = [
      await createOne('public'),
      await createOne('token'),
      await createOne('public'),
    ];
    await service.admin('DELETE', `/images/${deletedId}`);
    const path = `/images/${deletedId}?token=${tenant.sign({ transformations: [{ width: 5 }] })}`;
    expect((await service.image(path)).status).toBe(410);

    await setPolicy({ placeholder });
    const { status, shown } = await service.image(path);
    expect([status, shown?.components.at(-1)]).toStrictEqual([302, 'w_5']);
    expect((await service.image(path.replace('?', '/explain?'))).json()).toMatchObject({
      image_id: deletedId,
      placeholder_id: placeholder,
    });
    // Without a token, only a public placeholder is shown.
    expect((await service.image(`/images/${deletedId}`)).status).toBe(410);
    await setPolicy({ placeholder: open });
    expect((await service.image(`/images/${deletedId}`)).status).toBe(302);
    await service.admin('DELETE', `/images/${open}`);
    expect((await service.image(path)).status).toBe(410);
    expect((await service.image(`/images/${randomUUID()}?token=${tenant.sign()}`)).status).toBe(404);
  });
});

describe('an explanation', () => {
  it('shows the policy, but not the steps of its presets', async () => {
    await setPolicy({
      base_chain: ['c_limit,h_400,w_400'],
      presets: {
        card: [{ effect: 'sepia' }, { width: '0.5', height: '0.5' }],
        other: [{ overlay: tenant.overlayId }],
      },
      mandatory_steps: [{ overlay: tenant.overlayId }],
      max_width: 500,
      redirect_cache: 'private',
    });
    const path = tenant.steps({ preset: 'card' }, { quality: 50 });
    const { status, json } = await service.image(path.replace('?', '/explain?'));
    expect(status).toBe(200);
    expect(json()).toMatchObject({
      base_chain: ['c_limit,h_400,w_400'],
      steps: [
        { step: 1, preset: 'card', component: 'e_sepia', ignored: [] },
        { step: 1, preset: 'card', component: 'h_0.5,w_0.5', ignored: [] },
        { step: 2, component: 'q_50', ignored: [] },
      ],
      mandatory_chain: ['l_private:logo', 'c_limit,w_500'],
      largest_output: { width: 500, height: null },
      policy: { presets: ['card', 'other'], max_width: 500, redirect_cache: 'private' },
      redirect_max_age: 300,
    });
    expect(Object.keys((json() as { policy: object }).policy).sort()).toStrictEqual([
      'max_width',
      'presets',
      'redirect_cache',
    ]);
  });
});

describe('the migration', () => {
  it('can be reverted and applied again', async () => {
    const runner = service.app.get(DataSource).createQueryRunner();
    const migration = new AddIssuerPolicy1768000000000();
    const columns = async (): Promise<unknown> =>
      runner.query(
        `SELECT 1 FROM information_schema.columns WHERE table_name = 'issuers' AND column_name = 'policy'`,
      );
    await runner.startTransaction();
    try {
      await migration.down(runner);
      expect(await columns()).toStrictEqual([]);
      await migration.up(runner);
      expect(await columns()).toHaveLength(1);
      expect(await runner.query('SELECT DISTINCT policy FROM issuers')).toStrictEqual([{ policy: {} }]);
    } finally {
      await runner.rollbackTransaction();
      await runner.release();
    }
  });
});
