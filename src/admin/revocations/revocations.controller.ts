import { Body, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController, AllowIssuerScopedKeys } from '../access/admin-controller.js';
import { Route } from '../../platform/openapi/route.js';
import { Idempotent } from '../idempotency/idempotency.interceptor.js';
import { CreateRevocationDto, ListRevocationsDto } from './revocation.dto.js';
import { RevocationPageView, RevocationView } from './revocation.view.js';
import { RevocationsService } from './revocations.service.js';

@AdminController('issuers/:id/revocations')
export class RevocationsController {
  constructor(private readonly revocations: RevocationsService) {}

  @Post()
  @Route('Revokes a token or a session', ['issuer_not_found'])
  @AllowIssuerScopedKeys()
  @Idempotent()
  @ApiCreatedResponse({ type: RevocationView })
  async revoke(@Param('id') issuerId: string, @Body() dto: CreateRevocationDto): Promise<RevocationView> {
    return new RevocationView(await this.revocations.revoke(issuerId, dto));
  }

  @Get()
  @Route('Lists an issuer’s revocations', ['issuer_not_found'])
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: RevocationPageView })
  async list(@Param('id') issuerId: string, @Query() query: ListRevocationsDto): Promise<RevocationPageView> {
    return new RevocationPageView(await this.revocations.list(issuerId, query));
  }

  @Get(':revocation_id')
  @Route('Shows a revocation', ['issuer_not_found', 'revocation_not_found'])
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: RevocationView })
  async get(@Param('id') issuerId: string, @Param('revocation_id') id: string): Promise<RevocationView> {
    return new RevocationView(await this.revocations.get(issuerId, id));
  }

  @Delete(':revocation_id')
  @Route('Deletes a revocation, so that its tokens are valid again', [
    'issuer_not_found',
    'revocation_not_found',
  ])
  @AllowIssuerScopedKeys()
  @HttpCode(204)
  @ApiNoContentResponse()
  async restore(@Param('id') issuerId: string, @Param('revocation_id') id: string): Promise<void> {
    await this.revocations.restore(issuerId, id);
  }
}
