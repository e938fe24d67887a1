import { ApiProperty } from '@nestjs/swagger';
import { findIgnoredClaims } from '../policy/check-claims.js';
import { findIgnoredBeside } from '../policy/expand-steps.js';
import type { PolicyDocument } from '../policy/policy.js';
import { maxAgeAt } from '../policy/cache-lifetime.js';
import type { RedirectDecision } from './decide-redirect.js';
import type { Redirect } from './redirect.js';

export class IgnoredKeyView {
  @ApiProperty({ description: 'As written in the step.' }) readonly key!: string;
  @ApiProperty({ description: 'Why it has no effect.' }) readonly reason!: string;
  @ApiProperty({ required: false, description: 'The known key that was probably intended.' })
  readonly near?: string;
}

export class IgnoredClaimView {
  @ApiProperty({ description: 'Its name; `sharinpix.<member>` for a member of that claim.' })
  readonly claim!: string;

  @ApiProperty({ description: 'Why it has no effect.' }) readonly reason!: string;
  @ApiProperty({ required: false, description: 'The known name that was probably intended.' })
  readonly near?: string;
}

export class ExplainedStepView {
  @ApiProperty({ type: 'integer', description: 'From 1, as in the token.' }) readonly step!: number;
  @ApiProperty({
    required: false,
    description: "The preset that the step uses; the preset's steps are listed separately.",
  })
  readonly preset?: string;

  @ApiProperty({ description: 'Empty if no key of the step has an effect.' }) readonly component!: string;
  @ApiProperty({ type: [IgnoredKeyView], description: 'Keys that have no effect.' })
  readonly ignored!: readonly IgnoredKeyView[];
}

export class BoundView {
  @ApiProperty({ type: Number, nullable: true, description: 'Null if unlimited.' }) readonly width!:
    number | null;
  @ApiProperty({ type: Number, nullable: true, description: 'Null if unlimited.' }) readonly height!:
    number | null;
}

/** How a token became a URL, for debugging. It reveals no more than the URL itself. */
export class ExplanationView {
  @ApiProperty({ format: 'uuid', description: 'As requested, or as named by the token.' })
  readonly image_id: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The image shown because the requested one was deleted or rejected.',
  })
  readonly placeholder_id: string | null;

  @ApiProperty({ format: 'uuid', description: 'The image’s issuer.' }) readonly issuer_id: string;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The key that verified the token: its id, or the `kid` of a key of the issuer’s `jwks_url`.',
  })
  readonly key_id: string | null;

  @ApiProperty({ type: Date, nullable: true, description: 'The token’s `exp`.' })
  readonly expires_at: Date | null;

  @ApiProperty({ type: [IgnoredClaimView], description: 'Claims of the token that have no effect.' })
  readonly ignored_claims: readonly IgnoredClaimView[];

  @ApiProperty({ type: [String], description: 'Components before those of the token.' })
  readonly base_chain: readonly string[];

  @ApiProperty({ type: [ExplainedStepView], description: 'The token’s components, in order.' })
  readonly steps: readonly ExplainedStepView[];

  @ApiProperty({
    type: [String],
    description: 'Components that the policy appends: mandatory steps, then its size limit.',
  })
  readonly mandatory_chain: readonly string[];

  @ApiProperty({
    type: BoundView,
    description: 'The policy’s `max_width` and `max_height`, appended to the chain as `c_limit`.',
  })
  readonly largest_output: BoundView;

  @ApiProperty({
    type: Object,
    description:
      'The policy that applies to the token, with the names of its presets. Its base chain and mandatory steps are ' +
      'listed above.',
  })
  readonly policy: Readonly<Record<string, unknown>>;

  @ApiProperty({ description: 'Seconds for which a client may cache the redirect; 0 disables caching.' })
  readonly redirect_max_age: number;

  @ApiProperty({ description: 'The signed URL; the URL of this service if the image is proxied.' })
  readonly url: string;

  @ApiProperty({ description: 'The redirect’s target in this delivery mode; likewise.' })
  readonly location: string;

  constructor(decision: RedirectDecision, { url, location }: Readonly<Pick<Redirect, 'url' | 'location'>>) {
    const { issuer, policy, imageId, image, claims, key, mapped, presets, overlays, base } = decision;
    const expiresAt = claims?.expiresAt ?? null;
    this.image_id = imageId;
    this.placeholder_id = image.id === imageId ? null : image.id;
    this.issuer_id = issuer.id;
    this.key_id = key?.id ?? null;
    this.expires_at = expiresAt === null ? null : new Date(expiresAt * 1000);
    this.ignored_claims = claims === null ? [] : findIgnoredClaims(policy, claims);
    this.base_chain = base.components;
    this.steps = mapped.steps.map((step, index) => ({
      step: step.step,
      ...presetOf(presets, step.step),
      component: step.component(overlays),
      // Keys beside `preset` are listed once, with the preset's first step.
      ignored:
        mapped.steps[index - 1]?.step === step.step
          ? step.ignored
          : [...findIgnoredBeside(stepOf(claims, step.step)), ...step.ignored],
    }));
    this.mandatory_chain = [...policy.mandatory.components(overlays), ...policy.sizeLimit.components];
    const { max_width: width = null, max_height: height = null } = policy.document;
    this.largest_output = { width, height };
    this.policy = shownPolicy(policy.document);
    this.redirect_max_age = maxAgeAt(decision.lifetime, Date.now() / 1000);
    this.url = url;
    this.location = location;
  }
}

function stepOf(claims: RedirectDecision['claims'], step: number): unknown {
  const steps: unknown = claims?.transformations;
  return Array.isArray(steps) ? steps[step - 1] : undefined;
}

function presetOf(presets: ReadonlyMap<number, string>, step: number): { readonly preset?: string } {
  const preset = presets.get(step);
  return preset === undefined ? {} : { preset };
}

/** Omits the steps of presets: they are internal to the issuer and its operator. */
function shownPolicy(document: PolicyDocument): Readonly<Record<string, unknown>> {
  const { presets, ...rest } = document;
  const hidden = new Set(['base_chain', 'mandatory_steps', 'placeholder']);
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([name]) => !hidden.has(name))),
    ...(presets === undefined ? {} : { presets: Object.keys(presets) }),
  };
}
