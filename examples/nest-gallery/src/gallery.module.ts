import { Module } from '@nestjs/common';
import { GalleryController } from './gallery.controller.js';
import { GALLERY_SETTINGS, readSettings } from './gallery.settings.js';
import { GalleryService } from './gallery.service.js';

@Module({
  controllers: [GalleryController],
  providers: [GalleryService, { provide: GALLERY_SETTINGS, useFactory: () => readSettings(process.env) }],
})
export class GalleryModule {}
