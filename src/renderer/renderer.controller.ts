import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { listsEntityTag } from '../platform/http/entity-tags.js';
import { exchangeOf } from '../platform/http/exchange.js';
import { Preflight } from '../platform/http/preflight.js';
import { sendImage, sendRenderError } from './image-response.js';
import { RendererService } from './renderer.service.js';

/** Cloudinary's delivery paths on this service, in mode `local`. */
@ApiExcludeController()
@Controller()
export class RendererController {
  constructor(private readonly renderer: RendererService) {}

  /** A `fetch` with `Authorization` follows the redirect with it. */
  @Preflight(':cloud_name/image/:type/*')
  preflight(): void {
    // Its headers are the response.
  }

  @Get(':cloud_name/image/:type/*')
  async deliver(
    @Query('__cld_token__') authToken: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const [path = ''] = request.raw.url?.split('?') ?? [];
    const left = new AbortController();
    reply.raw.once('close', () => {
      left.abort();
    });
    const { accept, 'if-none-match': ifNoneMatch } = request.headers;
    const hasEntity = (etag: string): boolean => listsEntityTag(ifNoneMatch, etag);
    const { span } = exchangeOf(request.raw);
    await this.renderer.deliver({ path, authToken, accept, hasEntity, span }, left.signal).then(
      (delivered) => {
        sendImage(reply, delivered);
      },
      (error: unknown) => {
        sendRenderError(request, reply, error);
      },
    );
  }
}
