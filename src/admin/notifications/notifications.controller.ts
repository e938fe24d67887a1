import { Controller, Headers, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiProperty, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Route } from '../../platform/openapi/route.js';
import { Observations } from '../../platform/observability/observations.js';
import { NotificationsService } from './notifications.service.js';
import { NOTIFICATIONS_PATH } from './raw-notification.js';

/** The effect of a notification. */
export class ReceiptView {
  @ApiProperty({
    type: 'integer',
    description: 'Rows that changed; 0 for an event that is already known or concerns no row.',
  })
  readonly changed!: number;
}

@ApiTags('cloudinary')
@Controller(NOTIFICATIONS_PATH)
export class NotificationsController {
  constructor(
    private readonly notifications: NotificationsService,
    private readonly observations: Observations,
  ) {}

  @Post()
  @Route('Receives a notification from Cloudinary', [
    'invalid_notification',
    'issuer_not_found',
    'public_id_taken',
    'database_unavailable',
  ])
  @HttpCode(200)
  @ApiHeader({ name: 'X-Cld-Timestamp', required: true, description: 'Unix seconds.' })
  @ApiHeader({
    name: 'X-Cld-Signature',
    required: true,
    description: 'Hexadecimal, by the account’s API secret.',
  })
  @ApiBody({ schema: { type: 'object', properties: { notification_type: { type: 'string' } } } })
  @ApiOkResponse({ type: ReceiptView })
  async receive(
    @Req() { body, id }: FastifyRequest,
    @Headers('x-cld-timestamp') timestamp = '',
    @Headers('x-cld-signature') signature = '',
  ): Promise<ReceiptView> {
    const text = typeof body === 'string' ? body : '';
    const changed = await this.notifications.receive({ body: text, timestamp, signature }, id);
    this.observations.notifications.add(changed > 0 ? 'changed' : 'unchanged');
    return { changed };
  }
}
