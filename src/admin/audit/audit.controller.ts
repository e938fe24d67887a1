import { Get, Query } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { AdminController, AllowIssuerScopedKeys } from '../access/admin-controller.js';
import { Route } from '../../platform/openapi/route.js';
import { ListAuditDto } from './audit.dto.js';
import { AuditService } from './audit.service.js';
import { AuditPageView } from './audit.view.js';

@AdminController('audit')
export class AuditController {
  constructor(private readonly audit: AuditService) {}

  @Get()
  @Route('Lists writes, the newest first')
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: AuditPageView })
  async list(@Query() query: ListAuditDto): Promise<AuditPageView> {
    return new AuditPageView(await this.audit.list(query));
  }
}
