import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { OriginalsModule } from '../originals/originals.module.js';
import { TokensModule } from '../tokens/tokens.module.js';
import { ImagePreviews } from './image-previews.service.js';
import { ImagesAdminController } from './images-admin.controller.js';
import { ImagesController } from './images.controller.js';
import { ImagesService } from './images.service.js';

@Module({
  imports: [DeliveryModule, OriginalsModule, TokensModule],
  controllers: [ImagesController, ImagesAdminController],
  providers: [ImagesService, ImagePreviews],
  exports: [ImagesService],
})
export class ImagesModule {}
