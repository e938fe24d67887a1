import { Global, Module } from '@nestjs/common';
import { IssuerFinder } from '../issuers/issuer.js';
import { SecretsModule } from '../secrets/secrets.module.js';
import { DirectoryService } from './directory.service.js';

@Global()
@Module({
  imports: [SecretsModule],
  providers: [DirectoryService, { provide: IssuerFinder, useExisting: DirectoryService }],
  exports: [DirectoryService, IssuerFinder],
})
export class DirectoryModule {}
