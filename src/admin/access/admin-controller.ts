import { applyDecorators, Controller, SetMetadata, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { AdminAttemptsGuard } from './admin-attempts.guard.js';
import { ActorInterceptor } from './actor.interceptor.js';
import { AdminKeyGuard, BOUND_KEYS } from './admin-key.guard.js';

/** A controller under `/admin`, behind an admin key: `read` for GET, `write` for everything else. */
export function AdminController(path: string): ClassDecorator {
  return applyDecorators(
    Controller(`admin/${path}`),
    UseGuards(AdminAttemptsGuard, AdminKeyGuard),
    UseInterceptors(new ActorInterceptor()),
    ApiBearerAuth(),
    ApiTags(path.slice(path.lastIndexOf('/') + 1)),
  );
}

/** A route that keys bound to an issuer may use: all its queries use `tenantFilter()`. Other routes refuse such keys. */
export function AllowIssuerScopedKeys(): MethodDecorator {
  return SetMetadata(BOUND_KEYS, true);
}
