import type { Account } from '../domain/account.js';
import type { Policy } from '../policy/policy.js';
import type { TokenIssuer } from '../tokens/signing-key.js';

/** The part of an issuer that a redirect needs. */
export interface Issuer extends TokenIssuer {
  /** The URL from which further public keys are fetched; null if the issuer has no such URL. */
  readonly jwksUrl: string | null;
  /** The Cloudinary account that delivers its images; null if it cannot be used, and then nothing is delivered. */
  readonly account: Account | null;
  /** The id of the account's row; null for the account of the environment. */
  readonly accountId: string | null;
  /** Extension of every delivered URL, `jpg` by default. */
  readonly deliveryFormat: string;
  /** Its tokens' policy; null if the stored policy is unreadable, and then nothing is delivered. */
  readonly policy: Policy | null;
}
