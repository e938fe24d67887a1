import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { AccountsModule } from './admin/accounts/accounts.module.js';
import { AdminKeysModule } from './admin/access/admin-keys.module.js';
import { createValidationPipe } from './platform/http/validation.pipe.js';
import { AuditModule } from './admin/audit/audit.module.js';
import { ConfigModule } from './platform/config/config.module.js';
import type { Environment } from './platform/config/environment.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { DirectoryModule } from './directory/directory.module.js';
import { IdempotencyModule } from './admin/idempotency/idempotency.module.js';
import { HealthModule } from './operations/health/health.module.js';
import { ImagesModule } from './admin/images/images.module.js';
import { IssuersModule } from './admin/issuers/issuers.module.js';
import { requireOpenSecrets } from './admin/issuers/stored-secrets.service.js';
import { LimitsModule } from './platform/rate-limit/limits.module.js';
import { MetricsModule } from './operations/metrics/metrics.module.js';
import { NotificationsModule } from './admin/notifications/notifications.module.js';
import { Observations } from './platform/observability/observations.js';
import { OverlaysModule } from './admin/overlays/overlays.module.js';
import { RetainedPublicIdsModule } from './admin/retained-public-ids/retained-public-ids.module.js';
import { RevocationsModule } from './admin/revocations/revocations.module.js';
import { UsageModule } from './admin/usage/usage.module.js';
import type { Tracing } from './platform/observability/tracing.js';
import { TracingModule } from './platform/observability/tracing.module.js';
import { ProblemFilter } from './platform/http/problem.filter.js';

/** Modules of observability. */
interface Watching {
  readonly observations: Observations;
  /** Null if nothing is traced. */
  readonly tracing: Tracing | null;
}

/** The service of one environment. */
@Module({})
export class AppModule {
  static async for(
    environment: Environment,
    { observations, tracing }: Watching = { observations: new Observations(), tracing: null },
  ): Promise<DynamicModule> {
    return {
      module: AppModule,
      imports: [
        ConfigModule.for(environment),
        ...(tracing === null ? [] : [TracingModule.for(tracing)]),
        MetricsModule.for(observations),
        LimitsModule,
        DatabaseModule.for(requireOpenSecrets),
        DirectoryModule,
        AdminKeysModule,
        IdempotencyModule,
        AuditModule,
        ImagesModule,
        OverlaysModule,
        AccountsModule,
        IssuersModule,
        RevocationsModule,
        RetainedPublicIdsModule,
        NotificationsModule,
        UsageModule,
        HealthModule,
        ...(await chosenModules(environment)),
      ],
      providers: [
        { provide: APP_FILTER, useFactory: () => new ProblemFilter() },
        { provide: APP_PIPE, useFactory: createValidationPipe },
      ],
    };
  }
}

/** Optional modules are loaded only if they are turned on: they need a large part of a small process's memory. */
async function chosenModules(environment: Environment): Promise<(Type | DynamicModule)[]> {
  const { playground, console, deliveryMode, proxy } = environment;
  const renderer =
    deliveryMode === 'local' ? (await import('./renderer/renderer.module.js')).RendererModule : null;
  return [
    ...(playground ? [(await import('./pages/playground/playground.module.js')).PlaygroundModule] : []),
    ...(console ? [(await import('./pages/console/console.module.js')).ConsoleModule] : []),
    ...(renderer === null ? [] : [renderer]),
    ...(proxy === null
      ? []
      : [(await import('./redirect/proxy/proxy.module.js')).ProxyModule.for(proxy, deliveryMode, renderer)]),
  ];
}
