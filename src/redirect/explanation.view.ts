import { ApiProperty } from '@nestjs/swagger';
import { selectBaseChain } from '../policy/base-chain.js';
import { findIgnoredClaims } from '../policy/check-claims.js';
import { findIgnoredBeside } from '../policy/expand-steps.js';
import type { PolicyDocument } from '../policy/policy.js';
import { maxAgeAt } from '../policy/cache-lifetime.js';
import type { RedirectDecision } from './decide-redirect.js';

export class IgnoredKeyView {
  @ApiProperty({ description: 'As the step has it.' }) readonly key!: string;
  @ApiProperty({ description: 'Why it has no effect.' }) readonly reason!: string;
  @ApiProperty({ required: false, description: 'The known key that was probably meant.' })
  readonly near?: string;
}

export class IgnoredClaimView {
  @ApiProperty({ description: 'Its name; `sharinpix.<member>` for a member of that claim.' })
  readonly claim!: string;

  @ApiProperty({ description: 'Why it has no effect.' }) readonly reason!: string;
  @ApiProperty({ required: false, description: 'The known name that was probably meant.' })
  readonly near?: string;
}

export class ExplainedStepView {
  @ApiProperty({ type: 'integer', description: 'From 1, as in the token.' }) readonly step!: number;
  @ApiProperty({
    required: false,
    description: 'The preset that the step calls: one entry for each of its steps.',
  })
  readonly preset?: string;

  @ApiProperty({ description: 'Empty where nothing of the step maps.' }) readonly component!: string;
  @ApiProperty({ type: [IgnoredKeyView], description: 'Keys that have no effect.' })
  readonly ignored!: readonly IgnoredKeyView[];
}

export class BoundView {
  @ApiProperty({ type: Number, nullable: true, description: 'Null if unlimited.' }) readonly width!:
    number | null;
  @ApiProperty({ type: Number, nullable: true, description: 'Null if unlimited.' }) readonly height!:
    number | null;
}

/** How a token became a URL: what one needs when a picture looks wrong. It says no more than the URL itself. */
export class ExplanationView {
  @ApiProperty({ format: 'uuid', description: 'As asked for, or as the token names it.' })
  readonly image_id: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The image that is shown because the one asked for was deleted.',
  })
  readonly placeholder_id: string | null;

  @ApiProperty({ format: 'uuid', description: 'Whose image it is.' }) readonly issuer_id: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The key that sealed the token.',
  })
  readonly key_id: string | null;

  @ApiProperty({ type: Date, nullable: true, description: 'The token’s `exp`.' })
  readonly expires_at: Date | null;

  @ApiProperty({ type: [IgnoredClaimView], description: 'Claims of the token that have no effect.' })
  readonly ignored_claims: readonly IgnoredClaimView[];

  @ApiProperty({ type: [String], description: 'Components before the token’s own.' })
  readonly base_chain: readonly string[];

  @ApiProperty({ type: [ExplainedStepView], description: 'The token’s own, in their order.' })
  readonly steps: readonly ExplainedStepView[];

  @ApiProperty({
    type: [String],
    description: 'Components that the policy appends: mandatory steps, then its size limit.',
  })
  readonly mandatory_chain: readonly string[];

  @ApiProperty({
    type: BoundView,
    description: 'The policy’s `max_width` and `max_height`, which end the chain as `c_limit`.',
  })
  readonly largest_output: BoundView;

  @ApiProperty({
    type: Object,
    description:
      'The policy that the token was held to, with the names of its presets; its base chain and mandatory steps ' +
      'stand above.',
  })
  readonly policy: Readonly<Record<string, unknown>>;

  @ApiProperty({ description: 'Seconds for which a client may keep the redirect; 0: not at all.' })
  readonly redirect_max_age: number;

  @ApiProperty({ description: 'The signed URL.' }) readonly url: string;
  @ApiProperty({ description: 'Where the redirect points, by the delivery mode.' }) readonly location: string;

  constructor(decision: RedirectDecision, location: string) {
    const { issuer, policy, imageId, image, claims, key, mapped, presets, overlays } = decision;
    const expiresAt = claims?.expiresAt ?? null;
    this.image_id = imageId;
    this.placeholder_id = image.id === imageId ? null : image.id;
    this.issuer_id = issuer.id;
    this.key_id = key?.id ?? null;
    this.expires_at = expiresAt === null ? null : new Date(expiresAt * 1000);
    this.ignored_claims = claims === null ? [] : findIgnoredClaims(policy, claims);
    const base = selectBaseChain(policy.baseChain, claims);
    this.base_chain = base.components;
    this.steps = mapped.steps.map((step, index) => ({
      step: step.step,
      ...presetOf(presets, step.step),
      component: step.component(overlays),
      // What stands beside `preset` is listed once, with the first of the preset's steps.
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
    this.url = decision.url;
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

/** Without what other presets are made of: that is between the issuer and its operator. */
function shownPolicy(document: PolicyDocument): Readonly<Record<string, unknown>> {
  const { presets, ...rest } = document;
  const hidden = new Set(['base_chain', 'mandatory_steps', 'placeholder']);
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([name]) => !hidden.has(name))),
    ...(presets === undefined ? {} : { presets: Object.keys(presets) }),
  };
}
