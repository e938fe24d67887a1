import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ProblemError } from '../../domain/problem.error.js';
import type { Exchange } from '../../platform/http/exchange.js';
import { ProblemFilter } from '../../platform/http/problem.filter.js';
import { Observations } from '../../platform/observability/observations.js';
import { ProxiedDelivery, type ProxiedRedirect } from '../proxied-delivery.js';
import { IMAGE_HEADERS } from '../redirect-response.js';
import type { TokenUses } from '../token-uses.service.js';
import { mayNeedPart, preconditionsOf } from './conditions.js';
import { type ByteSource, DiskCache, type ImageMeta, memorySource } from './disk-cache.js';
import { ImageSource } from './image-source.js';
import {
  type FoundImage,
  planResponse,
  type ProxiedHead,
  sendBytes,
  sendFromMemory,
  writeHead,
} from './proxied-response.js';
import { ClientLeftError, Transfer, type TransferReader } from './transfer.js';
import { Upstream, type UpstreamHead, type UpstreamRequest } from './upstream.js';
import { type RememberedVariant, rememberedVariantOf } from './variant.js';

/** A request that a decision admits. */
interface View {
  readonly exchange: Exchange;
  readonly redirect: ProxiedRedirect;
  readonly variant: RememberedVariant;
}

/**
 * Delivers the images of decided requests: from the disk, from a fetch in progress, or from the account's host. The
 * decision is made again for each request, so a cached image is as closed as its token.
 */
@Injectable()
export class ImageProxy implements OnApplicationShutdown {
  private readonly logger = new Logger(ImageProxy.name);
  private readonly problems = new ProblemFilter(IMAGE_HEADERS);
  private readonly transfers = new Map<string, Transfer>();
  private hasWarned = false;

  /** @param source Null where images come from the accounts' hosts. */
  constructor(
    private readonly upstream: Upstream,
    private readonly cache: DiskCache,
    private readonly source: ImageSource | null,
    private readonly observations: Observations,
    private readonly uses: TokenUses,
    delivery: ProxiedDelivery,
  ) {
    delivery.respond = (exchange, redirect) => {
      const variant = rememberedVariantOf(redirect.proxied, exchange.request.headers);
      const view = { exchange, redirect, variant };
      if (this.respondFromMemory(view)) return;
      this.respond(view).catch((error: unknown) => {
        this.fail(exchange, error);
      });
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.upstream.close();
    await Promise.all([...this.transfers.values()].map(({ ended }) => ended));
    await this.cache.close();
  }

  private async respond(view: View): Promise<void> {
    const { proxied } = view.redirect;
    if (this.source !== null) {
      await this.respondFromSource(view, this.source);
      return;
    }
    const key = proxied.isCacheable ? view.variant.key : null;
    // Before the disk, and again behind it: a transfer ends once its image is found there.
    if (this.findTransfer(key) === null && (await this.respondFromCache(view, key))) return;
    const transfer = this.findTransfer(key);
    this.observations.proxied[transfer === null ? 'miss' : 'shared'] += 1;
    if (transfer === null && view.exchange.request.method === 'HEAD') await this.forwardHead(view);
    else await this.respondFromTransfer(view, transfer ?? this.startTransfer(view, key));
  }

  /**
   * Responds without a promise: a cached view would cost twice as much.
   * @returns false if the image is not in memory, or a use has to be counted.
   * @throws RangeNotSatisfiableError (416)
   */
  private respondFromMemory(view: View): boolean {
    const { exchange, redirect, variant } = view;
    if (redirect.use !== null || !redirect.proxied.isCacheable) return false;
    const image = this.cache.recall(variant.key);
    if (image === null) return false;
    this.observations.proxied.hit += 1;
    const { head, range } = planResponse(exchange.request, image.meta);
    const body = range === null ? '' : image.bytes.subarray(range.start, range.end);
    this.observations.proxiedBytes += body.length;
    sendFromMemory(exchange, redirect, head, variant.vary, body);
    return true;
  }

  /** @returns false if the image is not cached. */
  private async respondFromCache(view: View, key: string | null): Promise<boolean> {
    const meta = key === null ? null : await this.cache.find(key);
    if (key === null || meta === null) return false;
    this.observations.proxied.hit += 1;
    return this.send(view, meta, () => this.cache.open(key, meta));
  }

  private async respondFromSource(view: View, source: ImageSource): Promise<void> {
    const { request, response, span } = view.exchange;
    const left = new AbortController();
    response.once('close', () => {
      left.abort(new ClientLeftError());
    });
    const { target } = view.redirect.proxied;
    const { body, ...image } = await source.fetch(
      { target, accept: request.headers.accept, span },
      left.signal,
    );
    const found = { ...image, length: body.length, lastModified: null };
    await this.send(view, found, () => Promise.resolve(memorySource(body)));
  }

  /** Responds with what the account's host says of the image: nothing is fetched or cached. */
  private async forwardHead(view: View): Promise<void> {
    const { request, response } = view.exchange;
    const abort = new AbortController();
    response.once('close', () => {
      abort.abort(new ClientLeftError());
    });
    const fetched = this.requestOf(view, preconditionsOf(request));
    await this.upstream.fetch(fetched, abort, ({ head }) => {
      this.writeHead(view, { ...head, contentRange: null });
      response.end();
      return Promise.resolve();
    });
  }

  /** The fetch of the image that is in progress and can be shared. */
  private findTransfer(key: string | null): Transfer | null {
    const transfer = key === null ? undefined : this.transfers.get(key);
    return transfer?.isJoinable === true ? transfer : null;
  }

  private async respondFromTransfer(view: View, transfer: Transfer): Promise<void> {
    const { response } = view.exchange;
    const reader = transfer.join();
    // At once, not with the next read: a fetch for this client alone is then cancelled.
    response.once('close', () => {
      reader.release();
    });
    if (response.destroyed) reader.release();
    try {
      await this.respondFromReader(view, transfer, reader);
    } finally {
      reader.release();
    }
  }

  private async respondFromReader(view: View, transfer: Transfer, reader: TransferReader): Promise<void> {
    const { head, length } = await transfer.started;
    const { request, response } = view.exchange;
    if (head.status === 304) {
      this.writeHead(view, { ...head, contentRange: null });
      response.end();
      return;
    }
    // A client that has its part, or 304, leaves before the end. The next response is read from the disk.
    const isKept = view.redirect.proxied.isCacheable && head.freshness > 0;
    if (isKept && mayNeedPart(request)) transfer.fetchWhole();
    await this.send(view, { ...head, length }, () => Promise.resolve(reader));
  }

  /**
   * Responds with what `planResponse` selects of an image.
   * @param open Opens the image's bytes, only where they are sent.
   * @returns false if they cannot be opened: nothing is sent then.
   */
  private async send(
    view: View,
    image: FoundImage,
    open: () => Promise<ByteSource | null>,
  ): Promise<boolean> {
    const { request, response } = view.exchange;
    const { head, range } = planResponse(request, image);
    if (range === null) {
      this.writeHead(view, head);
      response.end();
      return true;
    }
    const source = await open();
    if (source === null) return false;
    try {
      await this.consumeUse(view);
      this.writeHead(view, head);
      await this.sendBytes(view, source, range);
    } finally {
      source.release();
    }
    return true;
  }

  /** Counts a use of a token with `max_uses`: of a 200 or 206 to a GET, before its head. */
  private async consumeUse({ redirect: { use } }: View): Promise<void> {
    if (use !== null) await this.uses.consume(use);
  }

  private writeHead({ exchange, redirect, variant }: View, head: ProxiedHead): void {
    writeHead(exchange, redirect, head, variant.vary);
  }

  private sendBytes(
    { exchange }: View,
    ...[source, range]: [ByteSource, { start: number; end: number }]
  ): Promise<void> {
    return sendBytes(exchange, source, range, (count) => {
      this.observations.proxiedBytes += count;
    });
  }

  /** @param key Null if the image is not cached. @throws OverloadedError (503) */
  private startTransfer(view: View, key: string | null): Transfer {
    // Again when the file is created: until then other fetches may have taken the last one.
    this.cache.requirePart();
    // A client's preconditions are its own: a fetch with them would not be for all clients.
    const request = this.requestOf(view, key === null ? preconditionsOf(view.exchange.request) : {});
    const transfer: Transfer = new Transfer((abort, use) => this.fetch(request, abort, use), {
      create: () => this.cache.create(),
      keep: async (part, head, length) => {
        if (key === null || head.freshness === 0) return;
        await this.cache.keep(key, part, metaOf(head, length));
      },
      onFailure: (error) => {
        this.warn(error);
      },
    });
    if (key !== null) {
      this.transfers.set(key, transfer);
      void transfer.ended.then(() => {
        if (this.transfers.get(key) === transfer) this.transfers.delete(key);
      });
    }
    return transfer;
  }

  private async fetch(...[request, abort, use]: Parameters<Upstream['fetch']>): Promise<void> {
    try {
      await this.upstream.fetch(request, abort, use);
    } catch (error) {
      if (error instanceof ProblemError) this.observations.fetchFailures.add(error.code);
      throw error;
    }
  }

  private requestOf(
    { exchange, redirect, variant }: View,
    preconditions: UpstreamRequest['headers'],
  ): UpstreamRequest {
    return {
      url: redirect.proxied.target,
      method: exchange.request.method === 'HEAD' ? 'HEAD' : 'GET',
      headers: { ...variant.headers, ...preconditions },
    };
  }

  /** Refuses a request; behind a head, closes its connection: an image that is cut must not look whole. */
  private fail(exchange: Exchange, error: unknown): void {
    const { response } = exchange;
    if (response.closed || response.destroyed) return;
    this.problems.write(error, exchange);
  }

  /** Once: a full disk fails each request. */
  private warn(error: unknown): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    const reason = error instanceof Error ? error.message : 'no reason';
    this.logger.warn(`Proxied images are delivered without a cache: ${reason}`);
  }
}

function metaOf({ contentType, etag, lastModified, freshness }: UpstreamHead, length: number): ImageMeta {
  return { contentType, etag, lastModified, length, freshUntil: Date.now() + freshness };
}
