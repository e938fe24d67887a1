import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { CloudinaryModule } from '../cloudinary/cloudinary.module.js';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';
import { ChangeFeed } from '../platform/database/change-feed.js';
import { Observations } from '../platform/observability/observations.js';
import { OriginalsModule } from '../originals/originals.module.js';
import { OriginalsStore } from '../originals/originals.store.js';
import { ImageSource } from '../redirect/proxy/image-source.js';
import { loadNamedTransformations } from './chain/named-transformations.js';
import { DeliveryKeys } from './delivery-keys.js';
import { DerivedCache } from './derived-cache.js';
import { loadFontFiles } from './image/text/font-files.js';
import { loadTextStyles } from './image/text/text-styles.js';
import { OriginalRows } from './original-rows.js';
import { RenderQueue } from './render-queue.js';
import { RenderWorkers } from './render-workers.js';
import { RenderedSource } from './rendered-source.js';
import { RendererController } from './renderer.controller.js';
import { NAMED_TRANSFORMATIONS, RendererService } from './renderer.service.js';

const MIB = 1024 * 1024;
const CACHE_BYTES = 512 * MIB;
const QUEUE_LIMITS = { running: availableParallelism(), waiting: 100, deadline: 20_000 };

/** The `local` delivery mode: renders images without an account. */
@Module({
  imports: [CloudinaryModule, OriginalsModule],
  controllers: [RendererController],
  exports: [ImageSource],
  providers: [
    { provide: ImageSource, useClass: RenderedSource },
    RendererService,
    OriginalRows,
    {
      provide: RenderWorkers,
      inject: [OriginalsStore, ENVIRONMENT],
      useFactory: async (originals: OriginalsStore, { dataDir }: Environment) =>
        new RenderWorkers(
          originals,
          {
            textStyles: await loadTextStyles(join(dataDir, 'text-styles')),
            fonts: await loadFontFiles(join(dataDir, 'fonts')),
          },
          QUEUE_LIMITS.running,
        ),
    },
    {
      provide: NAMED_TRANSFORMATIONS,
      inject: [ENVIRONMENT],
      useFactory: ({ dataDir }: Environment) => loadNamedTransformations(join(dataDir, 'transformations')),
    },
    {
      provide: DeliveryKeys,
      inject: [OriginalRows, RenderWorkers, ChangeFeed],
      useFactory: (originals: OriginalRows, { edition }: RenderWorkers, changes: ChangeFeed) => {
        const keys = new DeliveryKeys(originals, edition);
        changes.subscribe(keys);
        return keys;
      },
    },
    {
      provide: DerivedCache,
      inject: [ENVIRONMENT],
      useFactory: ({ dataDir }: Environment) => new DerivedCache(join(dataDir, 'derived'), CACHE_BYTES),
    },
    {
      provide: RenderQueue,
      inject: [Observations],
      useFactory: (observations: Observations) => {
        const queue = new RenderQueue(QUEUE_LIMITS);
        observations.renderLoad = queue;
        return queue;
      },
    },
  ],
})
export class RendererModule {}
