import { Module } from '@nestjs/common';
import { CloudinaryModule } from '../cloudinary/cloudinary.module.js';
import { IssuerKeyUses } from '../directory/issuer-key-uses.service.js';
import { IssuerUsage } from '../directory/issuer-usage.service.js';
import { TokenService } from '../tokens/token.service.js';
import { TransformationMapper } from '../transformations/transformation.mapper.js';
import { BlankImageController } from './blank-image.controller.js';
import { DeliveriesController } from './deliveries.controller.js';
import { DeliveriesService } from './deliveries.service.js';
import { ImagesController } from './images.controller.js';
import { LocationBuilder } from './location-builder.js';
import { ProxiedDelivery } from './proxied-delivery.js';
import { PictureBudget } from './picture-budget.service.js';
import { RedirectCache } from './redirect-cache.js';
import { RedirectService } from './redirect.service.js';
import { TokenUses } from './token-uses.service.js';

@Module({
  imports: [CloudinaryModule],
  controllers: [BlankImageController, DeliveriesController, ImagesController],
  providers: [
    RedirectService,
    DeliveriesService,
    RedirectCache,
    LocationBuilder,
    ProxiedDelivery,
    IssuerKeyUses,
    PictureBudget,
    TokenUses,
    IssuerUsage,
    // Pure classes, without Nest's decorators.
    { provide: TokenService, useFactory: () => new TokenService() },
    { provide: TransformationMapper, useFactory: () => new TransformationMapper() },
  ],
  exports: [RedirectCache, RedirectService, LocationBuilder, ProxiedDelivery, TokenUses],
})
export class RedirectModule {}
