import { Module } from '@nestjs/common';
import { OverlaysAdminController } from './overlays-admin.controller.js';
import { OverlaysService } from './overlays.service.js';

@Module({ controllers: [OverlaysAdminController], providers: [OverlaysService], exports: [OverlaysService] })
export class OverlaysModule {}
