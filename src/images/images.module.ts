import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { OriginalsModule } from '../originals/originals.module.js';
import { ImagesAdminController } from './images-admin.controller.js';
import { ImagesController } from './images.controller.js';
import { ImagesService } from './images.service.js';

@Module({
  imports: [DeliveryModule, OriginalsModule],
  controllers: [ImagesController, ImagesAdminController],
  providers: [ImagesService],
  exports: [ImagesService],
})
export class ImagesModule {}
