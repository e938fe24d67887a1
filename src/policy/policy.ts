import type { ClaimProfile } from '../tokens/claim-names.js';
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
}

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
  /** Whether unknown claims and keys that resemble known ones are ignored; false if the policy is strict. */
  readonly lenient: boolean;
  /** Whether this service delivers the images itself: no client receives a signed URL. */
  readonly isProxied: boolean;
  /** Seconds for which a redirect may be cached, at most; 0 disables caching. */
  readonly redirectMaxAge: number;
}
