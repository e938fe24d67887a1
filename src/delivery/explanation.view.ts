import { ApiProperty } from '@nestjs/swagger';
import type { Delivery } from './delivery.service.js';

export class IgnoredKeyView {
  @ApiProperty() readonly key!: string;
  @ApiProperty() readonly reason!: string;
}

export class ExplainedStepView {
  @ApiProperty({ type: 'integer', description: 'From 1, as in the token.' }) readonly step!: number;
  @ApiProperty({ description: 'Empty where nothing of the step maps.' }) readonly component!: string;
  @ApiProperty({ type: [IgnoredKeyView] }) readonly ignored!: readonly IgnoredKeyView[];
}

/** How a token became a URL: what one needs when a picture looks wrong. It says no more than the URL itself. */
export class ExplanationView {
  @ApiProperty({ format: 'uuid' }) readonly image_id: string;
  @ApiProperty({ format: 'uuid' }) readonly issuer_id: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The key that sealed the token.',
  })
  readonly key_id: string | null;

  @ApiProperty({ type: Date, nullable: true, description: 'The token’s `exp`.' })
  readonly expires_at: Date | null;

  @ApiProperty({ type: [String], description: 'Components before the token’s own.' })
  readonly base_chain: readonly string[];

  @ApiProperty({ type: [ExplainedStepView] }) readonly steps: readonly ExplainedStepView[];
  @ApiProperty({ description: 'The signed URL.' }) readonly url: string;
  @ApiProperty({ description: 'Where the redirect points, by the delivery mode.' }) readonly location: string;

  constructor(
    { issuer, image, claims, keyId, baseChain, mapped, overlays, url }: Delivery,
    location: string,
  ) {
    const expiresAt = claims?.expiresAt ?? null;
    this.image_id = image.id;
    this.issuer_id = issuer.id;
    this.key_id = keyId;
    this.expires_at = expiresAt === null ? null : new Date(expiresAt * 1000);
    this.base_chain = baseChain;
    this.steps = mapped.steps.map((step) => ({
      step: step.step,
      component: step.component(overlays),
      ignored: step.ignored,
    }));
    this.url = url;
    this.location = location;
  }
}
