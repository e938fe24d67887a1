import { Module } from '@nestjs/common';
import { RedirectModule } from '../../redirect/redirect.module.js';
import { PolicyRowsService } from './policy-rows.service.js';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { StoredSecretsService } from './stored-secrets.service.js';
import { IssuersController } from './issuers.controller.js';
import { IssuersService } from './issuers.service.js';

@Module({
  imports: [RedirectModule, SecretsModule],
  controllers: [IssuersController],
  providers: [IssuersService, PolicyRowsService, StoredSecretsService],
  exports: [IssuersService, StoredSecretsService],
})
export class IssuersModule {}
