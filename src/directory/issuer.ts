import type { Policy } from '../policy/policy.js';
import type { TokenIssuer } from '../tokens/signing-key.js';

/** What a redirect needs to know of an issuer. */
export interface Issuer extends TokenIssuer {
  /** Extension of every delivered URL, `jpg` by default. */
  readonly deliveryFormat: string;
  /** What its tokens may do; null where the stored policy cannot be read, and nothing may be delivered. */
  readonly policy: Policy | null;
}
