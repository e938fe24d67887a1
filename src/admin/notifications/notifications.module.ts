import { Module } from '@nestjs/common';
import { CloudinaryModule } from '../../cloudinary/cloudinary.module.js';
import { OriginalsModule } from '../../originals/originals.module.js';
import { AccountEventsService } from './account-events.service.js';
import { NotificationsController } from './notifications.controller.js';
import { NotificationsService } from './notifications.service.js';

@Module({
  imports: [CloudinaryModule, OriginalsModule],
  controllers: [NotificationsController],
  providers: [NotificationsService, AccountEventsService],
})
export class NotificationsModule {}
