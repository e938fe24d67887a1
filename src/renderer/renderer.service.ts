import { createHash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { DirectoryService } from '../directory/directory.service.js';
import { type Account, accountIdOf } from '../domain/account.js';
import { ProblemError } from '../domain/problem.error.js';
import { UrlVerifier } from '../cloudinary/url-verifier.js';
import { Observations } from '../platform/observability/observations.js';
import { OriginalsStore } from '../originals/originals.store.js';
import { type RequestSpan, runInSpan } from '../platform/observability/tracing.js';
import { findAssets } from './chain/chain.parser.js';
import { type DeliveryPath, readDeliveryPath } from './delivery-path.js';
import { DerivedCache } from './derived-cache.js';
import { negotiate } from './image/encode.js';
import type { RenderedImage } from './image/image-renderer.js';
import { RenderError } from './image/render.errors.js';
import { RenderQueue } from './render-queue.js';
import { RenderWorkers } from './render-workers.js';

/** A request for an image, as received. */
export interface ImageRequest {
  /** Undecoded, without the query. */
  readonly path: string;
  /** `__cld_token__` of the query. */
  readonly authToken: unknown;
  readonly accept: string | undefined;
  /** Null unless the request is sampled for a trace. */
  readonly span: RequestSpan | null;
}

export interface DeliveredImage {
  readonly image: RenderedImage;
  /** An entity tag with its quotes. */
  readonly etag: string;
  /** Whether shared caches may store it. */
  readonly isPublic: boolean;
}

/** Delivers images at Cloudinary's paths: verifies the URL, then returns the cached image or renders it. */
@Injectable()
export class RendererService {
  private readonly logger = new Logger(RendererService.name);

  constructor(
    private readonly directory: DirectoryService,
    private readonly verifier: UrlVerifier,
    private readonly originals: OriginalsStore,
    private readonly workers: RenderWorkers,
    private readonly cache: DerivedCache,
    private readonly queue: RenderQueue<RenderedImage>,
    private readonly observations: Observations,
  ) {}

  /** @throws RenderError with Cloudinary's status: 400 chain, 401 signature, 404 original, 503 overload. */
  async deliver(request: ImageRequest, clientSignal: AbortSignal): Promise<DeliveredImage> {
    try {
      return await this.find(request, clientSignal);
    } catch (error) {
      this.observations.renderFailures.add(error instanceof RenderError ? String(error.status) : '500');
      throw error;
    }
  }

  private async find(request: ImageRequest, clientSignal: AbortSignal): Promise<DeliveredImage> {
    const path = readDeliveryPath(request.path);
    const account = await this.getAccount(path.cloudName);
    this.authorize(account, path, request);
    const accountId = accountIdOf(account);
    const key = await this.keyOf(accountId, path, request.accept);
    const kept = await this.cache.get(key);
    this.observations.renderCache[kept === null ? 'miss' : 'hit'] += 1;
    const image =
      kept ??
      (await runInSpan(request.span, 'render', () =>
        this.queue.run(key, clientSignal, (signal) =>
          this.render(key, accountId, path, request.accept, signal),
        ),
      ));
    return { image, etag: `"${key.slice(0, 32)}"`, isPublic: path.deliveryType === 'upload' };
  }

  private async getAccount(cloudName: string): Promise<Account> {
    let account: Account | null;
    try {
      account = await this.directory.findAccountOfCloud(cloudName);
    } catch (error) {
      if (error instanceof ProblemError) throw new RenderError(503, error.message);
      throw error;
    }
    if (account === null) throw new RenderError(401, `Unknown cloud ${cloudName}`);
    return account;
  }

  private authorize(
    account: Account,
    { deliveryType, chain, signature, signed }: DeliveryPath,
    request: ImageRequest,
  ): void {
    if (signature !== null && !this.verifier.isSigned(account, signature, signed)) {
      throw new RenderError(401, `Invalid Signature s--${signature}--`);
    }
    // Beside a token a signature does not grant access: without its token, the URL would never expire.
    const needsToken = account.authToken?.withSignature === true;
    if (signature !== null && !needsToken) return;
    if (typeof request.authToken === 'string') {
      if (this.verifier.isAuthorized(account, request.authToken, request.path)) return;
      throw new RenderError(401, 'Invalid or expired authentication token');
    }
    // At Cloudinary uploaded images are public; a chain that a token should protect must not use other layers without a
    // signature.
    const types = [deliveryType, ...findAssets(chain).map((layer) => layer.deliveryType)];
    const sealed = types.find((type) => type !== 'upload');
    if (sealed !== undefined)
      throw new RenderError(
        401,
        `${sealed} images need a ${needsToken ? 'URL with an authentication token' : 'signed URL'}`,
      );
  }

  /** By the content of all originals in the image: a new original gives a new image, whatever its version. */
  private async keyOf(accountId: string, path: DeliveryPath, accept: string | undefined): Promise<string> {
    const assets = [{ deliveryType: path.deliveryType, publicId: path.publicId }, ...findAssets(path.chain)];
    const rows = await Promise.all(assets.map((asset) => this.originals.findRow({ ...asset, accountId })));
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
    accountId: string,
    { deliveryType, publicId, chain, format }: DeliveryPath,
    accept: string | undefined,
    signal: AbortSignal,
  ): Promise<RenderedImage> {
    const startedAt = performance.now();
    const image = await this.workers.render(
      { accountId, deliveryType, publicId, chain, format, accept },
      signal,
    );
    this.observations.renders.observe(performance.now() - startedAt);
    try {
      await this.cache.set(key, image);
    } catch (error) {
      // A full disk, for example: the image is delivered anyway.
      this.logger.warn(`Could not cache a rendered image: ${error instanceof Error ? error.message : ''}`);
    }
    return image;
  }
}
