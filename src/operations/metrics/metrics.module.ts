import { type DynamicModule, Global, Module } from '@nestjs/common';
import { RedirectModule } from '../../redirect/redirect.module.js';
import { MetricsController } from './metrics.controller.js';
import { MetricsService } from './metrics.service.js';
import { Observations } from '../../platform/observability/observations.js';

/** Provides the counters, and `/metrics`. */
@Global()
@Module({})
export class MetricsModule {
  static for(observations: Observations): DynamicModule {
    return {
      module: MetricsModule,
      imports: [RedirectModule],
      controllers: [MetricsController],
      providers: [MetricsService, { provide: Observations, useValue: observations }],
      exports: [Observations],
    };
  }
}
