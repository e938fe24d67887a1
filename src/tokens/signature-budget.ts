import { TooManySignaturesError } from './token.errors.js';

/** Refused tokens a second whose public-key signature is checked: at 130 µs a check, a seventh of a core. */
const PER_PROCESS = 1_000;
const PER_ISSUER = 500;
/** Beyond `PER_PROCESS`, those of each issuer that forgeries for other issuers cannot take away. */
const RESERVED = 20;
/** Reserved checks of all issuers together: another seventh of a core, reached by forgeries for 50 issuers. */
const ALL_RESERVED = 1_000;
/** Issuers whose budget is counted; only issuers with a public key are. */
const MAX_ISSUERS = 10_000;

/** A token bucket with a burst of one second. */
class Bucket {
  private level: number;

  constructor(
    private readonly perSecond: number,
    private filledAt: number,
  ) {
    this.level = perSecond;
  }

  /** @param now Milliseconds of a monotonic clock. @returns false if it is empty. */
  take(now: number): boolean {
    this.level = Math.min(this.perSecond, this.level + ((now - this.filledAt) * this.perSecond) / 1_000);
    this.filledAt = now;
    if (this.level < 1) return false;
    this.level -= 1;
    return true;
  }

  putBack(): void {
    this.level += 1;
  }
}

/** A check that was taken: the buckets that it came from. */
export type SignatureCheck = readonly Bucket[];

/**
 * Bounds the checks of public-key signatures that a flood of forged tokens costs: a check takes 20 times as long as an
 * HMAC. A token that is accepted gets its check back, so that only refused tokens count.
 */
export class SignatureBudget {
  private readonly process: Bucket;
  private readonly allReserved: Bucket;
  private readonly issuers = new Map<string, { readonly own: Bucket; readonly reserve: Bucket }>();

  /** @param now Milliseconds of a monotonic clock. */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.process = new Bucket(PER_PROCESS, now());
    this.allReserved = new Bucket(ALL_RESERVED, now());
  }

  /**
   * Takes one check.
   * @returns the check, for `putBack` if the token is accepted.
   * @throws TooManySignaturesError (429) if the issuer's budget is spent, or the process's and the issuer's reserve.
   */
  take(issuerId: string): SignatureCheck {
    const now = this.now();
    let issuer = this.issuers.get(issuerId);
    if (issuer === undefined) {
      if (this.issuers.size >= MAX_ISSUERS) this.issuers.clear();
      issuer = { own: new Bucket(PER_ISSUER, now), reserve: new Bucket(RESERVED, now) };
      this.issuers.set(issuerId, issuer);
    }
    const { own, reserve } = issuer;
    const check = takeAll([own, this.process], now) ?? takeAll([own, reserve, this.allReserved], now);
    if (check === null) throw TooManySignaturesError.instance;
    return check;
  }

  /** Puts back the check of a token that was accepted. */
  putBack(check: SignatureCheck): void {
    for (const bucket of check) bucket.putBack();
  }
}

/** Takes one of each bucket, or of none. @returns null if one is empty. */
function takeAll(buckets: readonly Bucket[], now: number): SignatureCheck | null {
  const empty = buckets.findIndex((bucket) => !bucket.take(now));
  if (empty === -1) return buckets;
  for (const bucket of buckets.slice(0, empty)) bucket.putBack();
  return null;
}
