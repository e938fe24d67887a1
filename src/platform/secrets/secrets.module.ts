import { Module } from '@nestjs/common';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { SecretBox } from './secret-box.js';

@Module({
  providers: [
    {
      provide: SecretBox,
      inject: [ENVIRONMENT],
      useFactory: (environment: Environment) => new SecretBox(environment.secretsKeys),
    },
  ],
  exports: [SecretBox],
})
export class SecretsModule {}
