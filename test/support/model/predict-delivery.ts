import { createHmac } from 'node:crypto';
import { signWithSdk } from '../location-parser.js';
import type { Model } from './model.js';
import type { Algorithm, ModelImage, ModelIssuer, ModelKey, ModelPolicy, ModelStep } from './rows.js';
import { MOMENTS } from './rows.js';

/** A token before it is sealed. */
export interface ModelToken {
  readonly key: Pick<ModelKey, 'secret'>;
  readonly algorithm: Algorithm;
  readonly kid?: string;
  readonly claims: ModelClaims;
}

export interface ModelClaims {
  readonly iss: string;
  readonly image_id?: string | readonly string[];
  readonly id?: string;
  /** No claim, but near one. */
  readonly imageId?: string;
  readonly exp?: number;
  readonly iat?: number;
  readonly jti?: string;
  readonly session_id?: string;
  readonly transformations?: readonly ModelStep[];
  readonly sharinpix?: { readonly download?: boolean; readonly original?: boolean };
}

/** A request for an image. */
export interface ModelAsking {
  readonly pathId: string;
  /** Null for a request without one. */
  readonly token: ModelToken | null;
  /** The query's `width`, which counts without a token. */
  readonly width: number | null;
}

/** What it must be answered with: a refusal, or what is shown. */
export type Prediction =
  | { readonly status: number; readonly code: string; readonly rule?: string }
  | {
      readonly status: 302;
      readonly url: string;
      readonly imageId: string;
      readonly placeholderId: string | null;
      readonly issuerId: string;
      /** Those that may have sealed the token; empty without one. */
      readonly keyIds: readonly string[];
      readonly cacheControl: string;
    };

/** A request's answer, thrown on the way to it. */
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
const DEFAULT_BASE = ['c_fit,h_1920,w_1920', 'fl_attachment', 'dpr_auto,q_auto,f_auto'];
/** The parameters that the model's steps use. */
const PARAMETERS = new Set(['width', 'height', 'crop', 'effect', 'overlay', 'flags']);

export function sealModelToken({ key, algorithm, kid, claims }: ModelToken): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const sealed = `${encode({ typ: 'JWT', alg: algorithm, kid })}.${encode(claims)}`;
  const hash = algorithm.replace('HS', 'sha');
  return `${sealed}.${createHmac(hash, key.secret).update(sealed).digest('base64url')}`;
}

/** The answer to a request for an image, as the README and docs/policy.md promise it. */
export function predictDelivery(model: Model, asking: ModelAsking): Prediction {
  try {
    return asking.token === null ? predictPublic(model, asking) : predictSealed(model, asking, asking.token);
  } catch (error) {
    if (error instanceof Refusal) return error.prediction;
    throw error;
  }
}

function predictSealed(model: Model, { pathId }: ModelAsking, token: ModelToken): Prediction {
  const { claims } = token;
  const issuer = model.issuers.get(claims.iss);
  const keyIds = issuer === undefined ? [] : sealersOf(model, issuer, token);
  if (issuer === undefined || issuer.disabled || keyIds.length === 0) throw REFUSED_TOKEN;
  if (claims.exp !== undefined && claims.exp < MOMENTS.lately) throw REFUSED_TOKEN;
  if (isTooOld(claims, issuer.not_before) || isRevoked(model, claims)) throw REFUSED_TOKEN;
  const { policy } = issuer;
  checkNames(policy, claims);
  const { id, ...others } = claims;
  const named = policy.claims === 'sharinpix' && id !== undefined ? { ...others, image_id: id } : others;
  const imageId = imageOf(named, pathId);
  const { original = false, download = true } = claims.sharinpix ?? {};
  checkToken(policy, named, original);
  const steps = original ? [] : expand(policy, claims.transformations ?? []);
  const asked = model.images.get(imageId) ?? model.deletedImages.get(imageId);
  if (asked?.issuer_id !== issuer.id) throw refuse(404, 'image_not_found');
  if (isTooOld(claims, asked.not_before)) throw REFUSED_TOKEN;
  const shown = shownFor(model, asked, policy);
  if (shown === null) throw refuse(410, 'image_deleted');
  const chain = chainOf(model, issuer, steps, { download, original });
  return show(issuer, asked, shown, chain, keyIds);
}

function predictPublic(model: Model, { pathId, width }: ModelAsking): Prediction {
  if (!UUID.test(pathId)) throw refuse(400, 'invalid_image_id');
  const asked = model.images.get(pathId) ?? model.deletedImages.get(pathId);
  const issuer = asked && model.issuers.get(asked.issuer_id);
  if (asked?.access !== 'public' || issuer === undefined || issuer.disabled) {
    throw refuse(401, 'token_required');
  }
  const steps = width === null ? [] : expand(issuer.policy, [{ width }]);
  const shown = shownFor(model, asked, issuer.policy);
  if (shown?.access !== 'public') throw refuse(410, 'image_deleted');
  const chain = chainOf(model, issuer, steps, { download: true, original: false });
  return show(issuer, asked, shown, chain, []);
}

/** The live keys of the issuer that sealed the token. */
function sealersOf(model: Model, issuer: ModelIssuer, token: ModelToken): readonly string[] {
  const live = model
    .keysOf(issuer.id)
    .filter(({ not_before }) => not_before === null || not_before < MOMENTS.lately)
    .filter(({ not_after }) => not_after === null || not_after > MOMENTS.lately);
  const named = live.filter(({ id }) => id === token.kid);
  return (named.length > 0 ? named : live)
    .filter(({ algorithm, secret }) => algorithm === token.algorithm && secret === token.key.secret)
    .map(({ id }) => id);
}

function isTooOld({ iat }: ModelClaims, notBefore: number | null): boolean {
  return notBefore !== null && (iat === undefined || iat < notBefore);
}

function isRevoked(model: Model, { iss, jti, session_id }: ModelClaims): boolean {
  return model
    .revocationsOf(iss)
    .some((each) => (each.jti === null ? each.session_id === session_id : each.jti === jti));
}

function imageOf({ image_id: bound }: ModelClaims, pathId: string): string {
  if (typeof bound === 'string') return bound;
  if (!UUID.test(pathId)) throw refuse(400, 'invalid_image_id');
  if (bound !== undefined && !bound.includes(pathId)) throw refuse(403, 'image_not_in_token');
  return pathId;
}

/** Claims that were meant to bind the token, and do not. */
function checkNames({ strict, lenient, claims: profile }: ModelPolicy, { id, imageId }: ModelClaims): void {
  if (imageId !== undefined && (strict === true || lenient !== true)) throw REFUSED_TOKEN;
  if (id !== undefined && strict === true && profile !== 'sharinpix') throw REFUSED_TOKEN;
}

function checkToken(policy: ModelPolicy, { exp, iat, image_id }: ModelClaims, original: boolean): void {
  if (policy.require_exp === true && exp === undefined) throw forbid('require_exp');
  if (policy.max_token_age !== undefined) {
    if (iat === undefined || iat + policy.max_token_age < MOMENTS.lately) throw forbid('max_token_age');
  }
  if (policy.require_image_id === true && image_id === undefined) throw forbid('require_image_id');
  if (!original) return;
  if ((policy.mandatory_steps ?? []).length > 0) throw forbid('mandatory_steps');
  if (policy.presets_only === true) throw forbid('presets_only');
  if (policy.max_width !== undefined) throw forbid('max_width');
  if (policy.max_height !== undefined) throw forbid('max_height');
}

/** The token's steps with presets in their place, as far as the policy has nothing against their keys and number. */
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

function shownFor(model: Model, asked: ModelImage, { placeholder }: ModelPolicy): ModelImage | null {
  if (model.images.has(asked.id)) return asked;
  const shown = placeholder === undefined ? undefined : model.images.get(placeholder);
  return shown?.issuer_id === asked.issuer_id ? shown : null;
}

function chainOf(
  model: Model,
  { id, policy }: ModelIssuer,
  steps: readonly ModelStep[],
  { download, original }: { readonly download: boolean; readonly original: boolean },
): readonly string[] {
  if (
    steps.some(({ width }) => typeof width === 'number' && width < 1) ||
    (policy.lenient !== true && steps.some((step) => 'effects' in step))
  ) {
    throw refuse(422, 'invalid_transformation');
  }
  if (!original) {
    checkGenerative(policy, steps);
    checkOutput(policy, steps);
  }
  const layer = (overlayId: unknown): string => {
    const row = model.overlays.get(String(overlayId));
    if (row?.issuer_id !== id) throw refuse(404, 'overlay_not_found');
    const publicId = row.public_id.replaceAll('/', ':');
    return `l_${row.delivery_type === 'upload' ? '' : `${row.delivery_type}:`}${publicId}`;
  };
  const write = ({ width, height, effect, overlay }: ModelStep): string =>
    [
      ...(height === undefined ? [] : ['c_fill']),
      ...(effect === undefined ? [] : [`e_${effect as string}`]),
      ...(overlay === undefined ? [] : ['fl_no_overflow', layer(overlay)]),
      ...(height === undefined ? [] : [`h_${Number(height)}`]),
      ...(width === undefined ? [] : [`w_${Number(width)}`]),
    ].join(',');
  const base = (policy.base_chain ?? DEFAULT_BASE).filter((component) =>
    component === 'fl_attachment' ? download : !original,
  );
  const own = [...steps, ...(policy.mandatory_steps ?? [])].map(write);
  const { max_width: width, max_height: height } = policy;
  const sides = [
    ...(height === undefined ? [] : [`h_${height}`]),
    ...(width === undefined ? [] : [`w_${width}`]),
  ];
  const limit = sides.length === 0 ? [] : [['c_limit', ...sides].join(',')];
  return [...base, ...own, ...limit].filter((component) => component !== '');
}

/** Presets may have what a token's own steps may not. */
function checkGenerative(policy: ModelPolicy, steps: readonly ModelStep[]): void {
  if (policy.deny_generative_effects !== true) return;
  const ofPresets = new Set(Object.values(policy.presets ?? {}).flat());
  const own = steps.filter((step) => !ofPresets.has(step));
  if (own.some(({ effect }) => String(effect).startsWith('gen_'))) throw forbid('deny_generative_effects');
}

/** Limits of layers, and of the sides that steps name. */
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

function show(
  issuer: ModelIssuer,
  asked: ModelImage,
  shown: ModelImage,
  components: readonly string[],
  keyIds: readonly string[],
): Prediction {
  const { public_id: publicId, delivery_type: deliveryType, version } = shown;
  const { redirect_cache: cache, redirect_max_age: maxAge = 300 } = issuer.policy;
  return {
    status: 302,
    url: signWithSdk({ publicId, deliveryType, version, format: issuer.delivery_format, components }),
    imageId: asked.id,
    placeholderId: shown.id === asked.id ? null : shown.id,
    issuerId: issuer.id,
    keyIds,
    cacheControl: cache === 'private' ? `private, max-age=${maxAge}` : 'no-cache, no-store',
  };
}
