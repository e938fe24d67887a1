import { Inject, Injectable, Logger } from '@nestjs/common';
import { DirectoryService } from '../directory/directory.service.js';
import { type Account, accountIdOf } from '../domain/account.js';
import { ProblemError } from '../domain/problem.error.js';
import { UrlVerifier } from '../cloudinary/url-verifier.js';
import { Observations } from '../platform/observability/observations.js';
import { type RequestSpan, runInSpan } from '../platform/observability/tracing.js';
import { findAssets } from './chain/chain.parser.js';
import { expandNamed, type NamedTransformations } from './chain/named-transformations.js';
import { type DeliveryPath, readDeliveryPath } from './delivery-path.js';
import { type DeliveryKey, DeliveryKeys } from './delivery-keys.js';
import { DerivedCache } from './derived-cache.js';
import type { RenderedImage } from './image/image-renderer.js';
import { RenderError } from './image/render.errors.js';
import { RenderQueue } from './render-queue.js';
import { originalKey } from './render-task.js';
import { RenderWorkers } from './render-workers.js';

/** Provides the `NamedTransformations`. */
export const NAMED_TRANSFORMATIONS = Symbol('named transformations');

/** A request for an image, as received. */
export interface ImageRequest {
  /** Undecoded, without the query. */
  readonly path: string;
  /** `__cld_token__` of the query. */
  readonly authToken: unknown;
  readonly accept: string | undefined;
  /** Whether the client has the image with this entity tag. */
  readonly hasEntity: (etag: string) => boolean;
  /** Null unless the request is sampled for a trace. */
  readonly span: RequestSpan | null;
}

export interface DeliveredImage {
  /** Null if the client has it. */
  readonly image: RenderedImage | null;
  readonly varyByAccept: boolean;
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
    private readonly workers: RenderWorkers,
    private readonly keys: DeliveryKeys,
    private readonly cache: DerivedCache,
    private readonly queue: RenderQueue<RenderedImage>,
    private readonly observations: Observations,
    @Inject(NAMED_TRANSFORMATIONS) private readonly named: NamedTransformations,
  ) {}

  /** @throws RenderError with Cloudinary's status: 400 chain, 401 signature, 404 original, 503 overload. */
  async deliver(request: ImageRequest, clientSignal: AbortSignal): Promise<DeliveredImage> {
    try {
      return await this.find(request, clientSignal);
    } catch (thrown) {
      // A look-up: the database or the account's secret is unavailable.
      const error = thrown instanceof ProblemError ? new RenderError(503, thrown.message) : thrown;
      this.observations.renderFailures.add(error instanceof RenderError ? String(error.status) : '500');
      throw error;
    }
  }

  private async find(request: ImageRequest, clientSignal: AbortSignal): Promise<DeliveredImage> {
    const written = readDeliveryPath(request.path);
    // The signature is that of the path as written: `signed` stays.
    const path = { ...written, chain: expandNamed(written.chain, this.named) };
    const account = await this.getAccount(path.cloudName);
    this.authorize(account, path, request);
    const accountId = accountIdOf(account);
    const { key, varyByAccept, originals } = await this.keys.get({
      ...{ accountId, path: request.path, delivery: path, accept: request.accept },
    });
    const etag = `"${key.slice(0, 32)}"`;
    const isPublic = path.deliveryType === 'upload';
    if (request.hasEntity(etag)) return { image: null, etag, isPublic, varyByAccept };
    const cached = await this.cache.get(key);
    this.observations.renderCache[cached === null ? 'miss' : 'hit'] += 1;
    const image =
      cached ??
      (await runInSpan(request.span, 'render', () =>
        this.queue.run(key, clientSignal, (signal) =>
          this.render(key, originals, path, request.accept, signal),
        ),
      ));
    return { image, etag, isPublic, varyByAccept };
  }

  private async getAccount(cloudName: string): Promise<Account> {
    const account = await this.directory.findAccountOfCloud(cloudName);
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

  private async render(
    key: string,
    originals: DeliveryKey['originals'],
    { deliveryType, publicId, chain, format }: DeliveryPath,
    accept: string | undefined,
    signal: AbortSignal,
  ): Promise<RenderedImage> {
    const startedAt = performance.now();
    const originalFilename = originals.get(originalKey({ deliveryType, publicId }))?.originalFilename ?? null;
    const image = await this.workers.render(
      { originals, deliveryType, publicId, originalFilename, chain, format, accept },
      signal,
    );
    this.observations.renders.observe(performance.now() - startedAt);
    void this.cache.set(key, image).catch((error: unknown) => {
      // A full disk, for example: the image is delivered anyway.
      this.logger.warn(`Could not cache a rendered image: ${error instanceof Error ? error.message : ''}`);
    });
    return image;
  }
}
