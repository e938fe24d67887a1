import { Module } from '@nestjs/common';
import { CloudinaryModule } from '../cloudinary/cloudinary.module.js';
import { IssuerKeyUses } from '../issuers/issuer-key-uses.service.js';
import { TokensModule } from '../tokens/tokens.module.js';
import { TransformationMapper } from '../transformations/transformation.mapper.js';
import { BlankImageController } from './blank-image.controller.js';
import { DeliveriesController } from './deliveries.controller.js';
import { DeliveriesService } from './deliveries.service.js';
import { DeliveryLocator } from './delivery-locator.js';
import { DeliveryService } from './delivery.service.js';
import { WarmRedirects } from './warm-redirects.service.js';

@Module({
  imports: [CloudinaryModule, TokensModule],
  controllers: [BlankImageController, DeliveriesController],
  providers: [
    DeliveryService,
    DeliveriesService,
    WarmRedirects,
    DeliveryLocator,
    IssuerKeyUses,
    // The mapper is pure and knows nothing of Nest.
    { provide: TransformationMapper, useFactory: () => new TransformationMapper() },
  ],
  exports: [WarmRedirects, DeliveryService, DeliveryLocator],
})
export class DeliveryModule {}
