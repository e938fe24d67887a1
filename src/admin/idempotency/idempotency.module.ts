import { Global, Module } from '@nestjs/common';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { IdempotencyService } from './idempotency.service.js';

/** Global, since the interceptor of every route that creates rows needs it. */
@Global()
@Module({ imports: [SecretsModule], providers: [IdempotencyService], exports: [IdempotencyService] })
export class IdempotencyModule {}
