import { Module } from '@nestjs/common';
import { CloudinaryModule } from '../../cloudinary/cloudinary.module.js';
import { RedirectModule } from '../../redirect/redirect.module.js';
import { OriginalsModule } from '../../originals/originals.module.js';
import { OverlayPreviews } from './overlay-previews.service.js';
import { OverlaysAdminController } from './overlays-admin.controller.js';
import { OverlaysService } from './overlays.service.js';

@Module({
  imports: [CloudinaryModule, RedirectModule, OriginalsModule],
  controllers: [OverlaysAdminController],
  providers: [OverlaysService, OverlayPreviews],
  exports: [OverlaysService],
})
export class OverlaysModule {}
