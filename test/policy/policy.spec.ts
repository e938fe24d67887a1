import { describe, expect, it } from 'vitest';
import { createBaseChain, selectBaseChain } from '../../src/policy/base-chain.js';
import { checkChain, checkEffects } from '../../src/policy/check-chain.js';
import { checkToken, expiryOf } from '../../src/policy/check-token.js';
import { compilePolicy, findPolicyFaults, readStoredPolicy } from '../../src/policy/compile-policy.js';
import { expandSteps } from '../../src/policy/expand-steps.js';
import { checkOwnSteps } from '../../src/policy/check-own-steps.js';
import { POLICY_MEMBERS } from '../../src/policy/policy-members.js';
import { PolicyViolationError } from '../../src/policy/policy.errors.js';
import type { PolicyDocument } from '../../src/policy/policy.js';
import {
  findDefaultPolicyFaults,
  parsePolicy,
  readDefaultPolicy,
  RECOMMENDED_POLICY,
} from '../../src/policy/recommended-policy.js';
import { cacheLifetime, maxAgeAt } from '../../src/policy/cache-lifetime.js';
import type { ProblemExtensions } from '../../src/domain/problem.error.js';
import { readClaims, type TokenClaims } from '../../src/tokens/token-claims.js';
import {
  EFFECT_NAMES,
  expandEffectGroups,
  GROUPED_EFFECTS,
} from '../../src/transformations/effect-groups.js';
import { EFFECTS } from '../../src/transformations/effects.js';
import { InvalidTransformationError } from '../../src/transformations/transformation.errors.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { readBlocks } from '../support/readme.js';

const ISSUER = 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1';
const LOGO = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
const NOW = 1_800_000_000;
const TEXT = { text: 'Jane', font_family: 'Arial', font_size: 20 };

const claimsOf = (payload: Parameters<typeof readClaims>[0]): TokenClaims => readClaims(payload, ISSUER, NOW);

/** The members of the problem that a check throws, or null. */
function violationOf(check: () => void): ProblemExtensions | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof PolicyViolationError || error instanceof InvalidTransformationError) {
      return error.extensions;
    }
    throw error;
  }
}

describe('a policy', () => {
  /** Of every member: accepted and refused values, at its bounds too. */
  const CASES: Readonly<Record<keyof PolicyDocument, { accepted: unknown[]; rejected: unknown[] }>> = {
    base_chain: {
      accepted: [
        [],
        ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'],
        ['w_100', 't_named', 'fl_attachment:my%20file.progressive:semi'],
        Array.from({ length: 8 }, () => 'q_auto'),
      ],
      rejected: [
        'q_auto',
        null,
        {},
        [''],
        [5],
        ['w_0'],
        ['w'],
        ['x_y_z'],
        ['w_100/l_private:secret'],
        ['l_private:logo'],
        ['u_text:Arial_20:hi'],
        ['d_avatar'],
        ['fl_layer_apply'],
        ['fl_tiled'],
        ['fl_nothing'],
        ['w_1,w_2'],
        ['if_w_gt_1'],
        ['$a_1'],
        ['fn_remote:x'],
        ['w_initial_width'],
        ['e_sepia,'],
        Array.from({ length: 9 }, () => 'q_auto'),
        [`w_100,e_blur:${'1'.repeat(300)}`],
      ],
    },
    allowed_keys: {
      accepted: [[], ['width', 'height', 'overlay']],
      rejected: [['w'], ['preset'], 'width', [1], null],
    },
    denied_keys: { accepted: [[], ['effect']], rejected: [['sepia'], {}, [null]] },
    allowed_effects: {
      accepted: [[], ['sepia', 'generative', 'ai', 'addon', 'gen_fill', 'imagga_crop']],
      rejected: [['sepia:50'], ['gen_'], ['Sepia'], 'sepia', [1], null, ['t_x']],
    },
    denied_effects: {
      accepted: [[], ['generative', 'upscale']],
      rejected: [['swap_image'], {}, ['generativ']],
    },
    allowed_overlays: {
      accepted: [[], [LOGO, LOGO.toUpperCase()], Array.from({ length: 500 }, () => LOGO)],
      rejected: [['logo'], LOGO, [null], {}, Array.from({ length: 501 }, () => LOGO)],
    },
    allowed_formats: {
      accepted: [[], ['auto', 'webp', 'auto:image']],
      rejected: [['mp4'], 'webp', [''], [1]],
    },
    allowed_transformations: {
      accepted: [[], ['card', 'media lib', 'media%20lib']],
      rejected: [
        ['a.b'],
        ['a,b'],
        ['a/b'],
        [''],
        [{}],
        'card',
        ['$x'],
        Array.from({ length: 501 }, () => 'a'),
      ],
    },
    text: { accepted: [false, 1, 1000], rejected: [true, 0, 1001, 1.5, '5', null, []] },
    requests_per_minute: { accepted: [1, 100_000_000], rejected: [0, 100_000_001, 1.5, '60', null] },
    new_pictures_per_day: { accepted: [1, 10_000_000], rejected: [0, 10_000_001, '5', null] },
    mandatory_steps: {
      accepted: [
        [],
        [{ overlay: LOGO, flags: 'tiled' }],
        [{ overlay: TEXT }, { opacity: 40 }, { flags: 'layer_apply', gravity: 'south' }],
        Array.from({ length: 8 }, () => ({ effect: 'sepia' })),
      ],
      rejected: [
        {},
        [1],
        [{ width: 0 }],
        [{ overlay: 'logo' }],
        [{ flags: 'layer_apply' }],
        [{ overlay: LOGO }, { flags: 'layer_apply' }, { flags: 'layer_apply' }],
        [{ flags: 'tiled' }],
        [{ miaim: 1 }],
        [{ preset: 'x' }],
        // Part of a watermark would silently be missing.
        ...[null, '', [], [''], [null]].flatMap((value) => [
          [{ overlay: LOGO, opacity: value }],
          [{ overlay: { text: 'Hi', text_style: 'Arial_40', font_weight: value } }],
          [{ overlay: value }],
        ]),
        [{ border: { width: 4, color: null } }],
        Array.from({ length: 9 }, () => ({ effect: 'sepia' })),
      ],
    },
    presets: {
      accepted: [{}, { card: [{ width: 100 }], 'a-B_9': [{ overlay: LOGO }] }],
      rejected: [
        [],
        null,
        { card: [] },
        { card: {} },
        { '': [{ width: 1 }] },
        { 'a b': [{ width: 1 }] },
        { _x: [{ width: 1 }] },
        { ['x'.repeat(65)]: [{ width: 1 }] },
        { card: [{ width: 1 }], other: [{ width: 0 }] },
        { card: [{ width: 1, height: null }] },
        { card: [{ underlay: null }] },
        { card: Array.from({ length: 17 }, () => ({ width: 1 })) },
        Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`p${index}`, [{ width: 1 }]])),
      ],
    },
    presets_only: { accepted: [true, false], rejected: ['true', 1, null] },
    max_width: { accepted: [1, 65_500], rejected: [0, 65_501, 1.5, '800', null, Infinity] },
    max_height: { accepted: [1, 65_500], rejected: [0, 65_501] },
    max_layers: { accepted: [0, 10], rejected: [-1, 11] },
    max_steps: { accepted: [0, 32], rejected: [-1, 33] },
    require_exp: { accepted: [true, false], rejected: ['no'] },
    max_token_age: { accepted: [1, 31_622_400], rejected: [0, 31_622_401] },
    require_image_id: { accepted: [true, false], rejected: [0] },
    redirect_cache: { accepted: ['no-store', 'private'], rejected: ['public', null] },
    redirect_max_age: { accepted: [1, 31_622_400], rejected: [0, 31_622_401] },
    strict: { accepted: [true, false], rejected: [null] },
    lenient: { accepted: [true, false], rejected: ['true', null] },
    claims: { accepted: ['pixseal', 'sharinpix'], rejected: ['SharinPix', true, null, ['sharinpix']] },
    deny_generative_effects: { accepted: [true, false], rejected: ['true', 1, null] },
    placeholder: { accepted: [LOGO, LOGO.toUpperCase()], rejected: ['logo', null] },
    original: { accepted: ['url', 'download', 'no'], rejected: ['yes', '', true, null, ['no']] },
    delivery: { accepted: ['redirect', 'proxy'], rejected: ['Proxy', '', true, null, ['proxy']] },
    bind_ip: { accepted: [true, false], rejected: ['10.0.0.1', 1, null] },
  };

  it.each(Object.entries(CASES))('accepts for `%s` only values in its range', (key, cases) => {
    for (const value of cases.accepted) {
      expect(findPolicyFaults({ [key]: value }), JSON.stringify(value)).toStrictEqual([]);
      expect(readStoredPolicy({ [key]: value })?.document).toStrictEqual({ [key]: value });
    }
    for (const value of cases.rejected) {
      const faults = findPolicyFaults({ [key]: value });
      expect(faults, JSON.stringify(value)).toStrictEqual([{ key, detail: expect.any(String) as string }]);
      expect(readStoredPolicy({ [key]: value })).toBeNull();
    }
  });

  it('has a case for every member', () => {
    expect(Object.keys(CASES)).toStrictEqual(Object.keys(POLICY_MEMBERS));
  });

  it.each([null, [], 'x', 5])('is an object: not %j', (document) => {
    expect(findPolicyFaults(document)).toStrictEqual([{ key: 'policy', detail: 'must be an object' }]);
  });

  it('with faults is refused naming the unknown member and the step', () => {
    expect(
      findPolicyFaults({
        max_widht: 5,
        mandatory_steps: [{ overlay: LOGO }, { width: 0 }],
        presets: { card: [{ overlay: { text: 'Hi', text_style: 'Arial_40', stroke: null } }] },
        base_chain: ['q_auto', 'w_9,l_x'],
        allowed_keys: ['width', 'hieght'],
        denied_effects: ['sepia', 'gen_restor'],
        allowed_effects: ['generatve'],
        allowed_formats: ['wepb'],
      }),
    ).toStrictEqual([
      { key: 'max_widht', detail: 'is unknown; did you mean `max_width`?' },
      {
        key: 'mandatory_steps',
        detail: expect.stringMatching(/^step 2: `width` must be a whole/) as string,
      },
      { key: 'presets', detail: '`card` step 1: `overlay.stroke` would have no effect: no value' },
      {
        key: 'base_chain',
        detail: 'component 2: `l_x` names an asset, which only a step can, by the id of its row',
      },
      { key: 'allowed_keys', detail: '`hieght` is unknown; did you mean `height`?' },
      { key: 'denied_effects', detail: '`gen_restor` is unknown; did you mean `gen_restore`?' },
      { key: 'allowed_effects', detail: '`generatve` is unknown; did you mean `generative`?' },
      { key: 'allowed_formats', detail: '`wepb` is unknown; did you mean `webp`?' },
    ]);
  });
});

describe('a fault in the steps of a policy', () => {
  it.each<[steps: unknown[], detail: string]>([
    [[{ overlays: LOGO }], 'step 1: `overlays` is not a parameter; did you mean `overlay`?'],
    [
      [{ width: 5 }, { overlay: { text: true, text_style: 'Arial_40' } }],
      'step 2: `overlay` must be a text layer whose `text` is a string',
    ],
    [
      [{ overlay: { txt: 'Hi', text_style: 'Arial_40' } }],
      'step 1: `overlay` must be a text layer with `text` instead of `txt`',
    ],
    [[5], 'step 1 must be an object of parameters, such as {"width":200,"crop":"fit"}'],
    [
      [{ opacity: 101 }],
      expect.stringMatching(/^step 1: `opacity` must be a whole number from 0 to 100; or/),
    ],
    [[{ overlay: LOGO, opacity: null }], 'step 1: `opacity` would have no effect: no value'],
    ...[' ', '\n', '\u200B\u2060', '\u3164', '\u00AD \u2800', '%20', '%E2%80%8B'].flatMap(
      (text): [unknown[], string][] => [
        [
          [{ overlay: { text, text_style: 'Arial_40' } }],
          'step 1: the text must contain a visible character',
        ],
        [
          [{ width: 5 }, { underlay: { text, font_family: 'Arial', font_size: 40 } }],
          'step 2: the text must contain a visible character',
        ],
      ],
    ),
    [[{ overlay: 'text:Arial_40:%20%E2%80%8B' }], 'step 1: the text must contain a visible character'],
  ] as [unknown[], string][])('is a sentence: %j', (steps, detail) => {
    expect(findPolicyFaults({ mandatory_steps: steps })).toStrictEqual([{ key: 'mandatory_steps', detail }]);
  });

  it.each(['.', 'a\u200B', '\u0301', '/', ',', '%', '\uE000'])('may show the text %j', (text) => {
    const steps = [{ overlay: { text, text_style: 'Arial_40' } }];
    expect(findPolicyFaults({ mandatory_steps: steps })).toStrictEqual([]);
  });

  it('names the known member that an unknown one resembles', () => {
    expect(findPolicyFaults({ maxWidth: 5, presets_onyl: true, miaim: 1 })).toStrictEqual([
      { key: 'maxWidth', detail: 'is unknown; did you mean `max_width`?' },
      { key: 'presets_onyl', detail: 'is unknown; did you mean `presets_only`?' },
      { key: 'miaim', detail: 'is unknown' },
    ]);
  });
});

describe('a base chain', () => {
  const PLAIN = { download: true, original: false, fullSize: false, filename: null };
  const DEFAULT = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'];

  it.each<[components: string[], inline: string[], original: string[]]>([
    [
      ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'],
      ['c_fit,h_1920,w_1920', 'dpr_auto,q_auto,f_auto'],
      ['fl_attachment'],
    ],
    [['q_auto,fl_attachment,f_auto'], ['q_auto,f_auto'], ['fl_attachment']],
    [['fl_progressive.attachment:shoe.lossy'], ['fl_progressive.lossy'], ['fl_attachment:shoe']],
    [['w_100'], ['w_100'], []],
    [[], [], []],
  ])('of %j keeps its order, and only its attachment can be omitted', (components, inline, original) => {
    const chain = createBaseChain(components, true);
    const select = (download: boolean, original: boolean): readonly string[] =>
      selectBaseChain(chain, { ...PLAIN, download, original }).components;
    expect(select(true, false)).toStrictEqual(components);
    expect(select(false, false)).toStrictEqual(inline);
    expect(select(true, true)).toStrictEqual(original);
    expect(select(false, true)).toStrictEqual([]);
  });

  it.each<[components: string[], fullSize: string[]]>([
    [DEFAULT, ['fl_attachment', 'dpr_auto,q_auto,f_auto']],
    [['c_limit,h_600,w_800'], []],
    [['ar_16:9,c_fill,g_auto,w_800', 'c_fit,w_9'], ['c_fit,w_9']],
    // A token can omit the size only, not the operator's other parameters.
    [
      ['c_limit,q_auto,t_watermark,w_800', 'f_auto'],
      ['q_auto,t_watermark', 'f_auto'],
    ],
    [
      ['t_watermark', 'c_fit,w_9'],
      ['t_watermark', 'c_fit,w_9'],
    ],
    [[], []],
  ])('of %j in full size omits the size of its first component', (components, fullSize) => {
    const chain = createBaseChain(components, true);
    expect(selectBaseChain(chain, { ...PLAIN, fullSize: true }).components).toStrictEqual(fullSize);
    expect(selectBaseChain(chain, { ...PLAIN, fullSize: true, download: false }).components).toStrictEqual(
      fullSize.filter((component) => component !== 'fl_attachment'),
    );
    const bounded = createBaseChain(components, false);
    expect(selectBaseChain(bounded, { ...PLAIN, fullSize: true }).components).toStrictEqual(components);
  });

  it.each<[filename: string, name: string]>([
    ['shoe', 'shoe'],
    ['shoe.jpg', 'shoe'],
    ['My red shoe.JPEG', 'My%20red%20shoe'],
    ['archive.tar.gz', 'archive_tar'],
    ['v1.25', 'v1_25'],
    ['.htaccess', '_htaccess'],
    ['a/../b,l_private:x.png', 'a____b_l_private_x'],
    ['%2Fetc%20', '_2Fetc_20'],
    ['Füße 👟!', 'F__e%20_!'],
    ['\u0000\n\u202e', '___'],
    [`${'a '.repeat(200)}.jpg`, 'a%20'.repeat(50)],
  ])('offers the file %j as %s', (filename, name) => {
    const select = (components: string[], more: object = {}): readonly string[] =>
      selectBaseChain(createBaseChain(components, true), { ...PLAIN, filename, ...more }).components;
    const named = select(DEFAULT);
    expect(named).toStrictEqual([DEFAULT[0], `fl_attachment:${name}`, DEFAULT[2]]);
    expect(findPolicyFaults({ base_chain: named })).toStrictEqual([]);
    expect(select(DEFAULT, { original: true })).toStrictEqual([`fl_attachment:${name}`]);
    expect(select(DEFAULT, { download: false })).toStrictEqual([DEFAULT[0], DEFAULT[2]]);
    expect(select(['fl_progressive.attachment:mine.lossy'])).toStrictEqual([
      `fl_progressive.attachment:${name}.lossy`,
    ]);
    expect(select(['q_auto'])).toStrictEqual(['q_auto']);
  });
});

describe('a token under a policy', () => {
  it.each<[document: PolicyDocument, payload: Parameters<typeof readClaims>[0], violation: object | null]>([
    [{}, {}, null],
    [{ require_exp: true }, { exp: NOW + 1 }, null],
    [{ require_exp: true }, {}, { rule: 'require_exp', limit: true }],
    [{ require_exp: false }, {}, null],
    [{ max_token_age: 60 }, { iat: NOW - 90 }, null],
    [{ max_token_age: 60 }, { iat: NOW - 91 }, { rule: 'max_token_age', limit: 60 }],
    [{ max_token_age: 60 }, { iat: NOW + 30 }, null],
    [{ max_token_age: 60 }, { exp: NOW + 5 }, { rule: 'max_token_age', limit: 60 }],
    [{ require_image_id: true }, { image_id: LOGO }, null],
    [{ require_image_id: true }, { image_id: [LOGO] }, null],
    [{ require_image_id: true }, {}, { rule: 'require_image_id', limit: true }],
    [{ mandatory_steps: [{ overlay: LOGO }] }, { sharinpix: { original: 'true' } }, null],
    [
      { mandatory_steps: [{ overlay: LOGO }] },
      { sharinpix: { original: true } },
      { rule: 'mandatory_steps', limit: 1 },
    ],
    [{ mandatory_steps: [] }, { sharinpix: { original: true } }, null],
    [
      { presets_only: true, presets: { card: [{ width: 1 }] } },
      { sharinpix: { original: true, download: false } },
      { rule: 'presets_only', limit: ['card'] },
    ],
    [{ delivery: 'proxy' }, { max_uses: 2, jti: 'a', exp: NOW + 1 }, null],
    [{}, { max_uses: 2, jti: 'a', exp: NOW + 1 }, { rule: 'delivery', limit: 'redirect' }],
    [
      { delivery: 'redirect' },
      { max_uses: 2, jti: 'a', exp: NOW + 1 },
      { rule: 'delivery', limit: 'redirect' },
    ],
    [{ bind_ip: true }, { bind_ip: '192.0.2.1' }, null],
    [{}, { bind_ip: '192.0.2.1' }, { rule: 'bind_ip', limit: false }],
    [{ bind_ip: false }, { bind_ip: ['192.0.2.1'] }, { rule: 'bind_ip', limit: false }],
    [{ max_width: 5 }, { sharinpix: { original: true } }, { rule: 'max_width', limit: 5 }],
    [{ max_height: 5 }, { sharinpix: { original: true } }, { rule: 'max_height', limit: 5 }],
    [{ denied_keys: ['width'], max_layers: 0, max_steps: 0 }, { sharinpix: { original: true } }, null],
  ])('%j: %j', (document, payload, violation) => {
    expect(
      violationOf(() => {
        checkToken(compilePolicy(document), claimsOf(payload), NOW);
      }),
    ).toStrictEqual(violation);
  });
});

describe('steps under a policy', () => {
  const presets = { card: [{ width: 100 }, { effect: 'sepia' }], mark: [{ overlay: LOGO }] };

  it('have their presets expanded, with the number of the step that calls each', () => {
    const policy = compilePolicy({ presets });
    expect(
      expandSteps(policy, [{ height: 5 }, { preset: 'card', miaim: 1 }, { preset: 'mark' }, { height: 6 }]),
    ).toStrictEqual({
      steps: [{ height: 5 }, { width: 100 }, { effect: 'sepia' }, { overlay: LOGO }, { height: 6 }],
      numbers: [1, 2, 2, 3, 4],
      presets: new Map([
        [2, 'card'],
        [3, 'mark'],
      ]),
    });
  });

  it.each<[document: PolicyDocument, steps: unknown, violation: object | null]>([
    [{}, [{ width: 5, miaim: 1 }], null],
    [{}, undefined, null],
    [{}, 'no list', null],
    [{}, [5, null], null],
    [
      {},
      [{ preset: 'x' }],
      { step: 1, key: 'preset', value: '"x"', allowed: 'nothing: the issuer has no presets' },
    ],
    [{ presets }, [{}, { preset: 'x' }], { step: 2, key: 'preset', value: '"x"', allowed: 'card, mark' }],
    [
      { presets },
      [{ preset: ['card'] }],
      { step: 1, key: 'preset', value: '["card"]', allowed: 'card, mark' },
    ],
    [
      { presets },
      [{ preset: 'constructor' }],
      { step: 1, key: 'preset', value: '"constructor"', allowed: 'card, mark' },
    ],
    [
      { presets },
      [{ preset: 'card', width: 5 }],
      { step: 1, key: 'width', allowed: 'no parameter in a step with `preset`' },
    ],
    [{ allowed_keys: ['width'] }, [{ width: 5, miaim: 1 }], null],
    [
      { allowed_keys: ['width'] },
      [{ width: 5 }, { height: 5 }],
      { rule: 'allowed_keys', limit: ['width'], step: 2, key: 'height' },
    ],
    [
      { allowed_keys: ['width'] },
      [{ size: '1x1' }],
      { rule: 'allowed_keys', limit: ['width'], step: 1, key: 'size' },
    ],
    [{ allowed_keys: ['width', 'height'] }, [{ size: '1x1' }], null],
    [{ allowed_keys: ['size'] }, [{ size: '1x1' }], null],
    [{ allowed_keys: [], presets }, [{ preset: 'card' }], null],
    [
      { allowed_keys: [], presets },
      [{ preset: 'card' }, { width: 1 }],
      { rule: 'allowed_keys', limit: [], step: 2, key: 'width' },
    ],
    [{ denied_keys: ['effect'], presets }, [{ width: 1 }, { preset: 'card' }], null],
    [
      { denied_keys: ['effect'] },
      [{ width: 1, effect: 'sepia' }],
      { rule: 'denied_keys', limit: ['effect'], step: 1, key: 'effect' },
    ],
    [
      { denied_keys: ['height'] },
      [{ size: '1x1' }],
      { rule: 'denied_keys', limit: ['height'], step: 1, key: 'size' },
    ],
    ...['size', 'width', 'height'].map((key): [object, unknown, object] => [
      { denied_keys: ['size'] },
      [{ [key]: key === 'size' ? '1x1' : 1 }],
      { rule: 'denied_keys', limit: ['size', 'width', 'height'], step: 1, key },
    ]),
    [{ allowed_keys: ['size'] }, [{ width: 1, height: 1 }], null],
    [
      { allowed_keys: ['width'], denied_keys: ['width'] },
      [{ width: 1 }],
      { rule: 'denied_keys', limit: ['width'], step: 1, key: 'width' },
    ],
    [{ presets_only: true, presets }, [{ preset: 'card' }], null],
    [{ presets_only: true, presets }, [], null],
    [
      { presets_only: true, presets },
      [{ preset: 'card' }, {}],
      { rule: 'presets_only', limit: ['card', 'mark'], step: 2 },
    ],
    [{ presets_only: true, presets }, [5], { rule: 'presets_only', limit: ['card', 'mark'], step: 1 }],
    [{ max_steps: 2, presets }, [{ preset: 'card' }], null],
    [{ max_steps: 2, presets }, [{ preset: 'card' }, {}], { rule: 'max_steps', limit: 2, step: 2 }],
    [{ max_steps: 1, presets }, [{ preset: 'card' }], { rule: 'max_steps', limit: 1, step: 1 }],
    [{ max_steps: 0 }, [], null],
    [
      { strict: true },
      [{ width: 5 }, { miaim: 1 }],
      { step: 2, key: 'miaim', allowed: 'a parameter of the vocabulary (the issuer’s policy is `strict`)' },
    ],
    [
      { strict: true },
      [{ raw_transformation: 'x' }],
      {
        step: 1,
        key: 'raw_transformation',
        allowed: 'a parameter of the vocabulary (the issuer’s policy is `strict`)',
      },
    ],
    [
      { strict: true, presets },
      [{ preset: 'card', miaim: 1 }],
      { step: 1, key: 'miaim', allowed: 'a parameter of the vocabulary (the issuer’s policy is `strict`)' },
    ],
    [
      { presets },
      [{ preset: 'card', widht: 1 }],
      { step: 1, key: 'widht', near: 'width', allowed: '`width`' },
    ],
    [{ presets, lenient: true }, [{ preset: 'card', widht: 1 }], null],
    [
      { presets, lenient: true, strict: true },
      [{ preset: 'card', widht: 1 }],
      { step: 1, key: 'widht', near: 'width', allowed: '`width`' },
    ],
    [{ strict: true }, [{ widht: 1 }], { step: 1, key: 'widht', near: 'width', allowed: '`width`' }],
    [{ strict: true }, [{ l: LOGO }], { step: 1, key: 'l', near: 'overlay', allowed: '`overlay`' }],
    // An absent value does not use its key; a layer always does.
    [{ denied_keys: ['height', 'effect'] }, [{ width: 1, height: null, effect: [] }], null],
    [{ denied_keys: ['height'] }, [{ size: '' }], null],
    [{ allowed_keys: ['width'] }, [{ width: 1, crop: '', flags: [null] }], null],
    [
      { denied_keys: ['overlay'] },
      [{ overlay: null }],
      { rule: 'denied_keys', limit: ['overlay'], step: 1, key: 'overlay' },
    ],
    [
      { allowed_keys: ['width'] },
      [{ underlay: '' }],
      { rule: 'allowed_keys', limit: ['width'], step: 1, key: 'underlay' },
    ],
    [{ presets, strict: true }, [{ preset: 'card', width: null, height: '', flags: [] }], null],
    [
      { presets },
      [{ preset: 'card', overlay: null }],
      { step: 1, key: 'overlay', allowed: 'no parameter in a step with `preset`' },
    ],
    ...[null, '', []].map((preset): [PolicyDocument, unknown[], object] => [
      { presets },
      [{ preset, width: 5 }],
      { step: 1, key: 'preset', value: JSON.stringify(preset), allowed: 'card, mark' },
    ]),
    [
      { presets_only: true, presets },
      [{ width: null }],
      { rule: 'presets_only', limit: ['card', 'mark'], step: 1 },
    ],
    [{ max_steps: 0 }, [{ width: null }], { rule: 'max_steps', limit: 0, step: 1 }],
    [
      { strict: true },
      [{ miaim: null }],
      { step: 1, key: 'miaim', allowed: 'a parameter of the vocabulary (the issuer’s policy is `strict`)' },
    ],
  ])('%j: %j', (document, steps, violation) => {
    expect(violationOf(() => expandSteps(compilePolicy(document), steps))).toStrictEqual(violation);
  });
});

describe('steps without effect under a strict policy', () => {
  const presets = { empty: [{}] };
  const check = (document: PolicyDocument, steps: unknown): object | null =>
    violationOf(() => {
      const policy = compilePolicy({ presets, ...document });
      const expanded = expandSteps(policy, steps);
      const chain = new TransformationMapper().map(expanded.steps, expanded.numbers, policy.lenient);
      checkEffects(policy, chain, expanded.presets);
    });
  const FLAGS =
    'in a step without `overlay` or `underlay`, flags that do not act on a layer (the issuer’s policy is `strict`)';
  const STEP = 'a step with at least one parameter that has a value (the issuer’s policy is `strict`)';

  it.each<[steps: unknown, violation: object | null]>([
    [undefined, null],
    [[], null],
    [[{ width: 5 }, { overlay: LOGO, flags: 'tiled' }], null],
    [[{ width: 5, height: null }], null],
    [[{ preset: 'empty' }], null],
    [[{ overlay: LOGO }, { width: 0.3, flags: 'relative' }, { flags: ['layer_apply', 'no_overflow'] }], null],
    [[{ flags: 'progressive' }], null],
    [[{ width: 5 }, {}], { step: 2, value: '{}', allowed: STEP }],
    [[{ height: null, crop: '' }], { step: 1, value: '{"height":null,"crop":""}', allowed: STEP }],
    [[{ flags: [] }], { step: 1, value: '{"flags":[]}', allowed: STEP }],
    [[{ flags: 'tiled' }], { step: 1, key: 'flags', value: '"tiled"', allowed: FLAGS }],
    [
      [{ preset: 'empty' }, { opacity: 40, flags: ['progressive', 'tiled'] }],
      { step: 2, key: 'flags', value: '"tiled"', allowed: FLAGS },
    ],
  ])('are refused: %j', (steps, violation) => {
    expect(check({ strict: true }, steps)).toStrictEqual(violation);
    expect(check({ strict: true, lenient: true }, steps)).toStrictEqual(violation);
    expect(check({}, steps)).toBeNull();
  });
});

describe('the output of a chain under a policy', () => {
  const mapper = new TransformationMapper();
  const check = (document: PolicyDocument, steps: unknown): ProblemExtensions | null =>
    violationOf(() => {
      checkChain(compilePolicy(document), mapper.map(steps));
    });
  const BOX = { width: 800, height: 600, crop: 'fit' };
  const BOTH = { max_width: 800, max_height: 600 };
  const wide = (step?: number, key?: string): object => ({
    rule: 'max_width',
    limit: 800,
    ...(step === undefined ? {} : { step }),
    ...(key === undefined ? {} : { key }),
  });
  const high = (step?: number, key?: string): object => ({
    ...wide(step, key),
    rule: 'max_height',
    limit: 600,
  });

  it.each<[name: string, steps: unknown[], violation: object | null]>([
    ['a box at the limit', [BOX], null],
    ['one pixel more', [{ ...BOX, width: 801 }], wide(1, 'width')],
    ['one pixel more, as size', [{ size: '800x601' }], high(1, 'height')],
    ['device pixels', [{ width: 500, dpr: 2 }], wide(1, 'dpr')],
    ['device pixels below 1', [{ width: 801, dpr: '0.5' }], wide(1, 'width')],
    ['a later step', [BOX, { width: 801 }, BOX], wide(2, 'width')],
    ['a layer', [BOX, { overlay: LOGO, width: 900, flags: 'tiled' }], wide(2, 'width')],
    // The last component limits sizes that no step names in pixels.
    ['shares', [{ width: '9.0' }, { width: 'w_mul_4' }], null],
    [
      'what enlarges without a side',
      [{ effect: 'upscale' }, { angle: 45 }, { zoom: 0.5, crop: 'thumb' }],
      null,
    ],
    ['a named transformation', [{ transformation: 'huge' }], null],
    ['a layer of any size', [{ overlay: LOGO, x: 5000 }], null],
  ])('is checked by the sides that steps name: %s', (_, steps, violation) => {
    expect(check(BOTH, steps)).toStrictEqual(violation);
  });

  it.each<[document: PolicyDocument, components: string[]]>([
    [{}, []],
    [{ max_width: 800 }, ['c_limit,w_800']],
    [{ max_height: 600 }, ['c_limit,h_600']],
    [BOTH, ['c_limit,h_600,w_800']],
  ])('ends with the limit of %j', (document, components) => {
    const { sizeLimit } = compilePolicy(document);
    expect(sizeLimit).toStrictEqual({ components, path: components.map((each) => `${each}/`).join('') });
  });

  it.each<[steps: unknown[], violation: object | null]>([
    [[{ overlay: LOGO }], null],
    [[{ overlay: LOGO }, { underlay: TEXT }], { rule: 'max_layers', limit: 1, step: 2, key: 'underlay' }],
    [[{ overlay: LOGO, underlay: LOGO }], { rule: 'max_layers', limit: 1, step: 1, key: 'overlay' }],
    [[{ transformation: 'x' }], { rule: 'max_layers', limit: 1, step: 1, key: 'transformation' }],
  ])('has no more layers than allowed: %j', (steps, violation) => {
    expect(check({ max_layers: 1 }, steps)).toStrictEqual(violation);
  });
});

describe('generated pixels under a policy', () => {
  const mapper = new TransformationMapper();
  const presets = { open: [{ effect: 'gen_restore' }, { background: 'gen_fill' }, { transformation: 'x' }] };
  const check = (document: PolicyDocument, steps: unknown): ProblemExtensions | null =>
    violationOf(() => {
      const policy = compilePolicy({ presets, ...document });
      const expanded = expandSteps(policy, steps);
      checkOwnSteps(policy, mapper.map(expanded.steps, expanded.numbers), expanded.presets);
    });
  const denied = (step: number, key: string): object => ({
    rule: 'deny_generative_effects',
    limit: true,
    step,
    key,
  });

  it.each<[steps: unknown, violation: object | null]>([
    [undefined, null],
    [[{ width: 5, effect: 'sepia', background: 'blurred' }], null],
    [[{ effect: 'background_removal' }, { effect: 'enhance' }, { effect: 'extract:prompt_hat' }], null],
    [[{ effect: 'gen_restore' }], denied(1, 'effect')],
    [[{ effect: 'gen_background_replace' }], denied(1, 'effect')],
    [[{ effect: 'gen_background_replace:prompt_a%20beach' }], denied(1, 'effect')],
    [[{ effect: 'gen_recolor:prompt_hat;to-color_red' }], denied(1, 'effect')],
    [[{ effect: ['gen_recolor', 'prompt_hat;to-color_red'] }], denied(1, 'effect')],
    [[{ effect: { gen_remove: 'prompt_hat' } }], denied(1, 'effect')],
    [[{ effect: 'gen_replace:from_hat;to_cap' }], denied(1, 'effect')],
    [[{ effect: 'upscale' }], denied(1, 'effect')],
    [[{ effect: 'auto_enhance:enhance-colors_true' }], denied(1, 'effect')],
    [[{ width: 5 }, { crop: 'pad', background: 'gen_fill' }], denied(2, 'background')],
    [[{ width: 5, height: 5, crop: 'pad', background: 'gen_fill:seed_3' }], denied(1, 'background')],
    [[{ transformation: 'x' }], denied(1, 'transformation')],
    [[{ overlay: LOGO }, { effect: 'upscale' }, { flags: 'layer_apply' }], denied(2, 'effect')],
    [[{ preset: 'open' }], null],
    [[{ preset: 'open' }, { effect: 'gen_restore' }], denied(2, 'effect')],
  ])('are refused only in a token’s own steps: %j', (steps, violation) => {
    expect(check({ deny_generative_effects: true }, steps)).toStrictEqual(violation);
    expect(check({ deny_generative_effects: false }, steps)).toBeNull();
    expect(check({}, steps)).toBeNull();
  });

  it('are accepted in the base chain and in mandatory steps, which are the operator’s', () => {
    const operators = { base_chain: ['e_upscale'], mandatory_steps: [{ effect: 'gen_restore' }] };
    expect(check({ deny_generative_effects: true, ...operators }, [{ width: 5 }])).toBeNull();
  });

  it('are denied by the group `generative` too, and allowed by named transformations that the policy lists', () => {
    const group = { denied_effects: ['generative'] };
    const limit = ['generative'];
    expect(check(group, [{ effect: 'gen_restore' }])).toStrictEqual({
      rule: 'denied_effects',
      limit,
      step: 1,
      key: 'effect',
    });
    expect(check(group, [{ transformation: 'x' }])).toMatchObject({ rule: 'denied_effects', limit });
    for (const document of [group, { deny_generative_effects: true }]) {
      const listed = { ...document, allowed_transformations: ['x', 'media lib'] };
      expect(check(listed, [{ transformation: 'x.media%20lib' }])).toBeNull();
      expect(check(listed, [{ transformation: ['x', 'media lib'] }])).toBeNull();
      expect(check(listed, [{ effect: 'upscale' }])).toMatchObject({ key: 'effect' });
    }
  });
});

describe('the values in a token’s own steps', () => {
  const mapper = new TransformationMapper();
  const OTHER = '11111111-2222-4333-8444-555555555555';
  const FONT_TEXT = { text: 'Jane', font_family: OTHER, font_size: 20 };
  /** Everything that the rules restrict, in the operator's own steps. */
  const own = {
    presets: {
      open: [{ effect: 'gen_restore', fetch_format: 'gif' }, { overlay: OTHER }, { underlay: TEXT }],
    },
    mandatory_steps: [{ overlay: OTHER, effect: 'upscale' }, { transformation: 'x' }, { underlay: TEXT }],
    base_chain: ['e_upscale', 't_x', 'f_gif'],
  };
  const check = (document: PolicyDocument, steps: unknown): ProblemExtensions | null =>
    violationOf(() => {
      const policy = compilePolicy({ ...own, ...document });
      const expanded = expandSteps(policy, steps);
      checkOwnSteps(policy, mapper.map(expanded.steps, expanded.numbers), expanded.presets);
    });

  it.each<[document: PolicyDocument, step: Readonly<Record<string, unknown>>, key: string | null]>([
    // Effects: names, groups, and values of other parameters that cost as effects do.
    [{ allowed_effects: ['sepia'] }, { effect: 'sepia:50' }, null],
    [{ allowed_effects: ['sepia'] }, { effect: ['sepia', 50] }, null],
    [{ allowed_effects: ['sepia'] }, { effect: { blur: 5 } }, 'effect'],
    [{ allowed_effects: [] }, { width: 5, crop: 'fill', gravity: 'auto:face', quality: 'auto' }, null],
    [{ allowed_effects: [] }, { effect: 'grayscale' }, 'effect'],
    [{ allowed_effects: [] }, { background: 'gen_fill' }, 'background'],
    [{ allowed_effects: ['sepia'] }, { transformation: 'x' }, 'transformation'],
    [{ allowed_effects: ['ai'] }, { effect: 'background_removal' }, null],
    [{ allowed_effects: ['ai'], denied_effects: ['generative'] }, { effect: 'enhance' }, null],
    [{ denied_effects: ['sepia'] }, { effect: 'blur' }, null],
    [{ denied_effects: ['sepia'] }, { effect: 'sepia' }, 'effect'],
    [{ denied_effects: ['ai'] }, { effect: 'dropshadow' }, 'effect'],
    [{ denied_effects: ['ai'] }, { effect: 'gen_remove:prompt_hat' }, 'effect'],
    [{ denied_effects: ['ai'] }, { background: 'gen_fill:seed_3' }, 'background'],
    [{ denied_effects: ['addon'] }, { effect: 'viesus_correct' }, 'effect'],
    [{ denied_effects: ['addon'] }, { effect: 'style_transfer', overlay: LOGO }, 'effect'],
    [{ denied_effects: ['addon'] }, { width: 5, crop: 'imagga_scale' }, 'crop'],
    [{ denied_effects: ['addon'] }, { quality: 'jpegmini:1' }, 'quality'],
    [{ denied_effects: ['addon'] }, { crop: 'thumb', gravity: 'adv_faces' }, 'gravity'],
    [{ denied_effects: ['addon'] }, { crop: 'thumb', gravity: 'custom:adv_face' }, 'gravity'],
    [{ denied_effects: ['addon'] }, { effect: 'blur_region', gravity: 'ocr_text' }, 'gravity'],
    [{ denied_effects: ['addon'] }, { crop: 'fill', gravity: 'cat' }, 'gravity'],
    [{ denied_effects: ['addon'] }, { crop: 'fill', gravity: 'auto:cat_avoid' }, 'gravity'],
    [{ denied_effects: ['addon'] }, { crop: 'fill', gravity: 'auto:later_object_30' }, 'gravity'],
    ...[
      'auto:face_avoid',
      'auto:faces_30',
      'auto:thirds_0',
      'auto:aoi_1_2_3_4',
      'auto:50',
      'auto:subject',
    ].map((gravity): [PolicyDocument, Readonly<Record<string, unknown>>, null] => [
      { denied_effects: ['addon'] },
      { gravity },
      null,
    ]),
    ...['north_west', 'center', 'face:center', 'body:face', 'custom:faces', 'liquid', 'xy_center'].map(
      (gravity): [PolicyDocument, Readonly<Record<string, unknown>>, null] => [
        { denied_effects: ['addon'] },
        { gravity },
        null,
      ],
    ),
    [{ denied_effects: ['addon'] }, { transformation: 'x' }, 'transformation'],
    [{ denied_effects: [] }, { transformation: 'x', effect: 'upscale' }, null],

    // Overlays: layers, default images and fonts.
    [{ allowed_overlays: [LOGO.toUpperCase()] }, { overlay: LOGO }, null],
    [{ allowed_overlays: [LOGO] }, { underlay: OTHER }, 'underlay'],
    [{ allowed_overlays: [LOGO] }, { overlay: LOGO, default_image: OTHER }, 'default_image'],
    [{ allowed_overlays: [LOGO] }, { overlay: FONT_TEXT }, 'overlay'],
    [{ allowed_overlays: [OTHER] }, { overlay: FONT_TEXT }, null],
    [{ allowed_overlays: [] }, { overlay: TEXT, width: 5 }, null],
    [{ allowed_overlays: [] }, { overlay: LOGO }, 'overlay'],
    [{ allowed_overlays: [LOGO] }, { transformation: 'x' }, 'transformation'],

    // Formats.
    [{ allowed_formats: ['webp'] }, { fetch_format: 'webp', width: 5 }, null],
    [{ allowed_formats: ['webp'] }, { fetch_format: 'auto' }, 'fetch_format'],
    [{ allowed_formats: [] }, { width: 5 }, null],
    [{ allowed_formats: [] }, { transformation: 'x' }, 'transformation'],

    // Named transformations.
    [{ allowed_transformations: ['card'] }, { transformation: 'card', effect: 'upscale' }, null],
    [{ allowed_transformations: ['card'] }, { transformation: 'card.x' }, 'transformation'],
    [{ allowed_transformations: [] }, { transformation: 'card' }, 'transformation'],
    [{ allowed_transformations: ['media%20lib'] }, { transformation: 'media lib' }, null],
    [{ allowed_transformations: ['media lib'] }, { transformation: 'media%20lib' }, null],

    // Texts: as an image shows them, however they are written.
    [{ text: 4 }, { overlay: TEXT }, null],
    [{ text: 3 }, { overlay: TEXT }, 'overlay'],
    [{ text: 3 }, { underlay: TEXT }, 'underlay'],
    [{ text: 3 }, { overlay: FONT_TEXT }, 'overlay'],
    [{ text: 4 }, { overlay: FONT_TEXT }, null],
    [{ text: 3 }, { overlay: 'text:Arial_20:a%252Cb' }, null],
    [{ text: 2 }, { overlay: 'text:Arial_20:a%252Cb' }, 'overlay'],
    [{ text: 3 }, { overlay: { ...TEXT, text: 'a,/' } }, null],
    [{ text: 3 }, { overlay: { ...TEXT, text: 'ж\r\n€' } }, null],
    [{ text: 2 }, { overlay: { ...TEXT, text: 'ж\r\n€' } }, 'overlay'],
    [{ text: 1 }, { overlay: { ...TEXT, text: '👟' } }, 'overlay'],
    [{ text: 5 }, { overlay: LOGO, underlay: LOGO, effect: 'sepia' }, null],
    [{ text: false }, { overlay: LOGO }, null],
    [{ text: false }, { overlay: 'text:a:b' }, 'overlay'],
    [{ text: false }, { transformation: 'x' }, 'transformation'],
    [{ text: 1000 }, { transformation: 'x' }, 'transformation'],
  ])('%j: %j', (document, step, key) => {
    const name = Object.keys(document).at(-1) as keyof PolicyDocument;
    const expected = key === null ? null : { rule: name, limit: document[name], step: 2, key };
    expect(check(document, [{ width: 9 }, step])).toStrictEqual(expected);
    expect(check({}, [{ width: 9 }, step])).toBeNull();
    // Of a preset, the same values are the operator's.
    expect(check({ ...document, presets: { open: [step] } }, [{ preset: 'open' }])).toBeNull();
  });

  it('are the only ones that the rules apply to', () => {
    const strict = {
      allowed_effects: [],
      allowed_overlays: [],
      allowed_formats: [],
      allowed_transformations: [],
      text: false,
    } as const;
    expect(check(strict, [{ preset: 'open' }, { width: 5 }])).toBeNull();
    expect(check(strict, [{ preset: 'open' }, { effect: 'sepia' }])).toMatchObject({ step: 2 });
  });

  it('cannot get around a rule by what a step ignores', () => {
    const strict = { allowed_effects: [], allowed_overlays: [], text: false } as const;
    for (const step of [
      { raw_transformation: 'e_upscale' },
      { if: 'w_gt_1', effect: null },
      { variables: [['$a', 'e_upscale']], $a: 'e_upscale' },
      { custom_function: { function_type: 'wasm', source: 'x' } },
      { type: 'fetch', effect: '' },
    ]) {
      const chain = mapper.map([step]);
      expect(chain.path(new Map())).toBe('');
      expect(check(strict, [step])).toBeNull();
    }
  });
});

describe('the groups of effects', () => {
  it('have these effects', () => {
    const generative = [
      ...['gen_background_replace', 'gen_recolor', 'gen_remove', 'gen_replace', 'gen_restore', 'gen_fill'],
      ...['upscale', 'auto_enhance', 'style_transfer'],
    ];
    expect([...expandEffectGroups(['generative'])]).toStrictEqual(generative);
    expect([...expandEffectGroups(['ai'])]).toStrictEqual([
      ...generative,
      ...['enhance', 'extract', 'dropshadow', 'background_removal'],
    ]);
    expect([...expandEffectGroups(['addon', 'sepia'])]).toStrictEqual([
      ...[
        'style_transfer',
        'background_removal',
        'adv_redeye',
        'viesus_correct',
        'imagga_crop',
        'imagga_scale',
      ],
      ...['jpegmini', 'adv_face', 'ocr_text', 'object', 'sepia'],
    ]);
  });

  it('have every generative effect of the vocabulary, each with its source', () => {
    const generative = expandEffectGroups(['generative']);
    expect(
      [...EFFECTS.keys()].filter((name) => name.startsWith('gen_') && !generative.has(name)),
    ).toStrictEqual([]);
    for (const { name, of, source } of GROUPED_EFFECTS) {
      expect(of !== undefined || EFFECTS.has(name), name).toBe(true);
      expect(source).toMatch(/^https:\/\/cloudinary\.com\/documentation\/[a-z_0-9#]+$/);
    }
    expect(new Set(EFFECT_NAMES).size).toBe(EFFECT_NAMES.length);
  });
});

describe('the recommended policy', () => {
  it('is that of docs/policy.md, valid and immutable', () => {
    const shown = readBlocks('docs/policy.md').get('The recommended policy / json 1') ?? '';
    expect(JSON.parse(shown)).toStrictEqual(RECOMMENDED_POLICY);
    expect(findDefaultPolicyFaults(RECOMMENDED_POLICY)).toStrictEqual([]);
    expect(Object.isFrozen(RECOMMENDED_POLICY)).toBe(true);
  });

  it.each<[text: string, policy: unknown]>([
    ['recommended', RECOMMENDED_POLICY],
    [' recommended\n', RECOMMENDED_POLICY],
    ['{}', {}],
    ['{"max_width": 5}', { max_width: 5 }],
    ['{"mandatory_steps": [{"width": 1.0}]}', { mandatory_steps: [{ width: '1.0' }] }],
    ['null', null],
  ])('is read from its name, any other policy from JSON: %j', (text, document) => {
    expect(parsePolicy(text)).toStrictEqual({ document, fault: null });
  });

  const NO_POLICY_TEXT = ' must be `recommended`, or a policy as JSON such as {"require_exp": true}';
  it.each<[text: string, fault: string]>([
    ['Recommended', NO_POLICY_TEXT],
    ['', NO_POLICY_TEXT],
    ['{"max_width": 5', NO_POLICY_TEXT],
    ['{"max_width": 5, "max_width": 5000}', ': `max_width` must appear only once'],
    ['{"presets": {"a": [{"width": 1, "width": 2}]}}', ': `presets.a.width` must appear only once'],
  ])('is not read from %j', (text, fault) => {
    expect(parsePolicy(text)).toStrictEqual({ document: null, fault });
    expect(readDefaultPolicy(text)).toStrictEqual({ policy: null, problems: [fault] });
  });

  const ROWS = 'must name no image or overlay: a new issuer has none';
  it.each<[document: unknown, faults: readonly object[]]>([
    [{}, []],
    [{ mandatory_steps: [{ overlay: TEXT }], presets: { card: [{ width: 5 }] } }, []],
    [null, [{ key: 'policy', detail: 'must be an object' }]],
    [[], [{ key: 'policy', detail: 'must be an object' }]],
    [{ max_widht: 1 }, [{ key: 'max_widht', detail: 'is unknown; did you mean `max_width`?' }]],
    [
      { strict: 'yes', require_exp: 1, placeholder: LOGO },
      [
        { key: 'strict', detail: 'must be true or false' },
        { key: 'require_exp', detail: 'must be true or false' },
      ],
    ],
    [
      {
        mandatory_steps: [{ overlay: LOGO }],
        presets: { card: [{ width: 5 }], mark: [{ underlay: LOGO }] },
        placeholder: LOGO,
        allowed_overlays: [LOGO],
      },
      [
        { key: 'mandatory_steps', detail: ROWS },
        { key: 'presets', detail: ROWS },
        { key: 'allowed_overlays', detail: ROWS },
        { key: 'placeholder', detail: ROWS },
      ],
    ],
  ])('or another one for every new issuer is checked completely: %j', (document, faults) => {
    expect(findDefaultPolicyFaults(document)).toStrictEqual(faults);
  });
});

describe('a redirect', () => {
  it.each<
    [
      document: PolicyDocument,
      payload: Parameters<typeof readClaims>[0],
      urlEndsAt: number | null,
      age: number,
    ]
  >([
    [{}, { exp: NOW + 100 }, null, 0],
    [{ redirect_max_age: 100 }, {}, null, 0],
    [{ redirect_cache: 'private' }, {}, null, 300],
    [{ redirect_cache: 'private', redirect_max_age: 60 }, {}, null, 60],
    [{ redirect_cache: 'private', redirect_max_age: 60 }, { exp: NOW + 59.9 }, null, 59],
    [{ redirect_cache: 'private', redirect_max_age: 60 }, { exp: NOW - 10 }, null, 0],
    [{ redirect_cache: 'private', redirect_max_age: 60 }, { exp: NOW + 600 }, NOW + 20, 20],
    [{ redirect_cache: 'private', max_token_age: 50 }, { iat: NOW - 20 }, null, 30],
  ])('under %j with %j and a URL until %j is cached for %i seconds', (document, payload, urlEndsAt, age) => {
    const policy = compilePolicy(document);
    const lifetime = cacheLifetime(policy, expiryOf(policy, claimsOf(payload)), urlEndsAt);
    expect(maxAgeAt(lifetime, NOW)).toBe(age);
  });

  it('of a public image expires with its URL', () => {
    const policy = compilePolicy({ redirect_cache: 'private' });
    expect(maxAgeAt(cacheLifetime(policy, null, null), NOW)).toBe(300);
    expect(maxAgeAt(cacheLifetime(policy, null, NOW + 7), NOW)).toBe(7);
  });
});
