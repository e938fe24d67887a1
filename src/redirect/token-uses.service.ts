import { Injectable } from '@nestjs/common';
import { Counters, type TokenUse } from '../directory/counters/counters.js';
import { CLOCK_LEEWAY_SECONDS, type TokenClaims } from '../tokens/token-claims.js';
import { InvalidTokenError } from '../tokens/token.errors.js';

/** A use of a token; null if it has no `max_uses`. */
export function useOf({ issuerId, jwtId, maxUses, expiresAt }: TokenClaims): TokenUse | null {
  if (maxUses === null || jwtId === null || expiresAt === null) return null;
  return { issuerId, jwtId, maxUses, expiresAt: (expiresAt + CLOCK_LEEWAY_SECONDS) * 1000 };
}

/** Counts the uses of tokens with `max_uses`, for all replicas. */
@Injectable()
export class TokenUses {
  constructor(private readonly counters: Counters) {}

  /**
   * Counts one use, before anything of the image is sent. A use whose response then fails stays counted.
   * @throws InvalidTokenError (401) if the token is used up
   * @throws CounterUnavailableError, DatabaseUnavailableError (503): without a count nothing is sent.
   */
  async consume(use: TokenUse): Promise<void> {
    if (!(await this.counters.countUse(use))) throw InvalidTokenError.because('used_up');
  }
}
