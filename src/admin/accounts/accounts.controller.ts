import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { Route } from '../../platform/openapi/route.js';
import { AdminController } from '../access/admin-controller.js';
import { Idempotent } from '../idempotency/idempotency.interceptor.js';
import {
  CreateAccountDto,
  CreateAccountSecretDto,
  ListAccountsDto,
  UpdateAccountDto,
  UpdateAccountSecretDto,
} from './account.dto.js';
import { AccountPageView, AccountSecretView, AccountView, AccountWithSecretsView } from './account.view.js';
import { AccountsService } from './accounts.service.js';

/** No route is open to keys that are bound to an issuer. */
@AdminController('accounts')
export class AccountsController {
  constructor(private readonly accounts: AccountsService) {}

  @Post()
  @Route('Creates a Cloudinary account and its first secret', ['id_taken', 'cloud_name_taken'])
  @Idempotent()
  @ApiCreatedResponse({ type: AccountWithSecretsView })
  async create(@Body() dto: CreateAccountDto): Promise<AccountWithSecretsView> {
    const { row, secrets } = await this.accounts.create(dto);
    return new AccountWithSecretsView(row, secrets);
  }

  @Get()
  @Route('Lists Cloudinary accounts')
  @ApiOkResponse({ type: AccountPageView })
  async list(@Query() query: ListAccountsDto): Promise<AccountPageView> {
    return new AccountPageView(await this.accounts.list(query));
  }

  @Get(':id')
  @Route('Shows a Cloudinary account and its API keys', ['account_not_found'])
  @ApiOkResponse({ type: AccountWithSecretsView })
  async get(@Param('id') id: string): Promise<AccountWithSecretsView> {
    const { row, secrets } = await this.accounts.get(id);
    return new AccountWithSecretsView(row, secrets);
  }

  @Patch(':id')
  @Route('Changes a Cloudinary account', ['account_not_found'])
  @ApiOkResponse({ type: AccountView })
  async update(@Param('id') id: string, @Body() dto: UpdateAccountDto): Promise<AccountView> {
    return new AccountView(await this.accounts.update(id, dto));
  }

  @Delete(':id')
  @Route('Deletes a Cloudinary account without issuers', ['account_not_found', 'account_not_empty'])
  @HttpCode(204)
  @ApiNoContentResponse()
  async delete(@Param('id') id: string): Promise<void> {
    await this.accounts.delete(id);
  }

  @Post(':id/secrets')
  @Route('Adds a secret of a Cloudinary account', [
    'account_not_found',
    'api_key_taken',
    'too_many_account_secrets',
  ])
  @Idempotent()
  @ApiCreatedResponse({ type: AccountSecretView })
  async addSecret(@Param('id') id: string, @Body() dto: CreateAccountSecretDto): Promise<AccountSecretView> {
    return new AccountSecretView(await this.accounts.addSecret(id, dto));
  }

  @Patch(':id/secrets/:secret_id')
  @Route('Lets a secret sign, or sets when it expires', [
    'account_not_found',
    'account_secret_not_found',
    'signing_secret_required',
  ])
  @ApiOkResponse({ type: AccountSecretView })
  async updateSecret(
    @Param('id') id: string,
    @Param('secret_id') secretId: string,
    @Body() dto: UpdateAccountSecretDto,
  ): Promise<AccountSecretView> {
    return new AccountSecretView(await this.accounts.updateSecret(id, secretId, dto));
  }

  @Delete(':id/secrets/:secret_id')
  @Route('Deletes a secret of a Cloudinary account', [
    'account_not_found',
    'account_secret_not_found',
    'signing_secret_required',
  ])
  @HttpCode(204)
  @ApiNoContentResponse()
  async deleteSecret(@Param('id') id: string, @Param('secret_id') secretId: string): Promise<void> {
    await this.accounts.deleteSecret(id, secretId);
  }
}
