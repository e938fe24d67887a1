import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray } from 'class-validator';
import type { ProblemBody } from '../domain/problem-body.js';

/** Maximum number of deliveries in a request. */
const MAX_DELIVERIES = 500;
const ITEMS = `must be an array of 1 to ${MAX_DELIVERIES} objects {image_id, token}`;

class DeliveryItemDto {
  @ApiProperty({
    format: 'uuid',
    required: false,
    description: 'Optional if the token names the image.',
  })
  image_id?: string;

  @ApiProperty({ required: false, description: 'Optional for a public image.' })
  token?: string;
}

export class CreateDeliveriesDto {
  // Each item is checked on its own, so that a bad one does not fail the others.
  @ApiProperty({
    type: [DeliveryItemDto],
    minItems: 1,
    maxItems: MAX_DELIVERIES,
    description: 'The images to locate.',
  })
  @IsArray({ message: ITEMS })
  @ArrayMinSize(1, { message: ITEMS })
  @ArrayMaxSize(MAX_DELIVERIES, { message: ITEMS })
  deliveries!: unknown[];
}

/** The result of one item: a URL and the redirect's target, or a problem. */
export class DeliveryResultView {
  @ApiProperty({ type: String, nullable: true, description: 'As requested, or as named by the token.' })
  readonly image_id!: string | null;

  @ApiProperty({
    required: false,
    description: 'The signed URL; the URL of this service if the image is proxied.',
  })
  readonly url?: string;
  @ApiProperty({ required: false, description: 'The target of the redirect; likewise.' })
  readonly location?: string;
  @ApiProperty({
    required: false,
    type: () => Object,
    allOf: [{ $ref: '#/components/schemas/Problem' }],
    description: 'Why there is no URL.',
  })
  readonly problem?: ProblemBody;
}

export class DeliveriesView {
  @ApiProperty({ type: [DeliveryResultView], description: 'In the order of the request.' })
  readonly deliveries!: readonly DeliveryResultView[];
}
