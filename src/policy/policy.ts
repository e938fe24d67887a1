import type { ClaimProfile } from '../tokens/claim-names.js';
import type { Rate } from '../platform/rate-limit/rate-limit.storage.js';
import type { MappedChain } from '../transformations/transformation.mapper.js';
import type { BaseChain, ChainPart } from './base-chain.js';

/** How a redirect may be cached. */
export const REDIRECT_CACHES = ['no-store', 'private'] as const;
export type RedirectCache = (typeof REDIRECT_CACHES)[number];

/** How an issuer's images reach a client: by a redirect to the signed URL, or as bytes of this service. */
export const DELIVERIES = ['redirect', 'proxy'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/** How a token's `sharinpix.original` is delivered: by a delivery URL, by a link that expires, or not at all. */
export const ORIGINAL_DELIVERIES = ['url', 'download', 'no'] as const;
export type OriginalDelivery = (typeof ORIGINAL_DELIVERIES)[number];

/** A step in the SDK's terms, as a token has it. */
export type PolicyStep = Readonly<Record<string, unknown>>;

/** An issuer's policy in the database and the API; an absent member restricts nothing. */
export interface PolicyDocument {
  readonly base_chain?: readonly string[];
  readonly allowed_keys?: readonly string[];
  readonly denied_keys?: readonly string[];
  readonly allowed_effects?: readonly string[];
  readonly denied_effects?: readonly string[];
  readonly allowed_overlays?: readonly string[];
  readonly allowed_formats?: readonly string[];
  readonly allowed_transformations?: readonly string[];
  readonly text?: false | number;
  readonly requests_per_minute?: number;
  readonly new_pictures_per_day?: number;
  readonly mandatory_steps?: readonly PolicyStep[];
  readonly presets?: Readonly<Record<string, readonly PolicyStep[]>>;
  readonly presets_only?: boolean;
  readonly max_width?: number;
  readonly max_height?: number;
  readonly max_layers?: number;
  readonly max_steps?: number;
  readonly require_exp?: boolean;
  readonly max_token_age?: number;
  readonly require_image_id?: boolean;
  readonly redirect_cache?: RedirectCache;
  readonly redirect_max_age?: number;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly claims?: ClaimProfile;
  readonly deny_generative_effects?: boolean;
  readonly placeholder?: string;
  readonly original?: OriginalDelivery;
  readonly delivery?: Delivery;
  readonly bind_ip?: boolean;
}

/** The rules for values in a token's own steps. Null restricts nothing. */
export interface StepRules {
  readonly document: PolicyDocument;
  /** Names without groups. */
  readonly allowedEffects: ReadonlySet<string> | null;
  readonly deniedEffects: ReadonlySet<string> | null;
  /** What `deny_generative_effects` denies. */
  readonly generative: ReadonlySet<string> | null;
  /** Ids of overlays, in lower case. */
  readonly allowedOverlays: ReadonlySet<string> | null;
  readonly allowedFormats: ReadonlySet<string> | null;
  /** Names of named transformations as in a URL. */
  readonly allowedTransformations: ReadonlySet<string> | null;
  /** UTF-16 units; 0 for no text. */
  readonly longestText: number | null;
  /** The rule that a named transformation violates because it could get around it; null for none. */
  readonly strongestRule: ValueRule | null;
}

/** Rules that a named transformation could get around. */
export const VALUE_RULES = [
  'deny_generative_effects',
  'denied_effects',
  'allowed_effects',
  'allowed_overlays',
  'allowed_formats',
  'text',
] as const satisfies readonly (keyof PolicyDocument)[];
export type ValueRule = (typeof VALUE_RULES)[number];

/** A policy prepared for redirects: frozen data, no I/O. */
export interface Policy {
  readonly document: PolicyDocument;
  readonly baseChain: BaseChain;
  /** Appended to every token's own steps. */
  readonly mandatory: MappedChain;
  /** The last component of every chain, if `max_width` or `max_height` limits the size. */
  readonly sizeLimit: ChainPart;
  /** By name, not mapped yet: a flag may depend on the steps around a preset. */
  readonly presets: ReadonlyMap<string, readonly PolicyStep[]>;
  /** Null for every key. */
  readonly allowedKeys: ReadonlySet<string> | null;
  readonly deniedKeys: ReadonlySet<string>;
  /** Null if the policy has no rule for values. */
  readonly stepRules: StepRules | null;
  /** The rate of `requests_per_minute`; null for none. */
  readonly rate: Rate | null;
  /** Whether unknown claims and keys that resemble known ones are ignored; false if the policy is strict. */
  readonly lenient: boolean;
  /** Whether this service delivers the images itself: no client receives a signed URL. */
  readonly isProxied: boolean;
  /** Seconds for which a redirect may be cached, at most; 0 disables caching. */
  readonly redirectMaxAge: number;
}
