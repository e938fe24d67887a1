/** A picture of an issuer: an image under a chain of transformations, which Cloudinary derives and bills once. */
export interface Picture {
  readonly issuerId: string;
  /** 16 bytes of a digest, as base64url: image and chain of an issuer have one. */
  readonly digest: string;
  /** New pictures of the issuer on one day, at most. */
  readonly budget: number;
}

/** Whether a picture that is paid was counted just now. */
export type PaidPicture = 'new' | 'known';

/** One use of a token with `max_uses`. */
export interface TokenUse {
  readonly issuerId: string;
  /** `jti`. */
  readonly jwtId: string;
  /** `max_uses`. */
  readonly maxUses: number;
  /** When no replica accepts the token any more, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Days for which a picture is not new after it was last seen. */
export const KNOWN_DAYS = 30;

const DAY = 86_400_000;

/** Days since 1970 in UTC. @param now Milliseconds since 1970. */
export const dayOf = (now: number): number => Math.floor(now / DAY);

/** The start of a day, in milliseconds since 1970. */
export const startOfDay = (day: number): number => day * DAY;

/** The end of the day in UTC, in milliseconds since 1970. @param now Likewise. */
export const endOfDay = (now: number): number => startOfDay(dayOf(now) + 1);

/** Counts that all replicas share, each by one atomic step. */
export abstract class Counters {
  /**
   * Counts a picture as new, unless it was seen in the last 30 days; marks it as seen. Repeating it changes nothing.
   * @param day Days since 1970.
   * @returns null if it is new and the budget of the day is spent.
   * @throws CounterUnavailableError, DatabaseUnavailableError (503)
   */
  abstract payPicture(picture: Picture, day: number): Promise<PaidPicture | null>;

  /**
   * Counts a use of a token.
   * @returns false if the token was used `maxUses` times.
   * @throws CounterUnavailableError, DatabaseUnavailableError (503), and then the use may be counted.
   */
  abstract countUse(use: TokenUse): Promise<boolean>;
}
