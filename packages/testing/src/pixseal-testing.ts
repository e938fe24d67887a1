/** `@pixseal/testing`: a service for an integration suite, fixtures and matchers. */
export type {
  CreatedImage,
  CreatedIssuer,
  CreatedOverlay,
  NewImage,
  NewIssuer,
  NewOverlay,
} from './admin-client.js';
export { pixsealMatchers, type PixsealMatchers } from './matchers.js';
export { startPixseal, type EmbeddedPixseal, type StartOptions } from './start-pixseal.js';
