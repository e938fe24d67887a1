import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Tracing } from './tracing.js';

/** Stops tracing with the application. */
@Module({})
export class TracingModule implements OnApplicationShutdown {
  constructor(private readonly tracing: Tracing) {}

  static for(tracing: Tracing): DynamicModule {
    return { module: TracingModule, providers: [{ provide: Tracing, useValue: tracing }] };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.tracing.stop();
  }
}
