import { Get, Query } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { Route } from '../../platform/openapi/route.js';
import { AdminController, AllowIssuerScopedKeys } from '../access/admin-controller.js';
import { ReadUsageDto } from './usage.dto.js';
import { UsageService } from './usage.service.js';
import { UsageView } from './usage.view.js';

@AdminController('usage')
export class UsageController {
  constructor(private readonly usage: UsageService) {}

  @Get()
  @Route('Counts redirects and refusals by hour')
  @AllowIssuerScopedKeys()
  @ApiOkResponse({ type: UsageView })
  async read(@Query() query: ReadUsageDto): Promise<UsageView> {
    return new UsageView(await this.usage.read(query));
  }
}
