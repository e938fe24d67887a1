import { Injectable } from '@nestjs/common';
import { isObject } from '../domain/is-object.js';
import { InvalidRequestError } from '../domain/request.errors.js';
import type { RequestSpan } from '../platform/observability/tracing.js';
import { RateLimits } from '../platform/rate-limit/rate-limits.js';
import { InvalidHostError, type RequestOrigin } from '../platform/http/request-origin.js';
import { problemBody } from '../domain/problem-body.js';
import { ProblemError } from '../domain/problem.error.js';
import type { DeliveryResultView } from './deliveries.dto.js';
import type { RedirectRequest } from './decide-redirect.js';
import { LocationBuilder } from './location-builder.js';
import type { Redirect } from './redirect.js';
import type { RequestTrail } from './request-facts.js';
import { type FoundRedirect, type MaybePromise, RedirectService } from './redirect.service.js';

/** Characters of a malformed id that are echoed to the client. */
const MAX_ECHO = 100;

/** Finds the redirects of many images, each independently. */
@Injectable()
export class DeliveriesService {
  constructor(
    private readonly redirects: RedirectService,
    private readonly limits: RateLimits,
    private readonly locations: LocationBuilder,
  ) {}

  /**
   * @param address The client's. Every item consumes its rate, and must be open to it by its `bind_ip`.
   * @param span The parent of the look-ups' spans.
   * @returns a result or a problem for each item, in order.
   * @throws InvalidHostError (400), TooManyRequestsError (429)
   */
  deliverAll(
    items: readonly unknown[],
    origin: RequestOrigin,
    address: string,
    span: RequestSpan | null,
  ): MaybePromise<DeliveryResultView[]> {
    // The request itself consumed the first one. The rest are consumed here, so that 500 tokens cost 500.
    this.limits.consumeAddress(address, items.length - 1);
    const client = { span, address };
    const results = items.map((item) => this.deliver(item, origin, client));
    return results.some((result) => result instanceof Promise)
      ? Promise.all(results.map(async (result) => result))
      : (results as DeliveryResultView[]);
  }

  private deliver(
    item: unknown,
    origin: RequestOrigin,
    client: Pick<RequestTrail, 'span' | 'address'>,
  ): MaybePromise<DeliveryResultView> {
    const imageId = isObject(item) && typeof item['image_id'] === 'string' ? item['image_id'] : null;
    try {
      if (!isObject(item) || (imageId === null && item['image_id'] !== undefined)) {
        throw new InvalidRequestError([
          { key: 'deliveries', detail: 'must contain objects {image_id, token}' },
        ]);
      }
      const request = { pathId: imageId ?? '', query: { token: item['token'] } };
      const found = this.redirects.find(request, origin, { issuerId: null, ...client });
      const view = ({ redirect }: FoundRedirect): DeliveryResultView =>
        this.viewOf(redirect, request.query, origin);
      return found instanceof Promise
        ? found.then(view).catch((error: unknown) => problemView(error, imageId))
        : view(found);
    } catch (error) {
      return problemView(error, imageId);
    }
  }

  private viewOf(
    { imageId, url, location, proxied }: Redirect,
    query: RedirectRequest['query'],
    origin: RequestOrigin,
  ): DeliveryResultView {
    if (proxied === null) return { image_id: imageId, url, location };
    const own = this.locations.ownUrl(imageId, query, origin);
    return { image_id: imageId, url: own, location: own };
  }
}

/**
 * The item's problem. Other errors, such as a bad Host, reject: a synchronous throw would leave the other items'
 * promises without a handler, and an unhandled rejection ends the process.
 */
function problemView(error: unknown, imageId: string | null): MaybePromise<DeliveryResultView> {
  if (!(error instanceof ProblemError) || error instanceof InvalidHostError) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
  return { image_id: imageId?.slice(0, MAX_ECHO) ?? null, problem: problemBody(error) };
}
