/** `pixseal/client`: seals tokens and asks for deliveries, in Node, browsers and edge runtimes alike. */
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
export { sealToken, type Seal } from './seal-token.js';
export type { Step, TextLayer } from './step.js';
