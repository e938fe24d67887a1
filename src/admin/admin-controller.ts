import { applyDecorators, Controller, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { AdminAttemptsGuard } from '../limits/admin-attempts.guard.js';
import { AdminKeyGuard } from './admin-key.guard.js';

/** A controller under `/admin`, behind an admin key. */
export function AdminController(path: string): ClassDecorator {
  return applyDecorators(
    Controller(`admin/${path}`),
    UseGuards(AdminAttemptsGuard, AdminKeyGuard),
    ApiBearerAuth(),
    ApiTags(path),
  );
}
