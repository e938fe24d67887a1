import { Module } from '@nestjs/common';
import { OriginalsModule } from '../originals/originals.module.js';
import { OverlaysAdminController } from './overlays-admin.controller.js';
import { OverlaysService } from './overlays.service.js';

@Module({
  imports: [OriginalsModule],
  controllers: [OverlaysAdminController],
  providers: [OverlaysService],
  exports: [OverlaysService],
})
export class OverlaysModule {}
