import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController, AllowIssuerScopedKeys } from '../access/admin-controller.js';
import { LocationBuilder } from '../../redirect/location-builder.js';
import type { RequestOrigin } from '../../platform/http/request-origin.js';
import { Origin } from '../../platform/http/origin.decorator.js';
import { Route } from '../../platform/openapi/route.js';
import { Idempotent } from '../idempotency/idempotency.interceptor.js';
import {
  CreateIssuerDto,
  CreateKeyDto,
  ListIssuersDto,
  UpdateIssuerDto,
  UpdateKeyDto,
} from './issuer.dto.js';
import {
  IssuerPageView,
  IssuerView,
  IssuerWithKeysView,
  KeyView,
  NewIssuerView,
  NewKeyView,
} from './issuer.view.js';
import { IssuersService } from './issuers.service.js';

@AdminController('issuers')
export class IssuersController {
  constructor(
    private readonly issuers: IssuersService,
    private readonly locations: LocationBuilder,
  ) {}

  @Post()
  @Route('Creates an issuer and its first key', [
    'invalid_host',
    'account_not_found',
    'id_taken',
    'iss_alias_taken',
  ])
  @Idempotent()
  @ApiCreatedResponse({ type: NewIssuerView })
  async create(@Body() dto: CreateIssuerDto, @Origin() requestOrigin: RequestOrigin): Promise<NewIssuerView> {
    const origin = this.locations.originOf(requestOrigin);
    const { row, key } = await this.issuers.create(dto);
    return new NewIssuerView(row, new NewKeyView(key.row, key.secret, origin));
  }

  @Get()
  @Route('Lists issuers')
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: IssuerPageView })
  async list(@Query() query: ListIssuersDto): Promise<IssuerPageView> {
    return new IssuerPageView(await this.issuers.list(query));
  }

  @Get(':id')
  @Route('Shows an issuer and its keys', ['issuer_not_found'])
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: IssuerWithKeysView })
  async get(@Param('id') id: string): Promise<IssuerWithKeysView> {
    const { row, keys } = await this.issuers.get(id);
    return new IssuerWithKeysView(row, keys);
  }

  @Patch(':id')
  @Route('Changes an issuer', [
    'issuer_not_found',
    'account_not_found',
    'issuer_not_empty',
    'iss_alias_taken',
  ])
  @ApiOkResponse({ type: IssuerView })
  async update(@Param('id') id: string, @Body() dto: UpdateIssuerDto): Promise<IssuerView> {
    return new IssuerView(await this.issuers.update(id, dto));
  }

  @Delete(':id')
  @Route('Deletes an issuer without images and overlays', ['issuer_not_found', 'issuer_not_empty'])
  @HttpCode(204)
  @ApiNoContentResponse()
  async delete(@Param('id') id: string): Promise<void> {
    await this.issuers.delete(id);
  }

  @Post(':id/keys')
  @Route('Creates a further key', ['invalid_host', 'issuer_not_found', 'too_many_keys'])
  @AllowIssuerScopedKeys()
  @Idempotent()
  @ApiCreatedResponse({ type: NewKeyView })
  async addKey(
    @Param('id') id: string,
    @Body() dto: CreateKeyDto,
    @Origin() requestOrigin: RequestOrigin,
  ): Promise<NewKeyView> {
    const origin = this.locations.originOf(requestOrigin);
    const { row, secret } = await this.issuers.addKey(id, dto);
    return new NewKeyView(row, secret, origin);
  }

  @Patch(':id/keys/:key_id')
  @Route('Sets when a key is valid', ['issuer_not_found', 'key_not_found'])
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: KeyView })
  async updateKey(
    @Param('id') id: string,
    @Param('key_id') keyId: string,
    @Body() dto: UpdateKeyDto,
  ): Promise<KeyView> {
    return new KeyView(await this.issuers.updateKey(id, keyId, dto));
  }

  @Delete(':id/keys/:key_id')
  @Route('Revokes a key', ['issuer_not_found', 'key_not_found'])
  @AllowIssuerScopedKeys()
  @HttpCode(204)
  @ApiNoContentResponse()
  async revokeKey(@Param('id') id: string, @Param('key_id') keyId: string): Promise<void> {
    await this.issuers.revokeKey(id, keyId);
  }
}
