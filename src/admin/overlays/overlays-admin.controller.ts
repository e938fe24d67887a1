import { Body, Delete, Get, HttpCode, Param, Patch, Post, Put, Query, Redirect } from '@nestjs/common';
import { ApiCreatedResponse, ApiFoundResponse, ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController, AllowIssuerScopedKeys } from '../access/admin-controller.js';
import type { RequestOrigin } from '../../platform/http/request-origin.js';
import { Origin } from '../../platform/http/origin.decorator.js';
import { Route } from '../../platform/openapi/route.js';
import { Idempotent } from '../idempotency/idempotency.interceptor.js';
import { AcceptsOriginal, Original, RequiresOriginal } from '../../originals/original-upload.js';
import type { UploadedFile } from '../../originals/uploaded-file.js';
import { ListAssetsDto } from '../assets/asset.dto.js';
import { CreateOverlayDto, UpdateOverlayDto } from './overlay.dto.js';
import { OverlayPreviews } from './overlay-previews.service.js';
import { OverlayPageView, OverlayView } from './overlay.view.js';
import { OverlaysService } from './overlays.service.js';

@AdminController('overlays')
export class OverlaysAdminController {
  constructor(
    private readonly overlays: OverlaysService,
    private readonly previews: OverlayPreviews,
  ) {}

  @Post()
  @Route('Registers an overlay, or uploads one', [
    'issuer_not_found',
    'id_taken',
    'public_id_taken',
    'original_exists',
    'account_unavailable',
  ])
  @AllowIssuerScopedKeys()
  @Idempotent()
  @AcceptsOriginal({ form: CreateOverlayDto, versioned: false })
  @ApiCreatedResponse({ type: OverlayView })
  async create(@Body() dto: CreateOverlayDto, @Original() original?: UploadedFile): Promise<OverlayView> {
    return new OverlayView(await this.overlays.create(dto, original));
  }

  @Get()
  @Route('Lists overlays')
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: OverlayPageView })
  async list(@Query() query: ListAssetsDto): Promise<OverlayPageView> {
    return new OverlayPageView(await this.overlays.list(query));
  }

  @Get(':id')
  @Route('Shows an overlay', ['overlay_not_found'])
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: OverlayView })
  async get(@Param('id') id: string): Promise<OverlayView> {
    return new OverlayView(await this.overlays.get(id));
  }

  @Get(':id/preview')
  @Route('Redirects to a thumbnail of an overlay', [
    'invalid_host',
    'overlay_not_found',
    'no_preview',
    'account_unavailable',
  ])
  @AllowIssuerScopedKeys()
  @Redirect()
  @ApiFoundResponse({ description: 'The signed URL of a thumbnail.' })
  async preview(@Param('id') id: string, @Origin() origin: RequestOrigin): Promise<{ url: string }> {
    return { url: await this.previews.locate(id, origin) };
  }

  @Patch(':id')
  @Route('Changes an overlay', ['overlay_not_found', 'public_id_taken'])
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: OverlayView })
  async update(@Param('id') id: string, @Body() dto: UpdateOverlayDto): Promise<OverlayView> {
    return new OverlayView(await this.overlays.update(id, dto));
  }

  @Put(':id/original')
  @Route('Replaces the original of an overlay', ['overlay_not_found', 'account_unavailable'])
  @AllowIssuerScopedKeys()
  @RequiresOriginal()
  @ApiOkResponse({ type: OverlayView })
  async replaceOriginal(@Param('id') id: string, @Original() original: UploadedFile): Promise<OverlayView> {
    return new OverlayView(await this.overlays.replaceOriginal(id, original));
  }

  @Delete(':id')
  @Route('Deletes an overlay', ['overlay_not_found'])
  @AllowIssuerScopedKeys()
  @HttpCode(204)
  @ApiNoContentResponse()
  async delete(@Param('id') id: string): Promise<void> {
    await this.overlays.delete(id);
  }
}
