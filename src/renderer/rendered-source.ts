import { Injectable } from '@nestjs/common';
import { OverloadedError } from '../platform/rate-limit/overloaded.error.js';
import { ImageSource, type SourcedImage, type SourceRequest } from '../redirect/proxy/image-source.js';
import { OriginalMissingError, UpstreamFailedError } from '../redirect/proxy/proxy.errors.js';
import { RenderError } from './image/render.errors.js';
import { RendererService } from './renderer.service.js';

/** The renderer as the source of proxied images. */
@Injectable()
export class RenderedSource extends ImageSource {
  constructor(private readonly renderer: RendererService) {
    super();
  }

  async fetch({ target, accept, span }: SourceRequest, signal: AbortSignal): Promise<SourcedImage> {
    const [path = '', query = ''] = target.split('?', 2);
    const authToken = new URLSearchParams(query).get('__cld_token__') ?? undefined;
    try {
      const { image, etag } = await this.renderer.deliver(
        { path, authToken, accept, hasEntity: () => false, span },
        signal,
      );
      // Only for a client that has the entity.
      if (image === null) throw new UpstreamFailedError('the renderer returned no image');
      return { contentType: image.contentType, body: image.body, etag };
    } catch (error) {
      throw problemOf(error);
    }
  }
}

function problemOf(error: unknown): unknown {
  if (!(error instanceof RenderError)) return error;
  if (error.status === 404) return new OriginalMissingError();
  if (error.status === 503) return new OverloadedError();
  return new UpstreamFailedError(`the renderer refused it with ${error.status}`);
}
