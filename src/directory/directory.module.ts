import { Global, Module } from '@nestjs/common';
import { SecretsModule } from '../platform/secrets/secrets.module.js';
import { DatabaseLookups } from './database-lookups.service.js';
import { DirectoryService } from './directory.service.js';

@Global()
@Module({
  imports: [SecretsModule],
  providers: [DatabaseLookups, DirectoryService],
  exports: [DatabaseLookups, DirectoryService],
})
export class DirectoryModule {}
