import { Module } from '@nestjs/common';
import { CloudinaryModule } from '../cloudinary/cloudinary.module.js';
import { OriginalsService } from './originals.service.js';
import { OriginalsStore } from './originals.store.js';

@Module({
  imports: [CloudinaryModule],
  providers: [OriginalsService, OriginalsStore],
  exports: [OriginalsService, OriginalsStore],
})
export class OriginalsModule {}
