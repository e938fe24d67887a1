import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkClaims, findIgnoredClaims } from '../../src/policy/check-claims.js';
import { checkToken } from '../../src/policy/check-token.js';
import { compilePolicy } from '../../src/policy/compile-policy.js';
import type { PolicyDocument } from '../../src/policy/policy.js';
import { COMMON_CLAIMS, KNOWN_NAMES, REGISTERED_CLAIMS } from '../../src/tokens/claim-names.js';
import type { JsonObject } from '../../src/tokens/strict-json.js';
import { readClaims, type TokenClaims } from '../../src/tokens/token-claims.js';
import { InvalidTokenError } from '../../src/tokens/token.errors.js';
import { PARAMETERS } from '../../src/transformations/vocabulary.js';

const ISSUER = 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1';
const IMAGE = '161400d0-c894-42fd-8100-262361ea91ff';
const OTHER = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
const NOW = 1_800_000_000;

function read(document: PolicyDocument, payload: JsonObject): TokenClaims {
  return readClaims({ iss: ISSUER, ...payload }, ISSUER, NOW, document.claims);
}

/** The detail of a token's refusal, or null. */
function refusalOf(document: PolicyDocument, payload: JsonObject): string | null {
  try {
    checkClaims(compilePolicy(document), read(document, payload));
    return null;
  } catch (error) {
    if (!(error instanceof InvalidTokenError)) throw error;
    const { status, code, headers, extensions } = error;
    expect({ status, code, headers, extensions }).toStrictEqual({
      status: 401,
      code: 'invalid_token',
      headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
      extensions: {},
    });
    return error.detail;
  }
}

const ignoredOf = (document: PolicyDocument, payload: JsonObject): readonly object[] =>
  findIgnoredClaims(compilePolicy(document), read(document, payload));

/** A name as messages show it. */
const shown = (name: string): string =>
  name.length > 100 ? `${name.slice(0, 99)}…` : name.replaceAll(/[\t\n\u200b]/g, '?');

const near = (name: string, known: string): string =>
  `\`${shown(name)}\` is not a claim. Did you mean \`${known}\`? Correct it, and sign a new token.`;

describe('an unknown claim that resembles a known one', () => {
  it.each<[claim: string, known: string]>([
    ['transformation', 'transformations'],
    ['transformatoins', 'transformations'],
    ['Transformations', 'transformations'],
    ['imageId', 'image_id'],
    ['imageID', 'image_id'],
    ['image-id', 'image_id'],
    ['imageid', 'image_id'],
    ['image_ids', 'image_id'],
    ['imageIds', 'image_id'],
    ['image_di', 'image_id'],
    ['mage_id', 'image_id'],
    ['sessionId', 'session_id'],
    ['SharinPix', 'sharinpix'],
    ['sharingpix', 'sharinpix'],
    ['epx', 'exp'],
    ['expp', 'exp'],
    ['EXP', 'exp'],
    ['nfb', 'nbf'],
    ['iatt', 'iat'],
    ['jit', 'jti'],
    ['maxUses', 'max_uses'],
    ['max_use', 'max_uses'],
    ['bindIp', 'bind_ip'],
    ['bind_ips', 'bind_ip'],
    ['steps', 'transformations'],
    ['transform', 'transformations'],
    ['expires', 'exp'],
    ['expires_in', 'exp'],
    ['expiresAt', 'exp'],
    ['exp_at', 'exp'],
    // Spaces and invisible characters.
    ['image_id ', 'image_id'],
    ['imageId ', 'image_id'],
    [' image id ', 'image_id'],
    ['\texp\n', 'exp'],
    [' exp', 'exp'],
    ['imge_id ', 'image_id'],
    ['imgeId', 'image_id'],
    ['image\u200bId', 'image_id'],
    [`transformations${' '.repeat(100)}`, 'transformations'],
  ])('is refused: %s, naming %s, unless the policy is lenient', (claim, known) => {
    expect(refusalOf({}, { [claim]: 1 })).toBe(near(claim, known));
    expect(refusalOf({ claims: 'sharinpix' }, { [claim]: 1 })).toBe(near(claim, known));
    expect(refusalOf({ lenient: true }, { [claim]: 1 })).toBeNull();
    expect(refusalOf({ lenient: true, strict: true }, { [claim]: 1 })).toBe(near(claim, known));
    expect(ignoredOf({ lenient: true }, { [claim]: 1 })).toStrictEqual([
      { claim, reason: 'unknown claim', near: known },
    ]);
  });

  it.each<[member: string, known: string]>([
    ['donwload', 'download'],
    ['Download', 'download'],
    ['downloads', 'download'],
    ['orginal', 'original'],
    ['ORIGINAL', 'original'],
    ['original ', 'original'],
    [' Downlaod', 'download'],
  ])('is refused inside of `sharinpix`: %s, naming %s', (member, known) => {
    const payload = { sharinpix: { [member]: false } };
    expect(refusalOf({}, payload)).toBe(near(`sharinpix.${member}`, `sharinpix.${known}`));
    expect(refusalOf({ lenient: true }, payload)).toBeNull();
    expect(ignoredOf({ lenient: true }, payload)).toStrictEqual([
      { claim: `sharinpix.${member}`, reason: 'unknown member', near: `sharinpix.${known}` },
    ]);
  });

  // A token that names its image only there would permit every image; one with `exp` there would never expire.
  it.each<[member: string, known: string]>([
    ...KNOWN_NAMES.pixseal.claims.map((claim): [string, string] => [claim, claim]),
    ['imageId', 'image_id'],
    ['image_ids', 'image_id'],
    ['transformation', 'transformations'],
    ['epx', 'exp'],
    ['id', 'image_id'],
    ['Id', 'image_id'],
    ['ID ', 'image_id'],
  ])('is refused inside of `sharinpix` if it belongs beside it: %s, naming %s', (member, known) => {
    const payload = { sharinpix: { [member]: IMAGE } };
    for (const document of [{}, { strict: true }, { strict: true, lenient: true }]) {
      expect(refusalOf(document, payload)).toBe(near(`sharinpix.${member}`, known));
    }
    expect(refusalOf({ lenient: true }, payload)).toBeNull();
    expect(ignoredOf({ lenient: true }, payload)).toStrictEqual([
      { claim: `sharinpix.${member}`, reason: 'unknown member', near: known },
    ]);
  });

  it.each<[payload: JsonObject, claim: string, known: string]>([
    [{ 'id ': IMAGE }, 'id ', 'id'],
    [{ sharinpix: { id: IMAGE } }, 'sharinpix.id', 'id'],
    [{ sharinpix: { Id: IMAGE } }, 'sharinpix.Id', 'Id'],
    [{ ID: IMAGE }, 'ID', 'id'],
    [{ sharinpix: { fullSize: true } }, 'sharinpix.fullSize', 'sharinpix.full_size'],
    [{ sharinpix: { file_name: 'a' } }, 'sharinpix.file_name', 'sharinpix.filename'],
  ])('is compared with the names of the profile: %j', (payload, claim, known) => {
    expect(refusalOf({ claims: 'sharinpix' }, payload)).toBe(near(claim, known));
    // Without the profile a claim without effect is explained, and a member that seems to bind is refused.
    expect(refusalOf({}, payload)).toBe(/^sharinpix\.id$/i.test(claim) ? near(claim, 'image_id') : null);
  });
});

describe('a parameter of a step beside `transformations`', () => {
  it.each([...PARAMETERS.map(({ key }) => key).filter((key) => key !== 'transformation'), 'preset'])(
    'is refused: %s',
    (claim) => {
      const payload = { [claim]: 200, transformations: [{ width: 5 }] };
      expect(refusalOf({}, payload)).toBe(
        `\`${claim}\` is not a claim. Move it into a step of \`transformations\`, and sign a new token.`,
      );
      expect(refusalOf({ lenient: true }, payload)).toBeNull();
      expect(ignoredOf({ lenient: true }, payload)).toStrictEqual([
        { claim, reason: 'belongs in a step of `transformations`' },
      ]);
    },
  );

  it.each<[claim: string, key: string]>([
    ['overlays', 'overlay'],
    ['Overlay', 'overlay'],
    ['overlay ', 'overlay'],
    ['widht', 'width'],
    ['Width', 'width'],
    [' widht ', 'width'],
    ['fetchFormat', 'fetch_format'],
    ['colour', 'color'],
    ['presets', 'preset'],
    ['X', 'x'],
    ['w', 'width'],
    ['l', 'overlay'],
    ['fl', 'flags'],
  ])('is refused with a misspelling: %s, naming %s', (claim, key) => {
    const payload = { [claim]: 200, transformations: [{ width: 5 }] };
    const refusal = `\`${claim}\` is not a claim. Did you mean \`${key}\` in a step of \`transformations\`? Move it there, and sign a new token.`;
    for (const document of [{}, { strict: true }, { claims: 'sharinpix' }] as const) {
      expect(refusalOf(document, payload)).toBe(refusal);
    }
    expect(refusalOf({ lenient: true }, payload)).toBeNull();
    expect(ignoredOf({ lenient: true }, payload)).toStrictEqual([
      { claim, reason: 'belongs in a step of `transformations`', near: key },
    ]);
  });

  it('is not a registered claim of IANA', () => {
    expect(PARAMETERS.filter(({ key }) => REGISTERED_CLAIMS.has(key))).toStrictEqual([]);
  });
});

describe('any other claim', () => {
  it.each([...REGISTERED_CLAIMS])('is ignored, also under strict: the registered %s', (claim) => {
    expect(refusalOf({ strict: true }, { [claim]: 'x' })).toBeNull();
    expect(refusalOf({ claims: 'sharinpix' }, { [claim]: 'x' })).toBeNull();
    expect(ignoredOf({}, { [claim]: 'x' })).toStrictEqual([
      { claim, reason: 'a registered claim that Pixseal does not use' },
    ]);
  });

  it.each([
    ...['abilities', 'user_id', 'album_id', 'organization_id', 'einstein', 'storage', 'image_delete'],
    ...[
      ...COMMON_CLAIMS,
      'Order',
      'ex',
      'tx',
      'xs',
      'ys',
      'super_plop',
      'miaim',
      '',
      '__proto__',
      'constructor',
      '$width',
      'image',
    ],
  ])('is ignored, also under strict: %j', (claim) => {
    const payload = JSON.parse(`{${JSON.stringify(claim)}: {"width": 1}}`) as JsonObject;
    for (const document of [{}, { strict: true }, { claims: 'sharinpix' }] as const) {
      expect(refusalOf(document, payload)).toBeNull();
      expect(ignoredOf(document, payload)).toStrictEqual([{ claim, reason: 'unknown claim' }]);
    }
  });

  it.each<[payload: JsonObject, ignored: readonly object[]]>([
    [{}, []],
    [{ sharinpix: {} }, []],
    [{ sharinpix: 'download' }, [{ claim: 'sharinpix', reason: 'is not an object' }]],
    [{ sharinpix: null }, [{ claim: 'sharinpix', reason: 'is not an object' }]],
    [
      { sharinpix: { download: 'false', original: 1 } },
      [
        { claim: 'sharinpix.download', reason: 'only `true` and `false` have an effect' },
        { claim: 'sharinpix.original', reason: 'only `true` and `false` have an effect' },
      ],
    ],
    [
      { sharinpix: { annotation: true, crop: true, full_size: true, filename: 'a' } },
      [
        { claim: 'sharinpix.annotation', reason: 'unknown member' },
        { claim: 'sharinpix.crop', reason: 'unknown member' },
        { claim: 'sharinpix.full_size', reason: 'only the policy `claims: "sharinpix"` reads it' },
        { claim: 'sharinpix.filename', reason: 'only the policy `claims: "sharinpix"` reads it' },
      ],
    ],
    [
      { download: false },
      [{ claim: 'download', reason: 'belongs in `sharinpix`', near: 'sharinpix.download' }],
    ],
    [
      { sharinpix: { original: true }, transformations: [{ width: 5 }] },
      [{ claim: 'transformations', reason: '`sharinpix.original` omits all steps' }],
    ],
  ])('is explained: %j', (payload, ignored) => {
    expect(refusalOf({}, payload)).toBeNull();
    expect(ignoredOf({}, payload)).toStrictEqual(ignored);
  });

  it('is either refused, or without effect and explained', () => {
    const edited = fc
      .tuple(
        fc.constantFrom(...KNOWN_NAMES.sharinpix.claims),
        fc.nat({ max: 20 }),
        fc.nat({ max: 2 }),
        fc.string({ maxLength: 1 }),
      )
      .map(([name, at, cut, put]) => name.slice(0, at) + put + name.slice(at + cut));
    const known = new Set(KNOWN_NAMES.pixseal.claims);
    let refused = 0;
    fc.assert(
      fc.property(fc.oneof(edited, fc.string()), fc.jsonValue(), fc.boolean(), (claim, value, lenient) => {
        fc.pre(!known.has(claim));
        const payload = JSON.parse(`{${JSON.stringify(claim)}: ${JSON.stringify(value)}}`) as JsonObject;
        const refusal = refusalOf({ lenient }, payload);
        if (refusal !== null) {
          expect(lenient).toBe(false);
          expect(refusal).toContain(`\`${claim}\``);
          refused += 1;
        }
        expect(ignoredOf({ lenient }, payload)).toStrictEqual([
          expect.objectContaining({ claim, reason: expect.any(String) as string }),
        ]);
      }),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});

describe('the claims `id` and `Id`', () => {
  it.each(['id', 'Id', 'ID', 'iD'])('do not bind without the profile, which is explained: %s', (claim) => {
    const { imageId, imageIds } = read({}, { [claim]: IMAGE });
    expect({ imageId, imageIds }).toStrictEqual({ imageId: null, imageIds: null });
    expect(refusalOf({}, { [claim]: IMAGE })).toBeNull();
    expect(ignoredOf({}, { [claim]: IMAGE })).toStrictEqual([
      { claim, reason: 'only the policy `claims: "sharinpix"` binds by it', near: 'image_id' },
    ]);
  });

  it.each(['id', 'Id', 'ID', ' id '])('are refused under strict if they contain a UUID: %s', (claim) => {
    const refusal = `The claim \`${claim}\` does not bind the token to an image. Sign \`image_id\` instead.`;
    for (const value of [
      ...[IMAGE, IMAGE.toUpperCase(), ` ${IMAGE} `, `${IMAGE}\n`, `{${IMAGE}}`, `urn:uuid:${IMAGE}`],
      ...[
        [IMAGE],
        ['a', OTHER],
        [[[IMAGE]]],
        { image: IMAGE },
        [{ ids: [null, { x: IMAGE }] }],
        { [IMAGE]: 1 },
      ],
    ]) {
      expect(refusalOf({ strict: true }, { [claim]: value })).toBe(refusal);
      expect(refusalOf({ strict: true, lenient: true }, { [claim]: value })).toBe(refusal);
      expect(refusalOf({}, { [claim]: value })).toBeNull();
    }
    for (const value of ['0012400000abcDEAAY', 7, null, {}, [], { id: IMAGE.slice(1) }]) {
      expect(refusalOf({ strict: true }, { [claim]: value })).toBeNull();
    }
  });

  it.each<[payload: JsonObject, bound: readonly [string | null, readonly string[] | null]]>([
    [{ id: IMAGE }, [IMAGE, null]],
    [{ Id: IMAGE.toUpperCase() }, [IMAGE, null]],
    [{ id: IMAGE, Id: IMAGE }, [IMAGE, null]],
    [{ id: IMAGE, image_id: IMAGE.toUpperCase() }, [IMAGE, null]],
    [{ image_id: [IMAGE, OTHER] }, [null, [IMAGE, OTHER]]],
    [{}, [null, null]],
  ])('bind like `image_id` under the profile, also under strict: %j', (payload, [imageId, imageIds]) => {
    expect(read({ claims: 'sharinpix' }, payload)).toMatchObject({ imageId, imageIds });
    expect(refusalOf({ claims: 'sharinpix', strict: true }, payload)).toBeNull();
    expect(ignoredOf({ claims: 'sharinpix' }, payload)).toStrictEqual([]);
  });

  it('satisfy `require_image_id` only under the profile', () => {
    const check = (document: PolicyDocument): void => {
      checkToken(compilePolicy(document), read(document, { id: IMAGE }), NOW);
    };
    expect(() => {
      check({ require_image_id: true, claims: 'sharinpix' });
    }).not.toThrow();
    expect(() => {
      check({ require_image_id: true });
    }).toThrow('no `image_id`');
  });

  it.each<[payload: JsonObject, reason: string]>([
    [{ id: IMAGE, image_id: OTHER }, 'two_images'],
    [{ id: IMAGE, Id: OTHER }, 'two_images'],
    [{ Id: IMAGE, image_id: OTHER }, 'two_images'],
    [{ id: IMAGE, image_id: [IMAGE] }, 'two_images'],
    [{ id: '0012400000abcDEAAY' }, 'bad_id'],
    [{ Id: null }, 'bad_id'],
    [{ id: [IMAGE] }, 'bad_id'],
    [{ id: '' }, 'bad_id'],
    [{ id: `{${IMAGE}}` }, 'bad_id'],
    [{ id: IMAGE, image_id: [] }, 'bad_image_id'],
  ])('are refused under the profile: %j', (payload, reason) => {
    expect(() => read({ claims: 'sharinpix' }, payload)).toThrow(expect.objectContaining({ reason }));
  });
});

describe('`filename` of a proxied image', () => {
  const PROXIED: PolicyDocument = { delivery: 'proxy' };

  it.each([
    [PROXIED, { filename: 'a.jpg', download: false }, []],
    [PROXIED, { filename: 5 }, [{ claim: 'sharinpix.filename', reason: 'must be text' }]],
    [{ ...PROXIED, claims: 'sharinpix', base_chain: [] }, { filename: 'a' }, []],
  ] as [PolicyDocument, JsonObject, readonly object[]][])(
    'has an effect under %j: %j',
    (document, sharinpix, ignored) => {
      expect(ignoredOf(document, { sharinpix })).toStrictEqual(ignored);
    },
  );

  it('is named if it is misspelled', () => {
    expect(refusalOf(PROXIED, { sharinpix: { fileName: 'a' } })).toBe(
      '`sharinpix.fileName` is not a claim. Did you mean `sharinpix.filename`? Correct it, and sign a new token.',
    );
  });
});

describe('`full_size` and `filename` under the profile', () => {
  it.each<[document: PolicyDocument, sharinpix: JsonObject, ignored: readonly object[]]>([
    [{}, { full_size: true, filename: 'a.jpg' }, []],
    [{}, { full_size: false }, []],
    [
      {},
      { full_size: 'true', filename: 5 },
      [
        { claim: 'sharinpix.full_size', reason: 'only `true` and `false` have an effect' },
        { claim: 'sharinpix.filename', reason: 'must be text' },
      ],
    ],
    [{}, { filename: '' }, [{ claim: 'sharinpix.filename', reason: 'must be text' }]],
    [
      { max_width: 2000 },
      { full_size: true },
      [{ claim: 'sharinpix.full_size', reason: 'the policy limits the size' }],
    ],
    [
      { max_height: 2000 },
      { full_size: true },
      [{ claim: 'sharinpix.full_size', reason: 'the policy limits the size' }],
    ],
    [{ max_height: 2000 }, { full_size: false }, []],
    [
      { base_chain: ['q_auto'] },
      { full_size: true, filename: 'a' },
      [
        { claim: 'sharinpix.full_size', reason: 'the first component of the base chain sets no size' },
        { claim: 'sharinpix.filename', reason: 'the base chain offers no download to name' },
      ],
    ],
    [
      {},
      { full_size: true, original: true },
      [{ claim: 'sharinpix.full_size', reason: '`sharinpix.original` omits the base chain' }],
    ],
    [
      {},
      { filename: 'a', download: false },
      [{ claim: 'sharinpix.filename', reason: 'has no effect beside `download: false`' }],
    ],
    [
      {},
      { annotation: true, crop: true, rotation: true },
      ['annotation', 'crop', 'rotation'].map((member) => ({
        claim: `sharinpix.${member}`,
        reason: 'unknown member',
      })),
    ],
  ])('have an effect, or are explained: %j %j', (document, sharinpix, ignored) => {
    const under = { claims: 'sharinpix', ...document } as const;
    expect(refusalOf(under, { sharinpix })).toBeNull();
    expect(ignoredOf(under, { sharinpix })).toStrictEqual(ignored);
  });
});
