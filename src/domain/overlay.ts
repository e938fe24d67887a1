import { accountIdOf } from './account.js';
import type { DeliveryType } from './image.js';

/** The columns of an overlay that a redirect needs: an image used as a layer, or the font file of a text. */
export interface Overlay {
  readonly id: string;
  readonly issuerId: string;
  readonly publicId: string;
  readonly deliveryType: DeliveryType;
  /** Whether policies of other issuers of its account may use it. */
  readonly shared: boolean;
  /** The account of its issuer, as in `accountIdOf`. */
  readonly accountId: string;
}

/** Whether an overlay exists for an issuer: its own, or one that its account shares, which only its policy may use. */
export function isVisible(
  { issuerId, shared, accountId }: Overlay,
  issuer: { readonly id: string; readonly accountId: string | null },
): boolean {
  return issuerId === issuer.id || (shared && accountId === accountIdOf({ id: issuer.accountId }));
}
