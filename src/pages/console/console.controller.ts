import { Body, Controller, Delete, Get, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RequestOrigin } from '../../platform/http/request-origin.js';
import { Origin } from '../../platform/http/origin.decorator.js';
import { AdminAttemptsGuard } from '../../admin/access/admin-attempts.guard.js';
import { PagesService } from '../pages.service.js';
import { SignInDto } from './console.dto.js';
import { ConsoleRequestGuard } from './console-request.guard.js';
import { ConsoleSessions } from './console-sessions.service.js';
import type { SessionResponse } from './session.document.js';

/** The admin page and its session. The page uses the admin API. */
@ApiExcludeController()
@Controller('console')
export class ConsoleController {
  constructor(
    private readonly pages: PagesService,
    private readonly sessions: ConsoleSessions,
  ) {}

  @Get()
  page(@Res() reply: FastifyReply): void {
    reply.headers(this.pages.headers).send(this.pages.page('console'));
  }

  @Get('session')
  async find(@Req() request: FastifyRequest): Promise<SessionResponse> {
    return { session: await this.sessions.find(request) };
  }

  @Post('session')
  @UseGuards(AdminAttemptsGuard, ConsoleRequestGuard)
  async signIn(
    @Body() { key }: SignInDto,
    @Origin() origin: RequestOrigin,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SessionResponse> {
    const { document, cookie } = await this.sessions.open(key, origin);
    reply.header('Set-Cookie', cookie);
    return { session: document };
  }

  @Delete('session')
  @HttpCode(204)
  @UseGuards(ConsoleRequestGuard)
  signOut(@Origin() origin: RequestOrigin, @Res({ passthrough: true }) reply: FastifyReply): void {
    reply.header('Set-Cookie', this.sessions.close(origin));
  }
}
