import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Counters, dayOf, endOfDay, KNOWN_DAYS, type Picture } from '../directory/counters/counters.js';
import { Observations } from '../platform/observability/observations.js';
import { PictureBudgetSpentError } from './picture-budget.error.js';

/** Pictures that this process knows, about 20 MB. */
const MAX_KNOWN = 100_000;
/** Bytes of a digest: no two pictures of an issuer have the same. */
const DIGEST_BYTES = 16;

/** Names a picture of an issuer. @param asset The image, as it is in the signed URL, and its chain. */
export function pictureOf(issuerId: string, budget: number, asset: readonly unknown[]): Picture {
  const digest = createHash('sha256').update(JSON.stringify(asset)).digest();
  return { issuerId, budget, digest: digest.subarray(0, DIGEST_BYTES).toString('base64url') };
}

/**
 * The budgets of `new_pictures_per_day`. A picture that this process knows is paid without I/O; it is marked as seen again
 * in the background on each later day.
 */
@Injectable()
export class PictureBudget {
  /** The day of the last mark, by issuer and digest. */
  private readonly known = new LRUCache<string, number>({ max: MAX_KNOWN });

  constructor(
    private readonly counters: Counters,
    private readonly observations: Observations,
  ) {}

  /** Whether this process knows that a picture is paid. @param now Milliseconds since 1970. */
  isPaid(picture: Picture, now: number): boolean {
    const key = keyOf(picture);
    const today = dayOf(now);
    const seenOn = this.known.get(key);
    if (seenOn === undefined || today - seenOn >= KNOWN_DAYS) return false;
    if (seenOn < today) this.markAsSeen(picture, key, seenOn, today);
    return true;
  }

  /**
   * Pays for a picture, or finds that it is paid.
   * @throws PictureBudgetSpentError (429)
   * @throws CounterUnavailableError, DatabaseUnavailableError (503): without the count, a new picture is refused.
   */
  async pay(picture: Picture, now: number): Promise<true> {
    const today = dayOf(now);
    const paid = await this.counters.payPicture(picture, today);
    if (paid === null) {
      throw new PictureBudgetSpentError(picture.budget, endOfDay(now) - now);
    }
    const key = keyOf(picture);
    // Requests that waited for the same count receive the same result.
    if (paid === 'new' && !this.known.has(key)) this.observations.newPictures += 1;
    this.known.set(key, today);
    return true;
  }

  /** If it fails, the next request tries again. */
  private markAsSeen(picture: Picture, key: string, seenOn: number, today: number): void {
    this.known.set(key, today);
    this.counters.payPicture(picture, today).catch(() => this.known.set(key, seenOn));
  }
}

const keyOf = ({ issuerId, digest }: Picture): string => issuerId + digest;
