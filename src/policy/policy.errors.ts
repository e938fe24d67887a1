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
  | 'deny_generative_effects';

/** What a request did against which rule. */
export interface PolicyViolation {
  readonly rule: PolicyRule;
  /** The rule's own value. */
  readonly limit: number | true | readonly string[];
  /** 1-based, where a step is at fault. */
  readonly step?: number;
  readonly key?: string;
  /** What was done, and what would be within the rule: two sentences for the client's eyes. */
  readonly detail: string;
}

/** 403: the token is good and its issuer's policy forbids what it asks for. */
export class PolicyViolationError extends ProblemError {
  override readonly extensions: ProblemExtensions;

  constructor({ rule, limit, step, key, detail }: PolicyViolation) {
    super('policy_violation', `Against the issuer’s policy: ${detail}`);
    this.extensions = {
      rule,
      limit,
      ...(step === undefined ? {} : { step }),
      ...(key === undefined ? {} : { key }),
    };
  }
}

/** 503: the stored policy is outside of what this release reads, and nothing is delivered without it. */
export class PolicyUnreadableError extends ProblemError {
  override readonly headers = { 'Retry-After': '60' };

  constructor() {
    super(
      'policy_unreadable',
      'The issuer’s policy cannot be read at the moment. Its operator must set it anew.',
    );
  }
}
