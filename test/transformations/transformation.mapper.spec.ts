import { describe, expect, it } from 'vitest';
import { InvalidTransformationError } from '../../src/transformations/transformation.errors.js';
import {
  type LayerAsset,
  MAX_LAYERS,
  MAX_STEPS,
  TransformationMapper,
} from '../../src/transformations/transformation.mapper.js';

const mapper = new TransformationMapper();
const OVERLAY = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
const OTHER = '0b6a3f0e-2c0f-4c55-9d1b-5a5f2f1f7a11';
const row = (deliveryType: LayerAsset['deliveryType'], publicId: string): ReadonlyMap<string, LayerAsset> =>
  new Map([[OVERLAY, { deliveryType, publicId }]]);
const SEED_ROW = row('private', 'd47e609177b4');

/** The error of `map`, as a client receives it. */
function refusal(transformations: unknown, overlays = SEED_ROW): InvalidTransformationError {
  try {
    mapper.map(transformations).components(overlays);
  } catch (error) {
    if (error instanceof InvalidTransformationError) {
      return error;
    }
    throw error;
  }
  throw new Error('accepted');
}

describe('TransformationMapper', () => {
  it('writes the seed’s two steps, and reports the ignored keys', () => {
    const chain = mapper.map([
      { width: 200, overlay: OVERLAY, flags: 'tiled', miaim: 'hey hey !', super_plop: 'test?' },
      { width: 101, flags: 'tiled', height: 102, crop: 'fit' },
    ]);
    expect(chain.overlayIds).toEqual([OVERLAY]);
    expect(chain.components(SEED_ROW)).toEqual([
      'fl_tiled,l_private:d47e609177b4,w_200',
      'c_fit,h_102,w_101',
    ]);
    expect(chain.steps.map(({ step, ignored }) => ({ step, ignored }))).toEqual([
      {
        step: 1,
        ignored: [
          { key: 'miaim', reason: 'unknown parameter' },
          { key: 'super_plop', reason: 'unknown parameter' },
        ],
      },
      {
        step: 2,
        ignored: [{ key: 'flags', reason: '`tiled` acts only on a layer, and this step has none' }],
      },
    ]);
  });

  it.each([
    {
      rule: 'the delivery type of the row precedes its public id',
      steps: [{ overlay: OVERLAY, width: 800, crop: 'fit', x: 800 }],
      overlays: row('authenticated', '3bc669b21d8e'),
      components: ['c_fit,l_authenticated:3bc669b21d8e,w_800,x_800'],
    },
    { rule: 'an angle', steps: [{ angle: 90 }], overlays: SEED_ROW, components: ['a_90'] },
    {
      rule: 'the string of a text layer is kept',
      steps: [{ overlay: 'text:sample_text_style:Stylish%20text', gravity: 'south' }],
      overlays: SEED_ROW,
      components: ['g_south,l_text:sample_text_style:Stylish%20text'],
    },
    {
      rule: 'values of a query are strings',
      steps: [{ width: '201', height: '202', crop: 'fit' }],
      overlays: SEED_ROW,
      components: ['c_fit,h_202,w_201'],
    },
    {
      rule: 'each layer step is its own component, in order',
      steps: [
        { overlay: OVERLAY, x: 1 },
        { underlay: OVERLAY, x: 2 },
        { overlay: OVERLAY, x: 3 },
      ],
      overlays: row('upload', 'logo'),
      components: ['l_logo,x_1', 'u_logo,x_2', 'l_logo,x_3'],
    },
  ])('follows the rule: $rule', ({ steps, overlays, components }) => {
    expect(mapper.map(steps).components(overlays)).toEqual(components);
  });

  it('maps an empty list to no components', () => {
    expect(mapper.map(undefined).components(new Map())).toEqual([]);
    expect(mapper.map([]).components(new Map())).toEqual([]);
  });

  it('leaves out a step without effective keys, and keeps its number', () => {
    const chain = mapper.map([{ plop: 1 }, {}, { flags: 'tiled' }, { width: 1 }]);
    expect(chain.components(new Map())).toEqual(['w_1']);
    expect(chain.steps.map((step) => step.component(new Map()))).toEqual(['', '', '', 'w_1']);
  });

  it("sorts a component's parameters by their short codes, as the SDK does", () => {
    const everything = {
      zoom: 1,
      y: 2,
      x: 1,
      width: 1,
      underlay: OVERLAY,
      transformation: 't',
      radius: 1,
      quality: 1,
      prefix: 'p',
      page: 1,
      overlay: OVERLAY,
      opacity: 1,
      height: 1,
      gravity: 'north',
      fps: 1,
      flags: 'tiled',
      fetch_format: 'png',
      effect: 'sepia',
      dpr: 1,
      density: 1,
      delay: 1,
      default_image: OVERLAY,
      crop: 'fit',
      color_space: 'srgb',
      color: 'red',
      border: '1px_solid_red',
      background: 'red',
      aspect_ratio: 1,
      angle: 1,
    };
    expect(mapper.map([everything]).components(row('upload', 'i'))).toEqual([
      'a_1,ar_1,b_red,bo_1px_solid_red,c_fit,co_red,cs_srgb,d_i,dl_1,dn_1,dpr_1,e_sepia,f_png,fl_tiled,fps_1,' +
        'g_north,h_1,l_i,o_1,p_p,pg_1,q_1,r_1,t_t,u_i,w_1,x_1,y_2,z_1',
    ]);
  });

  it('lets `size` override width and height, as the SDK does, and reports it', () => {
    const [step] = mapper.map([{ width: 1, size: '10x20' }]).steps;
    expect(step?.component(new Map())).toBe('h_20,w_10');
    expect(step?.ignored).toEqual([{ key: 'width', reason: 'overridden by `size`' }]);
  });

  it('requests each row once, by its id in lower case', () => {
    const chain = mapper.map([
      { overlay: OVERLAY.toUpperCase() },
      { underlay: OVERLAY },
      { default_image: OTHER },
    ]);
    expect(chain.overlayIds).toEqual([OVERLAY, OTHER]);
  });

  it('throws a plain error if a row was not resolved before it was used', () => {
    expect(() => mapper.map([{ overlay: OVERLAY }]).components(new Map())).toThrow(
      /^Overlay .* was not resolved/,
    );
  });

  describe('keys that never have an effect', () => {
    const HOSTILE = JSON.parse(
      `{"raw_transformation":"l_secret","custom_function":{"function_type":"remote","source":"https://example.org"},
        "custom_pre_function":{"function_type":"wasm","source":"x"},"secure_distribution":"evil.example.org",
        "private_cdn":true,"cname":"evil.example.org","cloud_name":"other","sign_url":false,"type":"upload",
        "if":"w_gt_1","$x":1,"$width":"!a!","variables":[["$a",1]],"__proto__":{"width":1},"constructor":{"width":1},
        "prototype":1,"toString":"x","startOffset":1,
        "responsive_width":true,"format":"png","version":1,"start_offset":1,"video_codec":"h264","":1}`,
    ) as Record<string, unknown>;

    it.each(Object.keys(HOSTILE))('ignores `%s` with a reason', (key) => {
      const value = Object.getOwnPropertyDescriptor(HOSTILE, key)?.value as unknown;
      const step = Object.defineProperty({ width: 5 }, key, { value, enumerable: true });
      const [mapped] = mapper.map([step]).steps;
      expect(mapped?.component(new Map())).toBe('w_5');
      expect(mapped?.ignored).toEqual([{ key, reason: expect.stringMatching(/^[a-z].*[^.]$/) as string }]);
    });

    it('are ignored: the step is written as without them', () => {
      expect(mapper.map([HOSTILE]).components(new Map())).toEqual([]);
      expect(mapper.map([{ ...HOSTILE, width: 5 }]).components(new Map())).toEqual(['w_5']);
    });
  });

  describe('an unknown key that resembles a known one', () => {
    it.each([
      ['widht', 'width'],
      ['WIDTH', 'width'],
      ['aspectRatio', 'aspect_ratio'],
      ['defaultImage', 'default_image'],
      ['overlays', 'overlay'],
      ['presets', 'preset'],
      ['w', 'width'],
      ['l', 'overlay'],
    ])('is refused: `%s`, naming `%s`', (key, near) => {
      const steps = [{ height: 5 }, { [key]: 1, height: 5 }];
      const refuse = (): unknown => mapper.map(steps);
      expect(refuse).toThrow(
        `Transformation refused: step 2, \`${key}\` is not a parameter. Did you mean \`${near}\`? Fix the step`,
      );
      expect(refuse).toThrow(
        expect.objectContaining({
          status: 422,
          code: 'invalid_transformation',
          extensions: { step: 2, key, near, allowed: `\`${near}\`` },
        }),
      );
      const [, lenient] = mapper.map(steps, [], true).steps;
      expect(lenient?.component(new Map())).toBe('h_5');
      expect(lenient?.ignored).toStrictEqual([{ key, reason: 'unknown parameter', near }]);
    });

    it.each([
      [
        { font_famly: 'Arial', font_size: 20, text: 'a' },
        'a text layer with `font_family` instead of `font_famly`',
      ],
      [
        { fontFamily: 'Arial', font_size: 20, text: 'a' },
        'a text layer with `font_family` instead of `fontFamily`',
      ],
      [{ font_family: 'Arial', font_size: 20, txt: 'a' }, 'a text layer with `text` instead of `txt`'],
      [{ text_styles: 'Arial_20', text: 'a' }, 'a text layer with `text_style` instead of `text_styles`'],
    ])('is refused in a text layer: %j', (overlay, allowed) => {
      expect(() => mapper.map([{ overlay }], [], true)).toThrow(
        expect.objectContaining({
          status: 422,
          extensions: { step: 1, key: 'overlay', value: JSON.stringify(overlay), allowed },
        }),
      );
    });
  });

  describe('flags of layers', () => {
    it.each([
      ['a step with an overlay', [{ overlay: OVERLAY, flags: 'tiled' }], ['fl_tiled,l_logo']],
      ['a step with an underlay', [{ underlay: OVERLAY, flags: 'relative' }], ['fl_relative,u_logo']],
      [
        'the step that closes a layer, and those between',
        [
          { overlay: OVERLAY },
          { width: 0.3, flags: 'relative' },
          { flags: ['layer_apply', 'tiled'] },
          { width: 5, flags: 'cutter' },
        ],
        ['l_logo', 'fl_relative,w_0.3', 'fl_layer_apply.tiled', 'w_5'],
      ],
      [
        'nested layers',
        [
          { overlay: OVERLAY },
          { overlay: 'text:Arial_40:Hi' },
          { flags: 'layer_apply.no_overflow' },
          { flags: 'layer_apply.no_overflow' },
          { flags: 'layer_apply.no_overflow' },
        ],
        [
          'l_logo',
          'l_text:Arial_40:Hi',
          'fl_layer_apply.no_overflow',
          'fl_layer_apply.no_overflow',
          'fl_layer_apply',
        ],
      ],
    ] as const)('are kept on %s', (_, steps, components) => {
      expect(mapper.map(steps).components(row('upload', 'logo'))).toEqual(components);
    });
  });

  describe('public ids of layers', () => {
    it.each([
      ['private', 'a/b/c', 'l_private:a:b:c'],
      ['upload', 'a/b', 'l_a:b'],
      ['upload', 'private', 'l_private'],
      ['private', 'text/a', 'l_private:text:a'],
      ['authenticated', 'été 1', 'l_authenticated:%C3%A9t%C3%A9%201'],
      ['upload', 'a,b', 'l_a%252Cb'],
      ['upload', 'a?b#c&d', 'l_a%3Fb%23c%26d'],
      // Not a format of Cloudinary: the part after the dot belongs to the id.
      ['upload', 'photo.2024', 'l_photo.2024'],
      ['private', 'v1.png/logo', 'l_private:v1.png:logo'],
      ['upload', 'logo.final_3', 'l_logo.final_3'],
      ['upload', 'a.photograph', 'l_a.photograph'],
    ] as const)('writes %s %s as %s', (deliveryType, publicId, component) => {
      expect(mapper.map([{ overlay: OVERLAY }]).components(row(deliveryType, publicId))).toEqual([component]);
    });

    it.each([
      ['upload', 'fetch/aHR0cDovL2V4YW1wbGUub3Jn'],
      ['upload', 'private/secret'],
      ['upload', 'Text/Arial_40/x'],
      ['upload', 'video/dog'],
      ['private', 'a:b'],
      ['private', 'a%2Cb'],
      ['private', '$(x)'],
      ['private', 'a//b'],
      ['private', ''],
      ['private', 'a\r\nb'],
      ['private', 'a\ud800'],
      ...['png', 'JPG', 'jpeg', 'webp', 'ai', 'jp2', '3ds', 'eps3'].flatMap((extension) =>
        (['upload', 'private', 'authenticated'] as const).map(
          (deliveryType) => [deliveryType, `marks/ou1.${extension}`] as const,
        ),
      ),
    ] as const)('refuses %s %j, whose spelling would name another asset', (deliveryType, publicId) => {
      const error = refusal([{ width: 1 }, { overlay: OVERLAY }], row(deliveryType, publicId));
      expect(error.extensions).toMatchObject({ step: 2, key: 'overlay', value: `"${OVERLAY}"` });
    });

    it('accepts a default image only from an uploaded overlay', () => {
      const steps = [{ default_image: OVERLAY }];
      expect(mapper.map(steps).components(row('upload', 'docs/avatar'))).toEqual(['d_docs:avatar']);
      expect(refusal(steps, row('private', 'avatar')).extensions).toMatchObject({
        step: 1,
        key: 'default_image',
      });
    });

    it.each(['overlay', 'underlay', 'default_image'])(
      'refuses an extension in %s, which Cloudinary reads as a format: `ou1.png` is another row’s `ou1`',
      (key) => {
        const error = refusal([{ width: 1 }, { [key]: OVERLAY }], row('upload', 'ou1.png'));
        expect(error.status).toBe(422);
        expect(error.extensions).toMatchObject({
          step: 2,
          key,
          value: `"${OVERLAY}"`,
          allowed: expect.stringContaining('does not end like a file (`.png`)') as string,
        });
      },
    );
  });

  describe('limits', () => {
    it.each([null, {}, 'w_1', 5, true, { 0: { width: 1 }, length: 1 }])(
      'refuses %j as transformations',
      (value) => {
        expect(refusal(value).extensions).toMatchObject({ key: 'transformations' });
      },
    );

    it.each([null, 5, 'w_1', [], [{ width: 1 }], true, new Date(0), new Map()])(
      'refuses %j as a step',
      (step) => {
        expect(refusal([{ width: 1 }, step]).extensions).toMatchObject({ step: 2 });
      },
    );

    it(`takes ${MAX_STEPS} steps and refuses one more`, () => {
      const steps = Array.from({ length: MAX_STEPS }, () => ({ width: 1 }));
      expect(mapper.map(steps).components(new Map())).toHaveLength(MAX_STEPS);
      expect(refusal([...steps, {}]).extensions).toMatchObject({ key: 'transformations' });
    });

    it(`takes ${MAX_LAYERS} layers and refuses one more`, () => {
      const steps: Record<string, unknown>[] = Array.from({ length: MAX_LAYERS / 2 }, () => ({
        overlay: OVERLAY,
        underlay: 'text:Arial_40:Hi',
      }));
      expect(mapper.map(steps).components(SEED_ROW)).toHaveLength(MAX_LAYERS / 2);
      expect(refusal([...steps, { underlay: OVERLAY }]).extensions).toEqual({
        step: MAX_LAYERS / 2 + 1,
        key: 'underlay',
        allowed: `at most ${MAX_LAYERS} layers in all steps together`,
      });
    });
  });

  describe('a refusal', () => {
    it('names step, key, value and the allowed range', () => {
      const error = refusal([{ crop: 'fit' }, { crop: 'fit', quality: 101 }]);
      expect({
        status: error.status,
        code: error.code,
        detail: error.detail,
        extensions: error.extensions,
      }).toEqual({
        status: 422,
        code: 'invalid_transformation',
        detail: expect.stringMatching(
          /^Transformation refused: step 2, `quality` cannot be 101\. Allowed: a whole/,
        ) as string,
        extensions: {
          step: 2,
          key: 'quality',
          value: '101',
          allowed: expect.stringContaining('from 1 to 100') as string,
        },
      });
    });

    it('reports the range of the intended effect', () => {
      expect(refusal([{ effect: 'blur:3000' }]).extensions['allowed']).toBe(
        '`blur` with optionally a whole number from 1 to 2000',
      );
      expect(refusal([{ effect: 'blurr' }]).extensions['allowed']).toMatch(/^one of adv_redeye, /);
    });

    it.each([
      ['long text', 'a'.repeat(5000)],
      ['many astral characters', '🙂'.repeat(500)],
      ['control and format characters', `\u0000\r\n\u202e\u2028\ud800`.repeat(9)],
      ['deep nesting', JSON.parse('['.repeat(500) + ']'.repeat(500)) as unknown],
      ['no number', Number.NaN],
      ['true', true],
    ])('shows %s bounded and printable', (_, width) => {
      const { value } = refusal([{ width }]).extensions;
      expect(value).toMatch(/^[^\p{C}\u2028\u2029]{1,100}$/u);
    });
  });
});
