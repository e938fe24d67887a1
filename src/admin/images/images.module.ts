import { Module } from '@nestjs/common';
import { CloudinaryModule } from '../../cloudinary/cloudinary.module.js';
import { RedirectModule } from '../../redirect/redirect.module.js';
import { OriginalsModule } from '../../originals/originals.module.js';
import { TokensModule } from '../../tokens/tokens.module.js';
import { ImagePreviews } from './image-previews.service.js';
import { ImagesAdminController } from './images-admin.controller.js';
import { ImagesService } from './images.service.js';

@Module({
  imports: [CloudinaryModule, RedirectModule, OriginalsModule, TokensModule],
  controllers: [ImagesAdminController],
  providers: [ImagesService, ImagePreviews],
  exports: [ImagesService],
})
export class ImagesModule {}
