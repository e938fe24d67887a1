import { ProblemError, type ProblemExtensions } from '../domain/problem.error.js';

/** The members of a policy that a request can violate. */
export type PolicyRule =
  | 'allowed_keys'
  | 'denied_keys'
  | 'mandatory_steps'
  | 'presets_only'
  | 'max_width'
  | 'max_height'
  | 'max_layers'
  | 'max_steps'
  | 'require_exp'
  | 'max_token_age'
  | 'require_image_id'
  | 'deny_generative_effects'
  | 'allowed_effects'
  | 'denied_effects'
  | 'allowed_overlays'
  | 'allowed_formats'
  | 'allowed_transformations'
  | 'text'
  | 'original'
  | 'delivery'
  | 'bind_ip';

/** How a request violates a rule. */
export interface PolicyViolation {
  readonly rule: PolicyRule;
  /** The rule's own value. */
  readonly limit: number | boolean | string | readonly string[];
  /** 1-based; absent if no step is at fault. */
  readonly step?: number;
  readonly key?: string;
  /** The violation and the correction, for the client: two sentences that follow "The policy forbids it: ". */
  readonly detail: string;
}

/** 403: the token is valid, and its issuer's policy forbids what it requests. */
export class PolicyViolationError extends ProblemError {
  override readonly extensions: ProblemExtensions;

  constructor({ rule, limit, step, key, detail }: PolicyViolation) {
    super('policy_violation', `The issuer’s policy forbids it: ${detail}`);
    this.extensions = {
      rule,
      limit,
      ...(step === undefined ? {} : { step }),
      ...(key === undefined ? {} : { key }),
    };
  }
}

/** 503: the stored policy is not valid in this release, and nothing is delivered without it. */
export class PolicyUnreadableError extends ProblemError {
  override readonly headers = { 'Retry-After': '60' };

  constructor() {
    super(
      'policy_unreadable',
      'The issuer’s policy is not valid in this release. Its operator must set it again.',
    );
  }
}
