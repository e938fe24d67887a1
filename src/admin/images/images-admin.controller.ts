import { Body, Delete, Get, HttpCode, Param, Patch, Post, Put, Query, Redirect } from '@nestjs/common';
import { ApiCreatedResponse, ApiFoundResponse, ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController, AllowIssuerScopedKeys } from '../access/admin-controller.js';
import { Origin } from '../../platform/http/origin.decorator.js';
import type { RequestOrigin } from '../../platform/http/request-origin.js';
import { Route } from '../../platform/openapi/route.js';
import { Idempotent } from '../idempotency/idempotency.interceptor.js';
import { AcceptsOriginal, Original, RequiresOriginal } from '../../originals/original-upload.js';
import type { UploadedFile } from '../../originals/uploaded-file.js';
import { CreateImageDto, CreateImageFormDto, ListImagesDto, UpdateImageDto } from './image.dto.js';
import { ImagePreviews } from './image-previews.service.js';
import { ImagePageView, ImageView } from './image.view.js';
import { ImagesService } from './images.service.js';

@AdminController('images')
export class ImagesAdminController {
  constructor(
    private readonly images: ImagesService,
    private readonly previews: ImagePreviews,
  ) {}

  @Post()
  @Route('Registers an image, or uploads one', [
    'issuer_not_found',
    'id_taken',
    'public_id_taken',
    'original_exists',
    'account_unavailable',
  ])
  @AllowIssuerScopedKeys()
  @Idempotent()
  @AcceptsOriginal({ form: CreateImageFormDto, versioned: true })
  @ApiCreatedResponse({ type: ImageView })
  async create(@Body() dto: CreateImageDto, @Original() original?: UploadedFile): Promise<ImageView> {
    return new ImageView(await this.images.create(dto, original));
  }

  @Get()
  @Route('Lists images')
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: ImagePageView })
  async list(@Query() query: ListImagesDto): Promise<ImagePageView> {
    return new ImagePageView(await this.images.list(query));
  }

  @Get(':id')
  @Route('Shows an image', ['image_not_found', 'image_deleted'])
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: ImageView })
  async get(@Param('id') id: string): Promise<ImageView> {
    return new ImageView(await this.images.get(id));
  }

  @Get(':id/preview')
  @Route('Redirects to a thumbnail of an image', ['image_not_found', 'no_live_key', 'image_deleted'])
  @AllowIssuerScopedKeys()
  @Redirect()
  @ApiFoundResponse({ description: 'The signed URL of a thumbnail, valid for a minute.' })
  async preview(@Param('id') id: string): Promise<{ url: string }> {
    return { url: await this.previews.sign(id) };
  }

  @Get(':id/original-preview')
  @Route('Redirects to a thumbnail of an image without its issuer’s policy; needs the scope `write`', [
    'invalid_host',
    'image_not_found',
    'image_deleted',
    'account_unavailable',
  ])
  @AllowIssuerScopedKeys()
  @Redirect()
  @ApiFoundResponse({ description: 'The signed URL of a thumbnail.' })
  async originalPreview(@Param('id') id: string, @Origin() origin: RequestOrigin): Promise<{ url: string }> {
    return { url: await this.previews.locateOriginal(id, origin) };
  }

  @Patch(':id')
  @Route('Changes an image', ['image_not_found', 'public_id_taken', 'image_deleted'])
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: ImageView })
  async update(@Param('id') id: string, @Body() dto: UpdateImageDto): Promise<ImageView> {
    return new ImageView(await this.images.update(id, dto));
  }

  @Put(':id/original')
  @Route('Replaces the original of an image', ['image_not_found', 'image_deleted', 'account_unavailable'])
  @AllowIssuerScopedKeys()
  @RequiresOriginal()
  @ApiOkResponse({ type: ImageView })
  async replaceOriginal(@Param('id') id: string, @Original() original: UploadedFile): Promise<ImageView> {
    return new ImageView(await this.images.replaceOriginal(id, original));
  }

  @Delete(':id')
  @Route('Deletes an image, whose URLs return 410 from then on', ['image_not_found', 'image_deleted'])
  @AllowIssuerScopedKeys()
  @HttpCode(204)
  @ApiNoContentResponse()
  async delete(@Param('id') id: string): Promise<void> {
    await this.images.delete(id);
  }
}
