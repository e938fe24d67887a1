import { createHmac } from 'node:crypto';
import { signWithSdk } from '../location-parser.js';
import {
  baseChainOf,
  boundImages,
  formatOf,
  isIssuedBefore,
  layerOf,
  type ReferenceModel,
  sizeLimitOf,
} from './reference-model.js';
import {
  type Algorithm,
  type ModelImage,
  type ModelIssuer,
  type ModelKey,
  type ModelPolicy,
  type ModelStep,
  TIMES,
} from './rows.js';

/** A token before it is signed. */
export interface ModelToken {
  readonly key: Pick<ModelKey, 'secret'>;
  readonly algorithm: Algorithm;
  readonly kid?: string;
  readonly claims: ModelClaims;
}

// A type alias, so that it is a `Claims` too.
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type ModelClaims = {
  readonly iss: string;
  readonly image_id?: string | readonly string[];
  readonly id?: string;
  /** Not a claim, but close to the name of one. */
  readonly imageId?: string;
  readonly exp?: number;
  readonly iat?: number;
  readonly jti?: string;
  readonly session_id?: string;
  readonly transformations?: readonly ModelStep[];
  readonly sharinpix?: { readonly download?: boolean; readonly original?: boolean };
};

/** A request for an image. */
export interface ModelRequest {
  readonly pathId: string;
  /** Null for a request without a token. */
  readonly token: ModelToken | null;
  /** The query's `width`, which applies without a token. */
  readonly width: number | null;
}

/** The response that the service must give: an error, or a redirect. */
export type Prediction =
  | { readonly status: number; readonly code: string; readonly rule?: string }
  | {
      readonly status: 302;
      readonly url: string;
      readonly imageId: string;
      readonly placeholderId: string | null;
      readonly issuerId: string;
      /** The keys that may have signed the token; empty without a token. */
      readonly keyIds: readonly string[];
      readonly cacheControl: string;
    };

/** An error response, thrown where the request is refused. */
class Refusal extends Error {
  constructor(readonly prediction: Prediction) {
    super('refused');
  }
}

const refuse = (status: number, code: string, rule?: string): Refusal =>
  new Refusal({ status, code, ...(rule === undefined ? {} : { rule }) });
const forbid = (rule: string): Refusal => refuse(403, 'policy_violation', rule);
const REFUSED_TOKEN = refuse(401, 'invalid_token');

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** The parameters that the model's steps use. */
const PARAMETERS = new Set(['width', 'height', 'crop', 'effect', 'overlay', 'flags']);

export function signModelToken({ key, algorithm, kid, claims }: ModelToken): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const input = `${encode({ typ: 'JWT', alg: algorithm, kid })}.${encode(claims)}`;
  const hash = algorithm.replace('HS', 'sha');
  return `${input}.${createHmac(hash, key.secret).update(input).digest('base64url')}`;
}

/** The exact response to a request for an image, as the README and docs/policy.md describe it. */
export function predict(model: ReferenceModel, request: ModelRequest): Prediction {
  try {
    return request.token === null
      ? predictPublic(model, request)
      : predictSigned(model, request, request.token);
  } catch (error) {
    if (error instanceof Refusal) return error.prediction;
    throw error;
  }
}

function predictSigned(model: ReferenceModel, { pathId }: ModelRequest, token: ModelToken): Prediction {
  const { claims } = token;
  const issuer = model.issuers.get(claims.iss);
  const keyIds = issuer === undefined ? [] : signersOf(model, issuer, token);
  if (issuer === undefined || issuer.disabled || keyIds.length === 0) throw REFUSED_TOKEN;
  if (claims.exp !== undefined && claims.exp < TIMES.recent) throw REFUSED_TOKEN;
  if (isIssuedBefore(claims, issuer.not_before) || model.isRevoked(claims)) throw REFUSED_TOKEN;
  const { policy } = issuer;
  checkNames(policy, claims);
  const bound = boundImages(claims, policy) as string | readonly string[] | undefined;
  const imageId = requestedImage(bound, pathId);
  checkToken(policy, claims, bound);
  const steps = claims.sharinpix?.original === true ? [] : expand(policy, claims.transformations ?? []);
  const registered = model.findRegistered(imageId);
  if (registered?.issuer_id !== issuer.id) throw refuse(404, 'image_not_found');
  if (isIssuedBefore(claims, registered.not_before)) throw REFUSED_TOKEN;
  const shown = model.findShown(imageId);
  if (shown === undefined) throw refuse(410, 'image_deleted');
  return redirectTo(issuer, registered, shown, chainOf(model, issuer, steps, claims), keyIds);
}

function predictPublic(model: ReferenceModel, { pathId, width }: ModelRequest): Prediction {
  if (!UUID.test(pathId)) throw refuse(400, 'invalid_image_id');
  const registered = model.findRegistered(pathId);
  const issuer = registered && model.issuers.get(registered.issuer_id);
  if (registered?.access !== 'public' || issuer === undefined || issuer.disabled) {
    throw refuse(401, 'token_required');
  }
  const steps = width === null ? [] : expand(issuer.policy, [{ width }]);
  const shown = model.findShown(pathId);
  if (shown?.access !== 'public') throw refuse(410, 'image_deleted');
  return redirectTo(issuer, registered, shown, chainOf(model, issuer, steps, null), []);
}

/** The issuer's active keys that signed the token. */
function signersOf(model: ReferenceModel, issuer: ModelIssuer, token: ModelToken): readonly string[] {
  const active = model
    .keysOf(issuer.id)
    .filter(({ not_before }) => not_before === null || not_before < TIMES.recent)
    .filter(({ not_after }) => not_after === null || not_after > TIMES.recent);
  const named = active.filter(({ id }) => id === token.kid);
  return (named.length > 0 ? named : active)
    .filter(({ algorithm, secret }) => algorithm === token.algorithm && secret === token.key.secret)
    .map(({ id }) => id);
}

function requestedImage(bound: string | readonly string[] | undefined, pathId: string): string {
  if (typeof bound === 'string') return bound;
  if (!UUID.test(pathId)) throw refuse(400, 'invalid_image_id');
  if (bound !== undefined && !bound.includes(pathId)) throw refuse(403, 'image_not_in_token');
  return pathId;
}

/** Claims that look as if they bound the token, and do not. */
function checkNames({ strict, lenient, claims: profile }: ModelPolicy, { id, imageId }: ModelClaims): void {
  if (imageId !== undefined && (strict === true || lenient !== true)) throw REFUSED_TOKEN;
  if (id !== undefined && strict === true && profile !== 'sharinpix') throw REFUSED_TOKEN;
}

function checkToken(policy: ModelPolicy, { exp, iat, sharinpix }: ModelClaims, bound: unknown): void {
  if (policy.require_exp === true && exp === undefined) throw forbid('require_exp');
  if (policy.max_token_age !== undefined) {
    if (iat === undefined || iat + policy.max_token_age < TIMES.recent) throw forbid('max_token_age');
  }
  if (policy.require_image_id === true && bound === undefined) throw forbid('require_image_id');
  if (sharinpix?.original !== true) return;
  if (policy.original === 'no') throw forbid('original');
  if ((policy.mandatory_steps ?? []).length > 0) throw forbid('mandatory_steps');
  if (policy.presets_only === true) throw forbid('presets_only');
  if (policy.max_width !== undefined) throw forbid('max_width');
  if (policy.max_height !== undefined) throw forbid('max_height');
}

/** The token's steps with presets expanded, once the policy allows their keys and their number. */
function expand(policy: ModelPolicy, steps: readonly ModelStep[]): readonly ModelStep[] {
  const expanded: ModelStep[] = [];
  for (const step of steps) {
    if ('preset' in step) {
      const preset = policy.presets?.[String(step['preset'])];
      if (preset === undefined) throw refuse(422, 'invalid_transformation');
      expanded.push(...preset);
    } else {
      checkKeys(policy, step);
      expanded.push(step);
    }
    if (policy.max_steps !== undefined && expanded.length > policy.max_steps) throw forbid('max_steps');
  }
  return expanded;
}

function checkKeys(policy: ModelPolicy, step: ModelStep): void {
  if (policy.presets_only === true) throw forbid('presets_only');
  for (const key of Object.keys(step)) {
    if (!PARAMETERS.has(key)) {
      if (policy.strict === true) throw refuse(422, 'invalid_transformation');
    } else {
      if (policy.allowed_keys?.includes(key) === false) throw forbid('allowed_keys');
      if (policy.denied_keys?.includes(key) === true) throw forbid('denied_keys');
    }
  }
}

/** @param claims Null without a token. */
function chainOf(
  model: ReferenceModel,
  { id, policy }: ModelIssuer,
  steps: readonly ModelStep[],
  claims: ModelClaims | null,
): readonly string[] {
  if (
    steps.some(({ width }) => typeof width === 'number' && width < 1) ||
    (policy.lenient !== true && steps.some((step) => 'effects' in step))
  ) {
    throw refuse(422, 'invalid_transformation');
  }
  // An original has no steps, so that these find nothing.
  checkOwnEffects(policy, steps);
  checkOutput(policy, steps);
  const ofPolicy = new Set([
    ...(policy.mandatory_steps ?? []),
    ...Object.values(policy.presets ?? {}).flat(),
  ]);
  const layer = (overlayId: unknown, step: ModelStep): string => {
    const row = model.overlays.get(String(overlayId));
    const isVisible = row !== undefined && (row.issuer_id === id || (row.shared && ofPolicy.has(step)));
    if (!isVisible) throw refuse(404, 'overlay_not_found');
    return `l_${layerOf(row)}`;
  };
  const write = (step: ModelStep): string => {
    const { width, height, effect, overlay } = step;
    return [
      ...(height === undefined ? [] : ['c_fill']),
      ...(effect === undefined ? [] : [`e_${effect as string}`]),
      ...(overlay === undefined ? [] : ['fl_no_overflow', layer(overlay, step)]),
      ...(height === undefined ? [] : [`h_${Number(height)}`]),
      ...(width === undefined ? [] : [`w_${Number(width)}`]),
    ].join(',');
  };
  const own = [...steps, ...(policy.mandatory_steps ?? [])].map(write);
  return [...baseChainOf(policy, claims), ...own, ...sizeLimitOf(policy)].filter(
    (component) => component !== '',
  );
}

/** Presets may use effects that a token's own steps may not. */
function checkOwnEffects(policy: ModelPolicy, steps: readonly ModelStep[]): void {
  const {
    deny_generative_effects: deniesGenerative,
    denied_effects: denied,
    allowed_effects: allowed,
  } = policy;
  const ofPresets = new Set(Object.values(policy.presets ?? {}).flat());
  for (const { effect } of steps.filter((step) => !ofPresets.has(step))) {
    if (typeof effect !== 'string') continue;
    const [name = ''] = effect.split(':');
    const isGenerative = name.startsWith('gen_');
    if (deniesGenerative === true && isGenerative) throw forbid('deny_generative_effects');
    if (denied?.includes(name) === true || (denied?.includes('generative') === true && isGenerative)) {
      throw forbid('denied_effects');
    }
    if (allowed?.includes(name) === false) throw forbid('allowed_effects');
  }
}

/** Limits of the number of layers, and of the sides in steps. */
function checkOutput(policy: ModelPolicy, steps: readonly ModelStep[]): void {
  const { max_layers: layers = Infinity, max_width: width, max_height: height } = policy;
  if (steps.filter(({ overlay }) => overlay !== undefined).length > layers) throw forbid('max_layers');
  for (const [rule, limit, side] of [
    ['max_width', width, 'width'],
    ['max_height', height, 'height'],
  ] as const) {
    const sides = steps.map((step) => step[side]).filter((each) => typeof each === 'number');
    if (sides.some((each) => each > (limit ?? Infinity))) throw forbid(rule);
  }
}

function redirectTo(
  issuer: ModelIssuer,
  registered: ModelImage,
  shown: ModelImage,
  components: readonly string[],
  keyIds: readonly string[],
): Prediction {
  const { public_id: publicId, delivery_type: deliveryType, version } = shown;
  const { redirect_cache: cache, redirect_max_age: maxAge = 300 } = issuer.policy;
  const format = formatOf(issuer, shown);
  if (format === null) throw refuse(409, 'image_format_unknown');
  return {
    status: 302,
    url: signWithSdk({ publicId, deliveryType, version, format, components }),
    imageId: registered.id,
    placeholderId: shown.id === registered.id ? null : shown.id,
    issuerId: issuer.id,
    keyIds,
    cacheControl: cache === 'private' ? `private, max-age=${maxAge}` : 'no-cache, no-store',
  };
}
