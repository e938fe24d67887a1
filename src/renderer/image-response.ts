import type { FastifyReply, FastifyRequest } from 'fastify';
import { exchangeOf } from '../platform/http/exchange.js';
import { RenderError } from './image/render.errors.js';
import type { DeliveredImage } from './renderer.service.js';

/** Seconds: 30 days, as Cloudinary's. The version in the path identifies the content. */
const MAX_AGE = 2_592_000;

/** Responds 200 with the image, or 304 to a client that has it (RFC 9110 §13.1.2). */
export function sendImage(
  reply: FastifyReply,
  { image, etag, isPublic, varyByAccept }: DeliveredImage,
): void {
  reply.headers({
    ETag: etag,
    'Cache-Control': `${isPublic ? 'public' : 'private'}, no-transform, immutable, max-age=${MAX_AGE}`,
    'Access-Control-Allow-Origin': '*',
    'Timing-Allow-Origin': '*',
    ...(varyByAccept ? { Vary: 'Accept' } : {}),
  });
  if (image === null) reply.code(304).send();
  else reply.headers({ 'Content-Type': image.contentType, ...image.headers }).send(image.body);
}

/**
 * Responds as Cloudinary does: with its status, and the reason in `X-Cld-Error`. @throws any error except a
 * RenderError.
 */
export function sendRenderError(request: FastifyRequest, reply: FastifyReply, error: unknown): void {
  if (!(error instanceof RenderError)) throw error;
  exchangeOf(request.raw).problem = { code: `render_${error.status}`, limitScope: null };
  // The reason may quote the URL: a header allows only printable ASCII.
  const reason = error.message.replace(/[^\x20-\x7e]/g, '?').slice(0, 500);
  reply
    .code(error.status)
    .headers({
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Cld-Error': reason,
      'Access-Control-Allow-Origin': '*',
      ...(error.status === 503 ? { 'Retry-After': '1' } : {}),
    })
    .send(`${reason}\n`);
}
