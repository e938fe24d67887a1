import { Controller, Get } from '@nestjs/common';
import { GalleryService, type GalleryEntry } from './gallery.service.js';

@Controller('gallery')
export class GalleryController {
  constructor(private readonly gallery: GalleryService) {}

  @Get()
  list(): Promise<GalleryEntry[]> {
    return this.gallery.list();
  }
}
