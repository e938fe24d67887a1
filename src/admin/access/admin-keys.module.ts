import { Global, Module } from '@nestjs/common';
import { AdminKeyFinder } from './admin-key.guard.js';
import { AdminKeyDirectoryService } from './admin-key-directory.service.js';
import { AdminKeysController } from './admin-keys.controller.js';
import { AdminKeysService } from './admin-keys.service.js';

/** Global, since the guard of every admin controller needs it. */
@Global()
@Module({
  controllers: [AdminKeysController],
  providers: [
    AdminKeyDirectoryService,
    { provide: AdminKeyFinder, useExisting: AdminKeyDirectoryService },
    AdminKeysService,
  ],
  exports: [AdminKeyFinder, AdminKeysService],
})
export class AdminKeysModule {}
