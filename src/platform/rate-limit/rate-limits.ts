import { Inject, Injectable, Logger } from '@nestjs/common';
import { ENVIRONMENT } from '../config/config.module.js';
import type { Environment } from '../config/environment.js';
import { addressKey } from './address-key.js';
import { TooManyRequestsError } from './limits.errors.js';
import { perMinute, type Rate, RateLimitStorage, retryDelay } from './rate-limit.storage.js';

/** The limits of `RATE_LIMIT_ADDRESS` and `RATE_LIMIT_ISSUER`. */
@Injectable()
export class RateLimits {
  private readonly logger = new Logger(RateLimits.name);
  private unknownWarned = false;
  private readonly perAddress: Rate | null;
  private readonly perIssuer: Rate | null;

  constructor(
    private readonly storage: RateLimitStorage,
    @Inject(ENVIRONMENT) environment: Pick<Environment, 'rateLimitAddress' | 'rateLimitIssuer'>,
  ) {
    this.perAddress = rateOf(environment.rateLimitAddress);
    this.perIssuer = rateOf(environment.rateLimitIssuer);
  }

  /** Whether addresses are counted at all. */
  get countsAddresses(): boolean {
    return this.perAddress !== null;
  }

  /**
   * @param address As received from a proxy; clients without a valid one share an allowance, otherwise a client could
   *   invent one.
   * @throws TooManyRequestsError (429)
   */
  consumeAddress(address: string | undefined, cost = 1): void {
    if (this.perAddress === null || cost === 0) return;
    const key = addressKey(address);
    if (key === null && address !== undefined) this.warnOfUnknown();
    this.consume('address', key ?? UNKNOWN, this.perAddress, cost);
  }

  /**
   * @param own The issuer's own limit, by its policy; null for none. The lower one applies.
   * @throws TooManyRequestsError (429)
   */
  consumeIssuer(issuerId: string, own: Rate | null): void {
    const { perIssuer } = this;
    const rate = own === null || (perIssuer !== null && perIssuer.limit < own.limit) ? perIssuer : own;
    if (rate !== null) this.consume('issuer', issuerId, rate, 1);
  }

  private warnOfUnknown(): void {
    if (this.unknownWarned) return;
    this.unknownWarned = true;
    this.logger.warn(
      'A trusted proxy sent an X-Forwarded-For without the IP address of the client: such clients share one rate ' +
        'limit, and their wrong admin keys are not counted. Configure the proxy to write the address',
    );
  }

  private consume(scope: 'address' | 'issuer', name: string, rate: Rate, cost: number): void {
    // At most a whole allowance: otherwise a gallery of 500 would block its client for hours at a low rate.
    const { refused, backlog } = this.storage.consume(`${scope}:${name}`, rate, Math.min(cost, rate.limit));
    if (refused) throw new TooManyRequestsError(scope, retryDelay(backlog, rate));
  }
}

/** The key of clients without an address. */
const UNKNOWN = 'unknown';

const rateOf = (limit: number): Rate | null => (limit === 0 ? null : perMinute(limit));
