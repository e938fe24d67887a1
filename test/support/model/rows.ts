/** Rows of the reference model, with the columns that a redirect depends on. Times are in seconds since 1970. */
export interface ModelIssuer {
  readonly id: string;
  readonly disabled: boolean;
  readonly delivery_format: string;
  readonly not_before: number | null;
  readonly policy: ModelPolicy;
  readonly iss_aliases?: readonly string[];
}

export interface ModelKey {
  readonly id: string;
  readonly issuer_id: string;
  readonly secret: string;
  readonly algorithm: Algorithm;
  readonly not_before: number | null;
  readonly not_after: number | null;
}

/** A key without a secret. */
export interface ModelPublicKey {
  readonly id: string;
  readonly issuer_id: string;
  readonly algorithm: string;
  /** In PEM. */
  readonly public_key: string;
}

export interface ModelImage {
  readonly id: string;
  readonly issuer_id: string;
  readonly public_id: string;
  readonly version: number;
  readonly format: string | null;
  readonly delivery_type: string;
  readonly access: string;
  readonly not_before: number | null;
}

export type ModelAsset = Pick<ModelImage, 'id' | 'issuer_id' | 'public_id' | 'delivery_type'>;
export type ModelOverlay = ModelAsset & { readonly shared: boolean };

export interface ModelRevocation {
  readonly id: string;
  readonly issuer_id: string;
  readonly jti: string | null;
  readonly session_id: string | null;
  readonly expires_at: number | null;
}

export const ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export type ModelStep = Readonly<Record<string, unknown>>;

/** The members of a policy that the model implements. */
export interface ModelPolicy {
  readonly base_chain?: readonly string[];
  readonly mandatory_steps?: readonly ModelStep[];
  readonly presets?: Readonly<Record<string, readonly ModelStep[]>>;
  readonly presets_only?: boolean;
  readonly allowed_keys?: readonly string[];
  readonly denied_keys?: readonly string[];
  readonly max_width?: number;
  readonly max_height?: number;
  readonly max_layers?: number;
  readonly max_steps?: number;
  readonly require_exp?: boolean;
  readonly max_token_age?: number;
  readonly require_image_id?: boolean;
  readonly strict?: boolean;
  readonly lenient?: boolean;
  readonly claims?: string;
  readonly deny_generative_effects?: boolean;
  readonly allowed_effects?: readonly string[];
  readonly denied_effects?: readonly string[];
  readonly redirect_cache?: string;
  readonly redirect_max_age?: number;
  readonly placeholder?: string;
  readonly original?: string;
}

/**
 * Times in seconds since 1970, at least an hour apart except for `recent`: a run takes minutes, so whether each is
 * past or future does not change during it.
 */
const NOW = Math.floor(Date.now() / 1000);
export const TIMES = {
  longAgo: NOW - 10_800,
  early: NOW - 7_200,
  past: NOW - 3_600,
  recent: NOW - 60,
  future: NOW + 7_200,
} as const;

/** A time as the admin API writes it. */
export const isoOf = (seconds: number | null): string | null =>
  seconds === null ? null : new Date(seconds * 1000).toISOString();
