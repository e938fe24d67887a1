import { Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController, AllowIssuerScopedKeys } from '../access/admin-controller.js';
import { Route } from '../../platform/openapi/route.js';
import { ListRetainedPublicIdsDto } from './retained-public-id.dto.js';
import { RetainedPublicIdPageView } from './retained-public-id.view.js';
import { RetainedPublicIdsService } from './retained-public-ids.service.js';

@AdminController('retained-public-ids')
export class RetainedPublicIdsController {
  constructor(private readonly retained: RetainedPublicIdsService) {}

  @Get()
  @Route('Lists public ids that are retained for their last issuer')
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: RetainedPublicIdPageView })
  async list(@Query() query: ListRetainedPublicIdsDto): Promise<RetainedPublicIdPageView> {
    return new RetainedPublicIdPageView(await this.retained.list(query));
  }

  // Not for keys that are bound to an issuer: it affects other issuers.
  @Delete(':id')
  @Route('Releases a public id, so that any issuer can register it', ['public_id_not_retained'])
  @HttpCode(204)
  @ApiNoContentResponse()
  async release(@Param('id') id: string): Promise<void> {
    await this.retained.release(id);
  }
}
