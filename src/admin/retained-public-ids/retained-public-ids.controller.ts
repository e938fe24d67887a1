import { Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController, AllowIssuerScopedKeys } from '../access/admin-controller.js';
import { Route } from '../../platform/openapi/route.js';
import { ListRetainedPublicIdsDto } from './retained-public-id.dto.js';
import { RetainedPublicIdPageView, RetainedPublicIdView } from './retained-public-id.view.js';
import { RetainedPublicIdsService } from './retained-public-ids.service.js';

@AdminController('retained-public-ids')
export class RetainedPublicIdsController {
  constructor(private readonly retained: RetainedPublicIdsService) {}

  @Get()
  @Route('Lists public ids that stay their issuer’s though no row has them')
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: RetainedPublicIdPageView })
  async list(@Query() query: ListRetainedPublicIdsDto): Promise<RetainedPublicIdPageView> {
    const { rows, nextCursor } = await this.retained.list(query);
    return { items: rows.map((row) => new RetainedPublicIdView(row)), next_cursor: nextCursor };
  }

  // Closed to keys bound to an issuer: releasing decides about the other issuers too.
  @Delete(':id')
  @Route('Releases a public id, which any issuer can then register', ['public_id_not_retained'])
  @HttpCode(204)
  @ApiNoContentResponse()
  async release(@Param('id') id: string): Promise<void> {
    await this.retained.release(id);
  }
}
