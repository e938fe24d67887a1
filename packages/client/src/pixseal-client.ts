/** `@pixseal/client`: signs tokens and requests deliveries, in Node, browsers and edge runtimes alike. */
export {
  deliveries,
  PixsealError,
  type Deliver,
  type Delivery,
  type DeliveryItem,
  type Problem,
} from './deliveries.js';
export { readDsn, type Dsn } from './dsn.js';
export { imageUrl, type ImageUrlParts } from './image-url.js';
export * from './sign-token.js';
export type { Step, TextLayer } from './step.js';
export type { PrivateCryptoKey, PrivateJwk, PublicKeyAlgorithm, TokenKey } from './token-key.js';
