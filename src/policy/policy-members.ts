import { CLAIM_PROFILES } from '../tokens/claim-names.js';
import { canonicalUuid } from '../domain/uuid.js';
import { type ComponentValues, findComponentFault } from '../transformations/component.js';
import { isObject } from '../domain/is-object.js';
import { InvalidTransformationError } from '../transformations/transformation.errors.js';
import { type MappedChain, TransformationMapper } from '../transformations/transformation.mapper.js';
import { isInvisibleText, LONGEST_TEXT } from '../transformations/text-layer.js';
import { describeUnknown, NearNames } from '../domain/near-names.js';
import { EFFECT_NAMES } from '../transformations/effect-groups.js';
import { FORMATS, PARAMETER_BY_KEY, TRANSFORMATION_NAME } from '../transformations/vocabulary.js';
import { DELIVERIES, ORIGINAL_DELIVERIES, type PolicyDocument, REDIRECT_CACHES } from './policy.js';

const MAX_COMPONENTS = 8;
/** With the token's 32 and the base chain, fewer components than the renderer reads. */
const MAX_MANDATORY = 8;
const MAX_PRESETS = 64;
const MAX_PRESET_STEPS = 16;
const MAX_SIDE = 65_500;
const MAX_SECONDS = 366 * 24 * 3600;
const MAX_LISTED = 500;
const MAX_RATE = 100_000_000;
const MAX_PICTURES = 10_000_000;

/** One member of a policy: its description, its OpenAPI schema and the check of a value. */
export interface PolicyMember {
  readonly description: string;
  readonly schema: object;
  /** Completes "`member` …"; null for a valid value. */
  findFault(value: unknown): string | null;
}

const KEYS = [...PARAMETER_BY_KEY.keys()];
const PRESET_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const mapper = new TransformationMapper();

const integer = (description: string, min: number, max: number): PolicyMember => ({
  description,
  schema: { type: 'integer', minimum: min, maximum: max },
  findFault: (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? null
      : `must be a whole number from ${min} to ${max}`,
});

const boolean = (description: string): PolicyMember => ({
  description,
  schema: { type: 'boolean' },
  findFault: (value) => (typeof value === 'boolean' ? null : 'must be true or false'),
});

/** A list of known names; an unknown one is reported with the one that was probably intended. */
const names = (description: string, known: readonly string[], what: string): PolicyMember => {
  const near = new NearNames(known, []);
  const all = new Set<unknown>(known);
  return {
    description,
    schema: { type: 'array', items: { type: 'string', enum: [...known] }, maxItems: known.length },
    findFault: (value) => {
      if (!Array.isArray(value) || value.length > known.length) {
        return `must be an array of at most ${known.length} ${what}`;
      }
      const unknown: unknown = value.find((name) => !all.has(name));
      if (unknown === undefined) return null;
      const only = `must contain only ${what}: ${known.join(', ')}`;
      return typeof unknown === 'string' && near.find(unknown) !== null
        ? `\`${unknown}\` ${describeUnknown(unknown, near)}`
        : only;
    },
  };
};

const keys = (description: string): PolicyMember => names(description, KEYS, 'parameter keys');
const effects = (description: string): PolicyMember =>
  names(description, EFFECT_NAMES, 'names of effects and their groups');

/** A list of values of one form. */
const values = (
  description: string,
  what: string,
  items: object,
  isValid: (value: unknown) => boolean,
): PolicyMember => ({
  description,
  schema: { type: 'array', items, maxItems: MAX_LISTED },
  findFault: (value) =>
    Array.isArray(value) && value.length <= MAX_LISTED && value.every(isValid)
      ? null
      : `must be an array of at most ${MAX_LISTED} ${what}`,
});

/** A named transformation as in a URL, or undefined for what is not a name of one. */
export const writeTransformationName = (name: unknown): string | undefined => TRANSFORMATION_NAME.write(name);

/** A member that another one replaces. It keeps its effect. */
const deprecated = (member: PolicyMember): PolicyMember => ({
  ...member,
  schema: { ...member.schema, deprecated: true },
});

/** One of several words; the first is the default. */
const oneOf = (description: string, words: readonly [string, ...string[]]): PolicyMember => ({
  description,
  schema: { type: 'string', enum: [...words], default: words[0] },
  findFault: (value) => (words.some((word) => word === value) ? null : `must be one of ${words.join(', ')}`),
});

const STEPS_SCHEMA = { type: 'array', items: { type: 'object', additionalProperties: true } };

/** Every member of a policy. The DTO and the reader of stored policies use this table. */
export const POLICY_MEMBERS = {
  base_chain: {
    description:
      'Components in short codes before a token’s steps, verbatim and in this order. Absent: ' +
      '`c_fit,h_1920,w_1920`, `fl_attachment`, `dpr_auto,q_auto,f_auto`. A token’s `download: false` removes ' +
      '`fl_attachment`. No layers.',
    schema: { type: 'array', items: { type: 'string' }, maxItems: MAX_COMPONENTS },
    findFault: (value) => {
      if (!Array.isArray(value) || value.length > MAX_COMPONENTS) {
        return `must be an array of at most ${MAX_COMPONENTS} components in short codes`;
      }
      for (const [index, component] of value.entries()) {
        const fault = findComponentFault(component);
        if (fault !== null) return `component ${index + 1}: ${fault}`;
      }
      return null;
    },
  },
  allowed_keys: keys('The only parameters that a token’s own steps may use. Presets may use others.'),
  denied_keys: deprecated(
    keys(
      'Deprecated: `allowed_keys` does not permit the parameters of later releases. Parameters that a token’s own steps ' +
        'may not use. Presets may use them.',
    ),
  ),
  allowed_effects: effects(
    'The only effects that a token’s own steps may use: names, and the groups `generative`, `ai` and `addon`. ' +
      'Presets may use others.',
  ),
  denied_effects: effects(
    'Effects that a token’s own steps may not use: names, and the groups `generative`, `ai` and `addon`. It has ' +
      'precedence over `allowed_effects`. Presets may use them.',
  ),
  allowed_overlays: values(
    'Ids of the only overlays that a token’s own steps may use: as layers, default images and fonts. Presets may use others.',
    'UUIDs of overlays',
    { type: 'string', format: 'uuid' },
    (value) => canonicalUuid(value) !== null,
  ),
  allowed_formats: names(
    'The only values of `fetch_format` that a token’s own steps may use. Presets may use others.',
    FORMATS,
    'formats',
  ),
  allowed_transformations: values(
    'The only named transformations that a token’s own steps may use. They may do what the rules for effects, overlays, ' +
      'formats and texts forbid in a token’s own steps; without this member, these rules forbid named transformations.',
    'names of named transformations, each of letters, digits, `_`, `-` and spaces',
    { type: 'string' },
    (value) => writeTransformationName(value) !== undefined,
  ),
  text: {
    description:
      'Texts in a token’s own steps: `false` for none, or the greatest number of characters of one. Presets may have others.',
    schema: {
      oneOf: [
        { type: 'boolean', enum: [false] },
        { type: 'integer', minimum: 1, maximum: LONGEST_TEXT },
      ],
    },
    findFault: (value) =>
      value === false || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LONGEST_TEXT)
        ? null
        : `must be false, or a whole number from 1 to ${LONGEST_TEXT}`,
  },
  requests_per_minute: integer(
    'Requests a minute with the issuer’s tokens and for its public images, as a burst that is refilled evenly. The lower ' +
      'one of this and `RATE_LIMIT_ISSUER` applies.',
    1,
    MAX_RATE,
  ),
  new_pictures_per_day: integer(
    'New pictures on one day (UTC): images under chains that were not delivered within the last 30 days, of tokens and of ' +
      'public images. Further new ones are refused with 429 until the next day; known ones are delivered.',
    1,
    MAX_PICTURES,
  ),
  mandatory_steps: {
    description:
      'Steps, in the SDK’s terms as in a token, that are appended to every chain, such as a watermark. ' +
      'Layers name the issuer’s overlays. With them a token cannot request the original.',
    schema: { ...STEPS_SCHEMA, maxItems: MAX_MANDATORY },
    findFault: (value) => findStepsFault(value, 0, MAX_MANDATORY) ?? findInvisibleText(value),
  },
  presets: {
    description:
      'Lists of steps by name. A token calls one with the step `{"preset": "<name>"}`, and may mix them with its own.',
    schema: {
      type: 'object',
      additionalProperties: { ...STEPS_SCHEMA, minItems: 1, maxItems: MAX_PRESET_STEPS },
    },
    findFault: (value) => {
      if (!isObject(value) || Object.keys(value).length > MAX_PRESETS) {
        return `must be an object of at most ${MAX_PRESETS} lists of steps by name`;
      }
      for (const [name, steps] of Object.entries(value)) {
        if (!PRESET_NAME.test(name)) {
          return 'must have names of 1 to 64 letters, digits, `_` and `-`, a letter or digit first';
        }
        const fault = findStepsFault(steps, 1, MAX_PRESET_STEPS);
        if (fault !== null) return `\`${name}\` ${fault}`;
      }
      return null;
    },
  },
  presets_only: boolean('A token’s steps may only call presets, and it cannot request the original.'),
  max_width: integer(
    'Maximum width of the image in pixels, whatever the original: `c_limit` ends the chain.',
    1,
    MAX_SIDE,
  ),
  max_height: integer('Maximum height of the image in pixels, likewise.', 1, MAX_SIDE),
  max_layers: integer('Overlays and underlays of a token’s steps, those of its presets included.', 0, 10),
  max_steps: integer('Steps of a token, those of its presets included.', 0, 32),
  require_exp: boolean('Tokens without `exp` are refused.'),
  max_token_age: integer(
    'Tokens are accepted for this many seconds after their `iat`, plus 30 seconds of leeway; those without `iat` are refused.',
    1,
    MAX_SECONDS,
  ),
  require_image_id: boolean('Tokens without `image_id` are refused.'),
  redirect_cache: oneOf(
    '`no-store`: each view requests the redirect again. `private`: browsers may cache it until the token expires, ' +
      'and at most for `redirect_max_age`.',
    REDIRECT_CACHES,
  ),
  redirect_max_age: {
    ...integer('Seconds for which a browser may cache a redirect, at most, under `private`.', 1, MAX_SECONDS),
    schema: { type: 'integer', minimum: 1, maximum: MAX_SECONDS, default: 300 },
  },
  strict: boolean(
    'Unknown keys of a step, steps without effect and flags of a layer without a layer are refused with 422 instead of ' +
      'ignored, and with 401 the claims `id` and `Id` if they contain a UUID and do not bind the token.',
  ),
  lenient: boolean(
    'Unknown claims and keys that resemble known ones (`transformation`, `imageId`, `widht`, `w`), and parameters ' +
      'beside `transformations`, are ignored instead of refused with 401 and 422. Has no effect beside `strict`.',
  ),
  claims: oneOf(
    '`sharinpix`: tokens for SharinPix. `id` or `Id` binds like `image_id`, `sharinpix.full_size` omits the ' +
      'size of the base chain’s first component, `sharinpix.filename` names the download.',
    CLAIM_PROFILES,
  ),
  deny_generative_effects: deprecated(
    boolean('Deprecated: use `denied_effects: ["generative"]`, which denies the same.'),
  ),
  placeholder: {
    description: 'The id of an image of this issuer that replaces deleted and rejected ones.',
    schema: { type: 'string', format: 'uuid' },
    findFault: (value) => (canonicalUuid(value) === null ? 'must be a UUID' : null),
  },
  original: oneOf(
    'How `sharinpix.original` is delivered. `url`: by a URL without a chain, in the issuer’s `delivery_format`. ' +
      '`download`: the stored file itself, by a link of Cloudinary’s API that expires within 60 seconds. `no`: it is refused.',
    ORIGINAL_DELIVERIES,
  ),
  delivery: oneOf(
    '`redirect`: to the signed URL, which outlives its token. `proxy`: the service delivers the image itself, so that ' +
      'the expiry and the revocation of a token apply to each view. Needs the setting `PROXY`; without it requests get 503.',
    DELIVERIES,
  ),
  bind_ip: boolean(
    'Tokens may have `bind_ip`: an address or subnet, or a list of them, one of which must contain the client’s address by ' +
      '`TRUST_PROXY`. Without it such tokens are refused.',
  ),
} as const satisfies Readonly<Record<keyof PolicyDocument, PolicyMember>>;

/** Maps steps of a policy. @throws {InvalidTransformationError} outside of the vocabulary. */
export const mapPolicySteps = (steps: unknown): MappedChain => mapper.map(steps);

function findStepsFault(steps: unknown, fewest: number, most: number): string | null {
  if (!Array.isArray(steps) || steps.length < fewest || steps.length > most) {
    return `must be an array of ${fewest} to ${most} steps`;
  }
  try {
    const chain = mapPolicySteps(steps);
    for (const { step, ignored } of chain.steps) {
      // Part of a watermark would silently be missing.
      if (ignored[0]) return `step ${step}: \`${ignored[0].key}\` would have no effect: ${ignored[0].reason}`;
    }
    return closesForeignLayer(chain.steps.map((step) => step.values()))
      ? 'must close only its own layers with `layer_apply`'
      : null;
  } catch (error) {
    if (error instanceof InvalidTransformationError) return describeFault(error);
    throw error;
  }
}

/** A mandatory text that shows nothing, on which a watermark depends. @param steps Without other faults. */
function findInvisibleText(steps: unknown): string | null {
  for (const mapped of mapPolicySteps(steps).steps) {
    const values = mapped.values();
    for (const layer of [values.get('l'), values.get('u')]) {
      const [, text] = /^text:[^:]*:(.*)$/.exec(layer ?? '') ?? [];
      if (text !== undefined && isInvisibleText(text)) {
        return `step ${mapped.step}: the text must contain a visible character`;
      }
    }
  }
  return null;
}

/** Whether a `fl_layer_apply` closes no layer of this list, and so one before it. */
function closesForeignLayer(components: readonly ComponentValues[]): boolean {
  let open = 0;
  return components.some((values) => {
    if (values.has('l') || values.has('u')) open += 1;
    return values.get('fl')?.split('.').includes('layer_apply') === true && --open < 0;
  });
}

/** A refusal by the vocabulary, as a part of a sentence: "step 1: `width` must be …". */
export function describeFault({ extensions }: InvalidTransformationError): string {
  const { step, key, near, value, allowed } = extensions as Readonly<Record<string, string | undefined>>;
  const place = [
    ...(step === undefined ? [] : [`step ${step}`]),
    ...(key === undefined ? [] : [`\`${key}\``]),
  ].join(': ');
  if (near !== undefined) return `${place} is not a parameter; did you mean \`${near}\`?`;
  return value === undefined ? `${place} is not allowed; allowed: ${allowed}` : `${place} must be ${allowed}`;
}
