import { Global, Module } from '@nestjs/common';
import { AdminSessions } from '../../admin/access/admin-sessions.js';
import { RedirectModule } from '../../redirect/redirect.module.js';
import { PagesModule } from '../pages.module.js';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { ConsoleController } from './console.controller.js';
import { OidcClient } from './oidc-client.service.js';
import { ConsoleSessions } from './console-sessions.service.js';

/** Global, because the guard of every admin controller needs its sessions. */
@Global()
@Module({
  imports: [PagesModule, RedirectModule, SecretsModule],
  controllers: [ConsoleController],
  providers: [OidcClient, ConsoleSessions, { provide: AdminSessions, useExisting: ConsoleSessions }],
  exports: [AdminSessions],
})
export class ConsoleModule {}
