import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { AdminKeysModule } from './admin-keys/admin-keys.module.js';
import { makeValidationPipe } from './admin/validation.pipe.js';
import { AuditModule } from './audit/audit.module.js';
import { ConfigModule } from './config/config.module.js';
import type { Environment } from './config/environment.js';
import { DatabaseModule } from './database/database.module.js';
import { DirectoryModule } from './directory/directory.module.js';
import { IdempotencyModule } from './idempotency/idempotency.module.js';
import { HealthModule } from './health/health.module.js';
import { ImagesModule } from './images/images.module.js';
import { IssuersModule } from './issuers/issuers.module.js';
import { requireOpenSecrets } from './issuers/stored-secrets.service.js';
import { LimitsModule } from './limits/limits.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { Observations } from './metrics/observations.js';
import { OverlaysModule } from './overlays/overlays.module.js';
import { RetainedPublicIdsModule } from './retained-public-ids/retained-public-ids.module.js';
import { RevocationsModule } from './revocations/revocations.module.js';
import { NoTracing, type Tracing } from './tracing/tracing.js';
import { TracingModule } from './tracing/tracing.module.js';
import { ProblemFilter } from './problems/problem.filter.js';

/** What watches the service at work. */
interface Watching {
  readonly observations: Observations;
  readonly tracing: Tracing;
}

/** The whole service under one environment. */
@Module({})
export class AppModule {
  static async for(
    environment: Environment,
    { observations, tracing }: Watching = { observations: new Observations(), tracing: new NoTracing() },
  ): Promise<DynamicModule> {
    return {
      module: AppModule,
      imports: [
        ConfigModule.for(environment),
        TracingModule.for(tracing),
        MetricsModule.for(observations),
        LimitsModule,
        DatabaseModule.for(requireOpenSecrets),
        DirectoryModule,
        AdminKeysModule,
        IdempotencyModule,
        AuditModule,
        ImagesModule,
        OverlaysModule,
        IssuersModule,
        RevocationsModule,
        RetainedPublicIdsModule,
        HealthModule,
        ...(await chosenModules(environment)),
      ],
      providers: [
        { provide: APP_FILTER, useFactory: () => new ProblemFilter() },
        { provide: APP_PIPE, useFactory: makeValidationPipe },
      ],
    };
  }
}

/** What a setting turns on is loaded where it is on alone: it would take a good part of a small process's memory. */
async function chosenModules(environment: Environment): Promise<Type[]> {
  const { cloudinary, playground, console, deliveryMode } = environment;
  return [
    // Without an account there is no secret that a notification could be signed with.
    ...(cloudinary.apiKey === null
      ? []
      : [(await import('./notifications/notifications.module.js')).NotificationsModule]),
    ...(playground ? [(await import('./playground/playground.module.js')).PlaygroundModule] : []),
    ...(console ? [(await import('./console/console.module.js')).ConsoleModule] : []),
    ...(deliveryMode === 'local' ? [(await import('./renderer/renderer.module.js')).RendererModule] : []),
  ];
}
