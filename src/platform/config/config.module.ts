import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { Environment } from './environment.js';

/** Injection token of the frozen `Environment`. */
export const ENVIRONMENT = Symbol('ENVIRONMENT');

/** Provides the settings, parsed once, to every module. */
@Global()
@Module({})
export class ConfigModule {
  static for(environment: Environment): DynamicModule {
    return {
      module: ConfigModule,
      providers: [{ provide: ENVIRONMENT, useValue: environment }],
      exports: [ENVIRONMENT],
    };
  }
}
