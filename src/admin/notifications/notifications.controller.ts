import { applyDecorators, Controller, Headers, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiProperty, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Route } from '../../platform/openapi/route.js';
import { Observations } from '../../platform/observability/observations.js';
import type { SignedNotification } from '../../cloudinary/notification-verifier.js';
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

const NOTIFICATION_PROBLEMS = [
  'invalid_notification',
  'issuer_not_found',
  'public_id_taken',
  'database_unavailable',
] as const;

const ReceivesNotification = (): MethodDecorator =>
  applyDecorators(
    HttpCode(200),
    ApiHeader({ name: 'X-Cld-Timestamp', required: true, description: 'Unix seconds.' }),
    ApiHeader({
      name: 'X-Cld-Signature',
      required: true,
      description: 'Hexadecimal, by an API secret of the account.',
    }),
    ApiBody({ schema: { type: 'object', properties: { notification_type: { type: 'string' } } } }),
    ApiOkResponse({ type: ReceiptView }),
  );

@ApiTags('cloudinary')
@Controller(NOTIFICATIONS_PATH)
export class NotificationsController {
  constructor(
    private readonly notifications: NotificationsService,
    private readonly observations: Observations,
  ) {}

  @Post()
  @Route('Receives a notification from Cloudinary', NOTIFICATION_PROBLEMS)
  @ReceivesNotification()
  async receive(
    @Req() request: FastifyRequest,
    @Headers('x-cld-timestamp') timestamp = '',
    @Headers('x-cld-signature') signature = '',
  ): Promise<ReceiptView> {
    return this.receiveFor(null, request, { timestamp, signature });
  }

  @Post(':account_id')
  @Route('Receives a notification of an account from Cloudinary', NOTIFICATION_PROBLEMS)
  @ReceivesNotification()
  async receiveOfAccount(
    @Param('account_id') accountId: string,
    @Req() request: FastifyRequest,
    @Headers('x-cld-timestamp') timestamp = '',
    @Headers('x-cld-signature') signature = '',
  ): Promise<ReceiptView> {
    return this.receiveFor(accountId, request, { timestamp, signature });
  }

  private async receiveFor(
    accountId: string | null,
    { body, id }: FastifyRequest,
    headers: Omit<SignedNotification, 'body'>,
  ): Promise<ReceiptView> {
    const text = typeof body === 'string' ? body : '';
    const changed = await this.notifications.receive(accountId, { ...headers, body: text }, id);
    this.observations.notifications.add(changed > 0 ? 'changed' : 'unchanged');
    return { changed };
  }
}
