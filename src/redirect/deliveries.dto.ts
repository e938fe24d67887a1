import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray } from 'class-validator';
import type { ProblemBody } from '../domain/problem-body.js';

/** Deliveries in one request at the most. */
const MAX_DELIVERIES = 500;
const ITEMS = `must be an array of 1 to ${MAX_DELIVERIES} objects {image_id, token}`;

class DeliveryItemDto {
  @ApiProperty({
    format: 'uuid',
    required: false,
    description: 'May be absent where the token names the image.',
  })
  image_id?: string;

  @ApiProperty({ required: false, description: 'May be absent for a public image.' })
  token?: string;
}

export class CreateDeliveriesDto {
  // The items are judged one by one: a bad one is its own problem and not its neighbours'.
  @ApiProperty({
    type: [DeliveryItemDto],
    minItems: 1,
    maxItems: MAX_DELIVERIES,
    description: 'What is to be located.',
  })
  @IsArray({ message: ITEMS })
  @ArrayMinSize(1, { message: ITEMS })
  @ArrayMaxSize(MAX_DELIVERIES, { message: ITEMS })
  deliveries!: unknown[];
}

/** One item's result: a URL and where the redirect would point, or a problem. */
export class DeliveryResultView {
  @ApiProperty({ type: String, nullable: true, description: 'As asked, or as the token names it.' })
  readonly image_id!: string | null;

  @ApiProperty({ required: false, description: 'The signed URL.' }) readonly url?: string;
  @ApiProperty({ required: false, description: 'Where the redirect would point.' })
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
