import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { PagesService } from '../pages/pages.service.js';

/** The playground: a page that seals tokens in the browser and shows what they do. It holds no row and no secret. */
@ApiExcludeController()
@Controller('playground')
export class PlaygroundController {
  constructor(private readonly pages: PagesService) {}

  @Get()
  page(@Res() reply: FastifyReply): void {
    reply.headers(this.pages.headers).send(this.pages.page('playground'));
  }
}
