import { Module } from '@nestjs/common';
import { RetainedPublicIdsController } from './retained-public-ids.controller.js';
import { RetainedPublicIdsService } from './retained-public-ids.service.js';

@Module({ controllers: [RetainedPublicIdsController], providers: [RetainedPublicIdsService] })
export class RetainedPublicIdsModule {}
