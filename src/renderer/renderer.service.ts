import { createHash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { UrlVerifier } from '../cloudinary/url-verifier.js';
import { Observations } from '../platform/observability/observations.js';
import { OriginalsStore } from '../originals/originals.store.js';
import { Tracing } from '../platform/observability/tracing.js';
import { findAssets } from './chain/chain.parser.js';
import { type DeliveryPath, readDeliveryPath } from './delivery-path.js';
import { DerivedCache } from './derived-cache.js';
import { negotiate } from './picture/encode.js';
import type { RenderedPicture } from './picture/picture-renderer.js';
import { RenderError } from './picture/render.errors.js';
import { RenderQueue } from './render-queue.js';
import { RenderWorkers } from './render-workers.js';

/** A request for a picture, as it came. */
export interface PictureRequest {
  /** Undecoded, without the query. */
  readonly path: string;
  /** `__cld_token__` of the query. */
  readonly authToken: unknown;
  readonly accept: string | undefined;
}

export interface DeliveredPicture {
  readonly picture: RenderedPicture;
  /** An entity tag with its quotes. */
  readonly etag: string;
  /** Whether shared caches may keep it. */
  readonly isPublic: boolean;
}

/** Delivers pictures at Cloudinary's own paths: verifies the URL, then renders, or finds what was rendered. */
@Injectable()
export class RendererService {
  private readonly logger = new Logger(RendererService.name);

  constructor(
    private readonly verifier: UrlVerifier,
    private readonly originals: OriginalsStore,
    private readonly workers: RenderWorkers,
    private readonly cache: DerivedCache,
    private readonly queue: RenderQueue<RenderedPicture>,
    private readonly observations: Observations,
    private readonly tracing: Tracing,
  ) {}

  /** @throws RenderError with Cloudinary's status: 400 chain, 401 signature, 404 original, 503 overload. */
  async deliver(request: PictureRequest, left: AbortSignal): Promise<DeliveredPicture> {
    try {
      return await this.find(request, left);
    } catch (error) {
      this.observations.renderFailures.add(error instanceof RenderError ? String(error.status) : '500');
      throw error;
    }
  }

  private async find(request: PictureRequest, left: AbortSignal): Promise<DeliveredPicture> {
    const path = readDeliveryPath(request.path);
    this.authorize(path, request);
    const key = await this.keyOf(path, request.accept);
    const kept = await this.cache.get(key);
    this.observations.renderCache[kept === null ? 'miss' : 'hit'] += 1;
    const picture =
      kept ??
      (await this.tracing.run('render', () =>
        this.queue.run(key, left, (signal) => this.render(key, path, request.accept, signal)),
      ));
    return { picture, etag: `"${key.slice(0, 32)}"`, isPublic: path.deliveryType === 'upload' };
  }

  private authorize(
    { cloudName, deliveryType, chain, signature, signed }: DeliveryPath,
    request: PictureRequest,
  ): void {
    if (cloudName !== this.verifier.cloudName) throw new RenderError(401, `Unknown cloud ${cloudName}`);
    if (signature !== null) {
      if (this.verifier.isSigned(signature, signed)) return;
      throw new RenderError(401, `Invalid Signature s--${signature}--`);
    }
    if (typeof request.authToken === 'string') {
      if (this.verifier.isAuthorized(request.authToken, request.path)) return;
      throw new RenderError(401, 'Invalid or expired authentication token');
    }
    // Cloudinary's uploaded pictures are open to everyone; what a token was to seal is no layer of theirs either.
    const types = [deliveryType, ...findAssets(chain).map((layer) => layer.deliveryType)];
    const sealed = types.find((type) => type !== 'upload');
    if (sealed !== undefined) throw new RenderError(401, `${sealed} pictures need a signed URL`);
  }

  /** By the content of everything that is in the picture: a new original is a new picture, whatever its version. */
  private async keyOf(path: DeliveryPath, accept: string | undefined): Promise<string> {
    const assets = [{ deliveryType: path.deliveryType, publicId: path.publicId }, ...findAssets(path.chain)];
    const rows = await Promise.all(assets.map((asset) => this.originals.findRow(asset)));
    const contents = rows.map((row) => row?.sha256 ?? null);
    return createHash('sha256')
      .update(
        JSON.stringify([
          this.workers.edition,
          ...[path.chain, path.format, path.publicId, contents, negotiate(path.chain, accept)],
        ]),
      )
      .digest('hex');
  }

  private async render(
    key: string,
    { deliveryType, publicId, chain, format }: DeliveryPath,
    accept: string | undefined,
    signal: AbortSignal,
  ): Promise<RenderedPicture> {
    const startedAt = performance.now();
    const picture = await this.workers.render({ deliveryType, publicId, chain, format, accept }, signal);
    this.observations.renders.observe(performance.now() - startedAt);
    try {
      await this.cache.set(key, picture);
    } catch (error) {
      // A full disk, say: the picture is there all the same.
      this.logger.warn(
        `A rendered picture could not be kept: ${error instanceof Error ? error.message : ''}`,
      );
    }
    return picture;
  }
}
