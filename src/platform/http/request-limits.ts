import { TrackedResponse } from './broken-requests.js';

const KIB = 1024;

/** What a request may be at the most, in Fastify's own options; bytes and milliseconds. */
export const REQUEST_LIMITS = {
  bodyLimit: 64 * KIB,
  // The path's id is judged by its form, not cut by the router.
  routerOptions: { maxParamLength: 16 * KIB },
  requestTimeout: 30_000,
  http: {
    // Request line and headers together: a token of 8 KiB fits with room to spare.
    maxHeaderSize: 16 * KIB,
    headersTimeout: 10_000,
    // Node looks for connections that are over their time every 30 s only, if it is not told otherwise.
    connectionsCheckingInterval: 1_000,
    // From Node 24.12 on: a request that announces no body is not read as a stream, an eighth of a bare server's work.
    optimizeEmptyRequests: true,
    // The request lifecycle checks it: Node's own refusal is no problem document, and is neither counted nor logged.
    requireHostHeader: false,
    ServerResponse: TrackedResponse,
  },
};

/** Routes whose bodies may be larger: 500 tokens of 8 KiB; what Cloudinary tells of an asset, or of a thousand. */
export const BODY_LIMITS: Readonly<Record<string, number>> = {
  '/deliveries': 5 * KIB * KIB,
  '/cloudinary/notifications': KIB * KIB,
};
