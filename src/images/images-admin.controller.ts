import { Body, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiNoContentResponse, ApiOkResponse } from '@nestjs/swagger';
import { AdminController } from '../admin/admin-controller.js';
import { CreateImageDto, ListImagesDto, UpdateImageDto } from './image.dto.js';
import { ImagePageView, ImageView } from './image.view.js';
import { ImagesService } from './images.service.js';

@AdminController('images')
export class ImagesAdminController {
  constructor(private readonly images: ImagesService) {}

  @Post()
  @ApiCreatedResponse({ type: ImageView })
  async create(@Body() dto: CreateImageDto): Promise<ImageView> {
    return new ImageView(await this.images.create(dto));
  }

  @Get()
  @ApiOkResponse({ type: ImagePageView })
  async list(@Query() query: ListImagesDto): Promise<ImagePageView> {
    const { rows, nextCursor } = await this.images.list(query);
    return { items: rows.map((row) => new ImageView(row)), next_cursor: nextCursor };
  }

  @Get(':id')
  @ApiOkResponse({ type: ImageView })
  async get(@Param('id') id: string): Promise<ImageView> {
    return new ImageView(await this.images.get(id));
  }

  @Patch(':id')
  @ApiOkResponse({ type: ImageView })
  async update(@Param('id') id: string, @Body() dto: UpdateImageDto): Promise<ImageView> {
    return new ImageView(await this.images.update(id, dto));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiNoContentResponse()
  async delete(@Param('id') id: string): Promise<void> {
    await this.images.delete(id);
  }
}
