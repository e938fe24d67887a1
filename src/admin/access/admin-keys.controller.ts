import { Body, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from './admin-controller.js';
import { Route } from '../../platform/openapi/route.js';
import { Idempotent } from '../idempotency/idempotency.interceptor.js';
import { CreateAdminKeyDto, ListAdminKeysDto } from './admin-key.dto.js';
import { AdminKeyPageView, AdminKeyView, NewAdminKeyView } from './admin-key.view.js';
import { AdminKeysService } from './admin-keys.service.js';

@AdminController('admin-keys')
export class AdminKeysController {
  constructor(private readonly keys: AdminKeysService) {}

  @Post()
  @Route('Creates an admin key', ['issuer_not_found', 'too_many_admin_keys'])
  @Idempotent()
  @ApiCreatedResponse({ type: NewAdminKeyView })
  async create(@Body() dto: CreateAdminKeyDto): Promise<NewAdminKeyView> {
    const { row, key } = await this.keys.create(dto);
    return new NewAdminKeyView(row, key);
  }

  @Get()
  @Route('Lists admin keys')
  @ApiOkResponse({ type: AdminKeyPageView })
  async list(@Query() query: ListAdminKeysDto): Promise<AdminKeyPageView> {
    return new AdminKeyPageView(await this.keys.list(query));
  }

  @Get(':id')
  @Route('Shows an admin key', ['admin_key_not_found'])
  @ApiOkResponse({ type: AdminKeyView })
  async get(@Param('id') id: string): Promise<AdminKeyView> {
    return new AdminKeyView(await this.keys.get(id));
  }

  @Delete(':id')
  @Route('Revokes an admin key', ['admin_key_not_found'])
  @HttpCode(204)
  @ApiNoContentResponse()
  async revoke(@Param('id') id: string): Promise<void> {
    await this.keys.revoke(id);
  }
}
