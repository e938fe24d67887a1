import { Injectable } from '@nestjs/common';
import { InvalidRequestError } from '../domain/request.errors.js';
import type { Soon } from '../directory/soon.js';
import { IssuerKeyUses } from '../issuers/issuer-key-uses.service.js';
import { RateLimits } from '../limits/rate-limits.js';
import { problemBody } from '../problems/problem-body.js';
import { ProblemError } from '../problems/problem.error.js';
import { DeliveryLocator } from './delivery-locator.js';
import { type Delivery, DeliveryService } from './delivery.service.js';
import type { DeliveryResultView } from './deliveries.dto.js';
import { InvalidHostError, type ReachedBy } from './origin.js';
import { isPlain, type SealedUrl } from './sealed-url.js';
import { type WarmRedirect, WarmRedirects } from './warm-redirects.service.js';

/** Delivers many images at once, each on its own. */
@Injectable()
export class DeliveriesService {
  constructor(
    private readonly deliveries: DeliveryService,
    private readonly locator: DeliveryLocator,
    private readonly warm: WarmRedirects,
    private readonly limits: RateLimits,
    private readonly keyUses: IssuerKeyUses,
  ) {}

  /**
   * @param address The client's, which every item counts for.
   * @returns a result or a problem for each item, in order.
   * @throws InvalidHostError (400), TooManyRequestsError (429)
   */
  async deliverAll(
    items: readonly unknown[],
    reachedBy: ReachedBy,
    address: string,
  ): Promise<DeliveryResultView[]> {
    // The first was counted when the request came: 500 tokens in one body must not cost what one does.
    await this.limits.spendAddress(address, items.length - 1);
    const results = items.map((item) => this.deliverOne(item, reachedBy));
    return results.some((result) => result instanceof Promise)
      ? Promise.all(results.map(async (result) => result))
      : (results as DeliveryResultView[]);
  }

  private deliverOne(item: unknown, reachedBy: ReachedBy): Soon<DeliveryResultView> {
    const imageId = isObject(item) && typeof item['image_id'] === 'string' ? item['image_id'] : null;
    try {
      if (!isObject(item) || (imageId === null && item['image_id'] !== undefined)) {
        throw new InvalidRequestError([{ key: 'deliveries', detail: 'must hold objects {image_id, token}' }]);
      }
      const found = this.find(imageId, item['token'], reachedBy);
      return found instanceof Promise ? found.catch((error: unknown) => describe(error, imageId)) : found;
    } catch (error) {
      return describe(error, imageId);
    }
  }

  /** @throws ProblemError */
  private find(imageId: string | null, token: unknown, reachedBy: ReachedBy): Soon<DeliveryResultView> {
    const again = typeof token === 'string' && !this.locator.needsForwarded && this.warm.wasAccepted(token);
    const asked = again && imageId !== null ? { pathId: imageId, token } : null;
    const known = asked === null ? null : this.warm.find(asked, reachedBy.host);
    if (known !== null) return this.deliverKnown(known);
    const delivery = this.deliveries.deliver({ pathId: imageId ?? '', query: { token } });
    return delivery instanceof Promise
      ? delivery.then((found) => this.tell(found, token, asked, reachedBy))
      : this.tell(delivery, token, asked, reachedBy);
  }

  /** @param asked Where the token was accepted lately. */
  private tell(
    delivery: Delivery,
    token: unknown,
    asked: SealedUrl | null,
    reachedBy: ReachedBy,
  ): DeliveryResultView {
    const { url, imageId } = delivery;
    const location = this.locator.locate(url, reachedBy);
    if (asked === null && delivery.claims !== null) this.warm.note(token as string);
    else if (asked !== null && isPlain(asked)) this.warm.keep(asked, reachedBy.host, delivery, location);
    return { image_id: imageId, url, location };
  }

  /** @throws TooManyRequestsError (429) */
  private deliverKnown(known: WarmRedirect): Soon<DeliveryResultView> {
    const spent = this.limits.spendIssuer(known.issuerId);
    return spent instanceof Promise ? spent.then(() => this.tellKnown(known)) : this.tellKnown(known);
  }

  private tellKnown({ keyId, imageId, signedUrl, redirect }: WarmRedirect): DeliveryResultView {
    this.keyUses.count(keyId);
    return { image_id: imageId, url: signedUrl, location: redirect.location };
  }
}

/**
 * The item's problem. What is no item's fault, such as a bad Host, rejects: thrown at once, it would leave the items
 * that are still waited for without anybody who hears of theirs, which ends the process.
 */
function describe(error: unknown, imageId: string | null): Soon<DeliveryResultView> {
  if (!(error instanceof ProblemError) || error instanceof InvalidHostError) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
  return { image_id: imageId?.slice(0, MAX_ECHO) ?? null, problem: problemBody(error) };
}

/** Characters of a caller's malformed id that are given back. */
const MAX_ECHO = 100;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
