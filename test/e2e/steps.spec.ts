import { createSecretKey, randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problem, request } from '../support/http.js';
import { createSeedTenant, post, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, startService, type Service } from '../support/service.js';
import { mint } from '../tokens/token-fixtures.js';

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
});
afterAll(() => service.close());

/** The problem that steps cause. */
async function refusalOf(transformations: unknown): Promise<Record<string, unknown>> {
  const response = await service.image(tenant.path({ transformations }));
  expect(response.status).toBe(422);
  expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(response.headers['cache-control']).toBe('no-cache, no-store');
  return response.json() as Record<string, unknown>;
}

/** A whole body without its two texts for people, which must name the error. */
function expectRefusal(
  body: Record<string, unknown>,
  { step, key, value }: { step?: number; key?: string; value?: string },
): void {
  const { detail, allowed, ...rest } = body;
  expect(rest).toStrictEqual({
    type: 'about:blank',
    title: 'Unprocessable Entity',
    status: 422,
    code: 'invalid_transformation',
    ...(step === undefined ? {} : { step }),
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
  });
  expect(allowed).toMatch(/\S/);
  expect(detail).toContain(allowed);
  if (step !== undefined) expect(detail).toContain(`step ${step}`);
  if (key !== undefined) expect(detail).toContain(`\`${key}\``);
}

describe('a number of a token', () => {
  it('is a fraction if it has a decimal point, in mandatory steps and presets too', async () => {
    const sign = (steps: string): string =>
      `/images/${tenant.imageId}?token=${mint({
        payload: `{"iss":"${tenant.issuerId}","transformations":${steps}}`,
        key: { secret: createSecretKey(Buffer.from(tenant.secret)) },
      })}`;
    const chainOf = async (path: string): Promise<string | undefined> =>
      (await service.image(path)).shown?.components.slice(3).join('/');
    expect(await chainOf(sign('[{"width":1.0,"height":1}]'))).toBe('h_1,w_1.0');
    const policy =
      '{"policy":{"mandatory_steps":[{"width":1.0}],"presets":{"half":[{"height":2.0,"opacity":40.0}]}}}';
    const response = await request({
      port: service.port,
      path: `/admin/issuers/${tenant.issuerId}`,
      method: 'PATCH',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: policy,
    });
    service.model.record('PATCH', `/issuers/${tenant.issuerId}`, response);
    expect(response.json()).toMatchObject({
      policy: {
        mandatory_steps: [{ width: '1.0' }],
        presets: { half: [{ height: '2.0', opacity: 40 }] },
      },
    });
    expect(await chainOf(sign('[{"preset":"half"}]'))).toBe('h_2.0,o_40/w_1.0');
    await service.admin('PATCH', `/issuers/${tenant.issuerId}`, { policy: {} });
  });
});

describe('texts and names as forms submit them', () => {
  it.each([
    [
      { overlay: { text: 'a\u0007b', font_family: 'Arial', font_size: 40 } },
      'a text layer whose `text` is a text without the character U+0007; line breaks are the only control characters allowed',
    ],
    [
      { overlay: { text: 5, font_family: 'Arial', font_size: 40 } },
      'a text layer whose `text` is a string, exactly as it should be shown: "19.90"',
    ],
    [
      { overlay: 'text:secret.otf_40:Hi' },
      'a font file (`.ttf`, `.otf`, `.woff2`) is registered as an overlay, whose id is the `font_family`',
    ],
    [{ flags: 'attachment:report.2024' }, 'plain or percent-encoded, and `%2E` for a dot'],
  ])('are refused with the violated rule: %j', async (step, allowed) => {
    const body = await refusalOf([step]);
    expect(body['allowed']).toContain(allowed);
  });

  it.each([
    [
      { overlay: { text: 'a\r\nb', font_family: 'Noto_Sans.JP', font_size: 40 } },
      'l_text:Noto_Sans.JP_40:a%0Ab',
    ],
    [{ transformation: 'media lib thumb' }, 't_media%20lib%20thumb'],
  ])('are accepted: %j', async (step, component) => {
    const { shown } = await service.image(tenant.path({ transformations: [step] }));
    expect(shown?.components.at(-1)).toBe(component);
  });
});

describe('a value outside its grammar', () => {
  it.each<[key: string, value: unknown, shown?: string]>([
    ['width', 0],
    ['width', -1],
    ['width', 1e9],
    ['width', true],
    ['width', 'NaN'],
    ['width', '1e3'],
    ['width', '100,l_x'],
    ['width', '10,e_sepia/l_private:secret'],
    ['width', '100/l_x'],
    ['width', '１００'],
    ['width', ' 100'],
    ['width', '100\n'],
    ['width', {}],
    ['width', [100]],
    ['height', '$h'],
    ['height', 'if_w_gt_1'],
    ['crop', 'fill/l_x'],
    ['crop', 'fill，w_1'],
    ['crop', 'fill%2Cw_1'],
    ['crop', 'fill%252Cw_1'],
    ['crop', 'fill%2Fl_x'],
    ['crop', 'FILL'],
    ['crop', ' '],
    ['crop', 'constructor'],
    ['gravity', 'south,l_x'],
    ['angle', '90/l_x'],
    ['x', '1,y_2'],
    ['color', 'red,l_x'],
    ['background', '#fff/l_x'],
    ['effect', 'sepia,l_x'],
    ['effect', 'sepia:50/l_x'],
    ['effect', 'displace:other_asset'],
    ['border', '1px_solid_red/l_x'],
    ['radius', 'max/l_x'],
    ['opacity', 101],
    ['quality', 'auto/l_x'],
    ['fetch_format', 'jpg.png'],
    ['dpr', '2.0,w_1'],
    ['flags', 'tiled,l_x'],
    ['flags', 'tiled/l_x'],
    ['flags', ['tiled', 'cutter/l_x']],
    ['flags', {}],
    ['flags', 'attachment:a,b'],
    ['flags', 'attachment:..%2f'],
    ['transformation', 'named/l_x'],
    ['transformation', [{ overlay: 'x' }]],
    ['transformation', { raw_transformation: 'l_x' }],
    ['prefix', 'a/b'],
    ['page', '1,l_x'],
    ['default_image', 'other.jpg'],
    ['size', '100x100,l_x'],
    ['aspect_ratio', '16:9/l_x'],
    ['zoom', 'Infinity'],
    ['density', 0],
    ['delay', '1;2'],
    ['color_space', 'icc:secret.icc'],
  ])('is refused with step and key: %s %j', async (key, value) => {
    const body = await refusalOf([{ width: 5 }, { [key]: value }]);
    expectRefusal(body, { step: 2, key, value: String(body['value']) });
    expect(body['detail']).toContain(body['value']);
  });

  it('is shown in at most 100 characters, without control characters', async () => {
    const value = `\u001b[31m\u202e${'x'.repeat(500)}`;
    const body = await refusalOf([{ crop: value }]);
    expectRefusal(body, { step: 1, key: 'crop', value: String(body['value']) });
    expect(String(body['value']).length).toBeLessThanOrEqual(100);
    expect(JSON.stringify(body)).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  it('is the first of several that is reported', async () => {
    const body = await refusalOf([{ width: 5, crop: 'fit' }, { height: 0, width: -1 }, { crop: 'x' }]);
    expectRefusal(body, { step: 2, key: 'height', value: '0' });
  });
});

describe('a layer that is neither a row nor a text', () => {
  it.each(
    ['overlay', 'underlay'].flatMap((key) =>
      [
        'fetch:aHR0cHM6Ly9ldmlsLmV4YW1wbGUvYS5wbmc=',
        'fetch:https://evil.example/a.png',
        'video:clip',
        'audio:clip',
        'lut:x.3dl',
        'subtitles:x.srt',
        'logo',
        'folder:logo',
        'folder/logo',
        'authenticated:x',
        'private:d47e609177b4',
        'd47e609177b4',
        'text:',
        'text:Arial_20:',
        'text:Arial_20:a,w_1',
        'text:Arial_20:a/l_x',
        'text:Arial_20:%2C',
        'text:Arial_20:%2F',
        'text:Arial_20:%24(w)',
        'text:Arial_20:$(w)',
        'text:Arial_20:%zz',
        'text:evil.docx:Hello',
        'text:private:x:y',
        '',
        {},
        [],
        null,
        true,
        12,
        { url: 'https://evil.example/a.png' },
        { public_id: 'logo' },
        { resource_type: 'fetch', url: 'https://evil.example' },
        { public_id: 'x', type: 'authenticated' },
        { text: 'a' },
        { text: 'a', font_family: 'Arial', font_size: 20, evil: 1 },
        { text: '$(w)', font_family: 'Arial', font_size: 20 },
        { text: 'a', font_family: 'Arial,l_x', font_size: 20 },
      ].map((value) => [key, value] as const),
    ),
  )('is refused: %s %j', async (key, value) => {
    const body = await refusalOf([{ [key]: value }]);
    expectRefusal(body, { step: 1, key, value: String(body['value']) });
  });

  it.each(['overlay', 'underlay'])('is refused beside a valid one, as %s', async (key) => {
    const body = await refusalOf([{ overlay: tenant.overlayId }, { [key]: 'fetch:aHR0' }]);
    expectRefusal(body, { step: 2, key, value: '"fetch:aHR0"' });
  });
});

describe('the list of steps', () => {
  it.each<[transformations: unknown, value: string]>([
    [{}, '{}'],
    [{ width: 5 }, '{"width":5}'],
    ['w_5', '"w_5"'],
    ['', '""'],
    [5, '5'],
    [true, 'true'],
    [null, 'null'],
  ])('that is not an array is refused: %j', async (transformations, value) => {
    expectRefusal(await refusalOf(transformations), { key: 'transformations', value });
  });

  it.each<[step: unknown, value: string]>([
    [null, 'null'],
    ['w_5', '"w_5"'],
    [5, '5'],
    [[], '[]'],
    [[{ width: 5 }], '[{"width":5}]'],
    [false, 'false'],
  ])('with a step that is not an object is refused: %j', async (step, value) => {
    expectRefusal(await refusalOf([{ width: 5 }, step]), { step: 2, value });
  });

  it('holds 32 steps and no more', async () => {
    const steps = (count: number): unknown[] => Array.from({ length: count }, (_, x) => ({ x }));
    const { shown } = await service.image(tenant.steps(...steps(32)));
    expect(shown?.components.slice(3)).toStrictEqual(Array.from({ length: 32 }, (_, x) => `x_${x}`));
    const body = await refusalOf(steps(33));
    expectRefusal(body, { key: 'transformations', value: String(body['value']) });
    expect(body['allowed']).toBe('an array of at most 32 steps');
  });

  it('holds 10 layers and no more, rows and texts, overlays and underlays together', async () => {
    const layers = Array.from({ length: 11 }, (_, index) => ({
      [index % 2 === 0 ? 'overlay' : 'underlay']: index % 3 === 0 ? tenant.overlayId : 'text:style:a',
    }));
    const { shown } = await service.image(tenant.steps(...layers.slice(0, 10)));
    expect(shown?.components).toHaveLength(13);
    expectRefusal(await refusalOf(layers), { step: 11, key: 'overlay' });
    const both = Array.from({ length: 6 }, () => ({ overlay: tenant.overlayId, underlay: tenant.overlayId }));
    expect((await refusalOf(both))['step']).toBe(6);
  });

  it('whose URL is over 4 KiB is refused', async () => {
    const text = (length: number): object => ({
      overlay: { text: 'x'.repeat(length), font_family: 'Arial', font_size: 20 },
    });
    const longest = Array.from({ length: 8 }, () => text(440));
    const { shown, headers } = await service.image(tenant.steps(...longest));
    const length = String(headers.location).split('#')[1]?.length ?? 0;
    expect(shown?.components).toHaveLength(11);
    expect(length).toBeLessThanOrEqual(4096);
    expect(length).toBeGreaterThan(3500);
    const over = [...longest, text(4096 - length)];
    const body = await refusalOf(over);
    expect(body).toStrictEqual(
      problem(
        422,
        'invalid_transformation',
        expect.stringMatching(
          /^The delivery URL would be \d+ characters long; 4096 are allowed\. Sign a token with fewer or shorter steps\.$/,
        ) as string,
      ),
    );
  });
});

describe('an unusable key', () => {
  const step = { width: 200, crop: 'fit' };

  it.each<[key: string, value: unknown]>([
    ['raw_transformation', 'l_private:secret'],
    ['raw_transformation', ['e_sepia', 'l_x']],
    ['custom_function', { function_type: 'remote', source: 'https://evil.example' }],
    ['custom_pre_function', { function_type: 'remote', source: 'https://evil.example' }],
    ['secure_distribution', 'evil.example'],
    ['private_cdn', true],
    ['cname', 'evil.example'],
    ['cdn_subdomain', true],
    ['cloud_name', 'evil'],
    ['sign_url', false],
    ['secure', false],
    ['type', 'fetch'],
    ['resource_type', 'raw'],
    ['if', 'w_gt_100'],
    ['if', 'end'],
    ['else', 'x'],
    ['$x', 10],
    ['$secret', '!x!'],
    ['variables', [['$x', 10]]],
    ['constructor', { name: 'x' }],
    ['toString', 'x'],
    ['hasOwnProperty', 1],
    ['url_suffix', 'x'],
    ['use_root_path', true],
    ['shorten', true],
    ['version', 9],
    ['format', 'png'],
    ['public_id', 'other'],
    ['auth_token', { key: '00' }],
    ['api_secret', 'x'],
    ['force_version', true],
    ['urlAnalytics', true],
    ['start_offset', 1],
    ['video_codec', 'h264'],
    ['responsive_width', true],
    ['', 1],
    ['startOffset', 1],
    ['miaim', 'hey hey !'],
    ['super_plop', { deep: [1, 2, 3] }],
  ])('is ignored: the Location equals that without %s %j', async (key, value) => {
    const without = await service.image(tenant.steps(step));
    const before = await service.image(tenant.steps({ [key]: value, ...step }));
    const after = await service.image(tenant.steps({ ...step, [key]: value }));
    expect(without.status).toBe(302);
    expect(before.headers.location).toBe(without.headers.location);
    expect(after.headers.location).toBe(without.headers.location);
    const alone = await service.image(tenant.steps({ [key]: value }, step));
    expect(alone.headers.location).toBe(without.headers.location);
  });

  it.each([
    ['widht', 'width'],
    ['w', 'width'],
    ['l', 'overlay'],
    ['width ', 'width'],
    ['Width', 'width'],
    ['overlays', 'overlay'],
    ['fetchFormat', 'fetch_format'],
    ['presets', 'preset'],
  ])('is refused if it resembles a known one, with the whole problem: %j', async (key, near) => {
    const { status, json } = await service.image(tenant.steps(step, { [key]: 1 }));
    expect(status).toBe(422);
    expect(json()).toStrictEqual({
      type: 'about:blank',
      title: 'Unprocessable Entity',
      status: 422,
      code: 'invalid_transformation',
      detail:
        `Transformation refused: step 2, \`${key}\` is not a parameter. Did you mean \`${near}\`? ` +
        'Fix the step; if a token contains it, sign a new one.',
      step: 2,
      key,
      near,
      allowed: `\`${near}\``,
    });
  });

  it('is ignored: __proto__, as JSON has it', async () => {
    const withProto = JSON.parse(
      '{"width":200,"crop":"fit","__proto__":{"overlay":"logo","height":5}}',
    ) as object;
    const [without, polluted] = [
      await service.image(tenant.steps(step)),
      await service.image(tenant.steps(withProto)),
    ];
    expect(JSON.stringify(withProto)).toContain('__proto__');
    expect(polluted.headers.location).toBe(without.headers.location);
  });
});

describe('flags', () => {
  it.each<[flags: unknown, withLayer: string, alone: string]>([
    ['tiled', 'fl_tiled,l_private:d47e609177b4,w_5', 'w_5'],
    ['cutter', 'fl_cutter,l_private:d47e609177b4,w_5', 'w_5'],
    ['region_relative', 'fl_region_relative,l_private:d47e609177b4,w_5', 'w_5'],
    ['no_overflow', 'fl_no_overflow,l_private:d47e609177b4,w_5', 'w_5'],
    ['lossy', 'fl_lossy,l_private:d47e609177b4,w_5', 'fl_lossy,w_5'],
    ['layer_apply', 'fl_layer_apply,l_private:d47e609177b4,w_5', 'fl_layer_apply,w_5'],
    [['tiled', 'lossy'], 'fl_tiled.lossy,l_private:d47e609177b4,w_5', 'fl_lossy,w_5'],
  ])('%j apply to a layer or to the image', async (flags, withLayer, alone) => {
    const layered = await service.image(tenant.steps({ width: 5, overlay: tenant.overlayId, flags }));
    expect(layered.shown?.components.at(-1)).toBe(withLayer);
    const { shown } = await service.image(tenant.steps({ width: 5, flags }));
    expect(shown?.components.at(-1)).toBe(alone);
  });

  it('of a layer on a step without one leave no component', async () => {
    const { shown } = await service.image(tenant.steps({ flags: 'tiled' }, { width: 5 }));
    expect(shown?.components.slice(3)).toStrictEqual(['w_5']);
  });
});

describe('layers by row', () => {
  it.each<[publicId: string, deliveryType: string, written: string]>([
    ['a/b/c', 'private', 'private:a:b:c'],
    ['brand/logo', 'upload', 'brand:logo'],
    ['brand/logo', 'authenticated', 'authenticated:brand:logo'],
    ['with space', 'private', 'private:with%20space'],
    ['a,b', 'upload', 'a%252Cb'],
    ['写真', 'private', 'private:%E5%86%99%E7%9C%9F'],
  ])('are written in full: %s, %s', async (public_id, delivery_type, written) => {
    const { id } = await post<{ id: string }>(service, '/overlays', {
      issuer_id: tenant.issuerId,
      public_id,
      delivery_type,
    });
    for (const [key, code] of [
      ['overlay', 'l'],
      ['underlay', 'u'],
    ] as const) {
      const { shown } = await service.image(tenant.steps({ [key]: id }));
      expect(shown?.components.at(-1)).toBe(`${code}_${written}`);
    }
  });

  it.each([
    ...['fetch/aHR0cDovL2V2aWw', 'text/x', 'video/x', 'private/x', 'authenticated/x'],
    // Another issuer's `ou1`, as a PNG.
    'ou1.png',
  ])(
    'that Cloudinary would read as another asset are refused, however they were stored: %s',
    async (public_id) => {
      const row = { issuer_id: tenant.issuerId, public_id, delivery_type: 'upload' };
      expect((await service.admin('POST', '/overlays', row)).status).toBe(422);
      const id = randomUUID();
      await service.app
        .get(DataSource)
        .query('INSERT INTO overlays (id, issuer_id, public_id, delivery_type) VALUES ($1, $2, $3, $4)', [
          id,
          ...Object.values(row),
        ]);
      for (const key of ['overlay', 'underlay', 'default_image']) {
        expectRefusal(await refusalOf([{ [key]: id }]), { step: 1, key, value: `"${id}"` });
      }
    },
  );

  it('as default_image must have delivery type upload', async () => {
    const uploaded = await post<{ id: string }>(service, '/overlays', {
      issuer_id: tenant.issuerId,
      public_id: 'placeholder',
      delivery_type: 'upload',
    });
    const { shown } = await service.image(tenant.steps({ default_image: uploaded.id }));
    expect(shown?.components.at(-1)).toBe('d_placeholder');
    const body = await refusalOf([{ default_image: tenant.overlayId }]);
    expectRefusal(body, { step: 1, key: 'default_image', value: `"${tenant.overlayId}"` });
  });
});

describe('the viewer’s name in the image', () => {
  it.each<[text: string, written: string]>([
    ['Zoë / 50% off, now', 'Zo%C3%AB%20%252F%2050%25%20off%252C%20now'],
    ["O'Brien (x)", "O'Brien%20%28x%29"],
    ['l_x', 'l_x'],
    ['写真 🙂', '%E5%86%99%E7%9C%9F%20%F0%9F%99%82'],
  ])('%j is escaped as the SDK does', async (text, written) => {
    const overlay = { text, font_family: 'Arial', font_size: 40, font_weight: 'bold' };
    const { shown } = await service.image(tenant.steps({ overlay, gravity: 'south', y: 20 }));
    expect(shown?.components.at(-1)).toBe(`g_south,l_text:Arial_40_bold:${written},y_20`);
  });
});
