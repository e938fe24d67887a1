import { TooManySignaturesError } from './token.errors.js';

/** Refused tokens a second whose public-key signature is checked: at 130 µs a check, a seventh of a core. */
const PER_PROCESS = 1_000;
const PER_ISSUER = 500;
/** Those of each issuer that forgeries of other issuers cannot take away. */
const RESERVED = 20;
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

/**
 * Bounds the checks of public-key signatures that a flood of forged tokens costs: a check takes 20 times as long as an
 * HMAC. A token that is accepted gets its check back, so that only refused tokens count.
 */
export class SignatureBudget {
  private readonly process: Bucket;
  private readonly issuers = new Map<string, { readonly own: Bucket; readonly reserve: Bucket }>();

  /** @param now Milliseconds of a monotonic clock. */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.process = new Bucket(PER_PROCESS, now());
  }

  /** Takes one check. @throws TooManySignaturesError (429) if the issuer's or the process's budget is spent. */
  take(issuerId: string): void {
    const now = this.now();
    let issuer = this.issuers.get(issuerId);
    if (issuer === undefined) {
      if (this.issuers.size >= MAX_ISSUERS) this.issuers.clear();
      issuer = { own: new Bucket(PER_ISSUER, now), reserve: new Bucket(RESERVED, now) };
      this.issuers.set(issuerId, issuer);
    }
    if (!issuer.own.take(now)) throw TooManySignaturesError.instance;
    if (this.process.take(now) || issuer.reserve.take(now)) return;
    issuer.own.putBack();
    throw TooManySignaturesError.instance;
  }

  /** Puts back the check of a token that was accepted. */
  putBack(issuerId: string): void {
    this.process.putBack();
    this.issuers.get(issuerId)?.own.putBack();
  }
}
