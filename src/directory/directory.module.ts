import { Global, Module } from '@nestjs/common';
import { SecretsModule } from '../platform/secrets/secrets.module.js';
import { DatabaseLookups } from './database-lookups.service.js';
import { DirectoryService } from './directory.service.js';
import { JwksNetwork } from './jwks-network.js';
import { JwksService } from './jwks.service.js';

@Global()
@Module({
  imports: [SecretsModule],
  providers: [DatabaseLookups, DirectoryService, JwksNetwork, JwksService],
  exports: [DatabaseLookups, DirectoryService, JwksService],
})
export class DirectoryModule {}
