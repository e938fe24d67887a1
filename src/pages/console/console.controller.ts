import { Body, Controller, Delete, Get, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RequestOrigin } from '../../platform/http/request-origin.js';
import { Origin } from '../../platform/http/origin.decorator.js';
import { AdminAttemptsGuard } from '../../admin/access/admin-attempts.guard.js';
import { PagesService } from '../pages.service.js';
import { SignInDto } from './console.dto.js';
import { ConsoleRequestGuard } from './console-request.guard.js';
import { OidcClient } from './oidc-client.service.js';
import { SignInError } from './oidc.errors.js';
import { ConsoleSessions } from './console-sessions.service.js';
import type { SessionResponse } from './session.document.js';

/** The admin page and its session. The page uses the admin API. */
@ApiExcludeController()
@Controller('console')
export class ConsoleController {
  constructor(
    private readonly pages: PagesService,
    private readonly sessions: ConsoleSessions,
    private readonly oidc: OidcClient,
  ) {}

  @Get()
  page(@Res() reply: FastifyReply): void {
    reply.headers(this.pages.headers).send(this.pages.page('console'));
  }

  @Get('session')
  async find(@Req() request: FastifyRequest): Promise<SessionResponse> {
    return { session: await this.sessions.find(request), oidc: this.oidc.isEnabled };
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
    return { session: document, oidc: this.oidc.isEnabled };
  }

  /** Leads the browser to the OpenID Connect provider. */
  @Get('oidc/sign-in')
  async startSignIn(@Origin() origin: RequestOrigin, @Res() reply: FastifyReply): Promise<void> {
    await redirect(reply, async () => {
      const { url, cookie } = await this.sessions.startSignIn(origin);
      reply.header('Set-Cookie', cookie);
      return url;
    });
  }

  /** Where the provider leads it back to. */
  @Get('oidc/callback')
  async finishSignIn(
    @Req() request: FastifyRequest,
    @Origin() origin: RequestOrigin,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    // A response of the provider is used once.
    const ended = this.sessions.closeSignIn(origin);
    reply.header('Set-Cookie', ended);
    await redirect(reply, async () => {
      const query = request.url.slice(request.url.indexOf('?') + 1);
      const cookie = await this.sessions.finishSignIn(request, query);
      // Fastify appends: the browser gets both.
      reply.header('Set-Cookie', cookie);
      return '/console';
    });
  }

  /** A page of its own: no script receives the ID token, which the provider's URL contains. */
  @Get('oidc/sign-out')
  async signOutUser(
    @Req() request: FastifyRequest,
    @Origin() origin: RequestOrigin,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await redirect(reply, async () => {
      const url = await this.sessions.findSignOut(request);
      reply.header('Set-Cookie', this.sessions.close(origin));
      return url;
    });
  }

  @Delete('session')
  @HttpCode(204)
  @UseGuards(ConsoleRequestGuard)
  signOut(@Origin() origin: RequestOrigin, @Res({ passthrough: true }) reply: FastifyReply): void {
    reply.header('Set-Cookie', this.sessions.close(origin));
  }
}

/** Redirects to a target, or to the console with the reason why the sign-in failed. */
async function redirect(reply: FastifyReply, findTarget: () => Promise<string>): Promise<void> {
  const target = await findTarget().catch((error: unknown) => {
    if (error instanceof SignInError) return `/console?sign_in=${error.fault}`;
    throw error;
  });
  reply.header('Cache-Control', 'no-store').header('Referrer-Policy', 'no-referrer').redirect(target, 303);
}
