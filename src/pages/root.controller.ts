import { Controller, Get, Inject, Redirect } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { Environment } from '../platform/config/environment.js';

/** The service's root, for a browser that opens the printed address: a page, if one is served. */
@ApiExcludeController()
@Controller()
export class RootController {
  constructor(@Inject(ENVIRONMENT) private readonly environment: Pick<Environment, 'playground'>) {}

  @Get()
  @Redirect()
  root(): { readonly url: string } {
    return { url: this.environment.playground ? '/playground' : '/console' };
  }
}
