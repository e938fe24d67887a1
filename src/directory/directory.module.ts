import { Global, Module } from '@nestjs/common';
import { IssuerFinder } from '../issuers/issuer.js';
import { SecretsModule } from '../secrets/secrets.module.js';
import { RevocationFinder } from '../revocations/revocation.js';
import { DatabaseLookups } from './database-lookups.service.js';
import { DirectoryService } from './directory.service.js';

@Global()
@Module({
  imports: [SecretsModule],
  providers: [
    DatabaseLookups,
    DirectoryService,
    { provide: IssuerFinder, useExisting: DirectoryService },
    { provide: RevocationFinder, useExisting: DirectoryService },
  ],
  exports: [DatabaseLookups, DirectoryService, IssuerFinder, RevocationFinder],
})
export class DirectoryModule {}
