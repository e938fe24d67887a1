import { type DynamicModule, Global, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Tracing } from './tracing.js';

/** Provides `Tracing`. */
@Global()
@Module({})
export class TracingModule implements OnApplicationShutdown {
  constructor(private readonly tracing: Tracing) {}

  static for(tracing: Tracing): DynamicModule {
    return {
      module: TracingModule,
      providers: [{ provide: Tracing, useValue: tracing }],
      exports: [Tracing],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.tracing.stop();
  }
}
