const KIB = 1024;

/** Limits of a request, as Fastify's options; bytes and milliseconds. */
export const REQUEST_LIMITS = {
  bodyLimit: 64 * KIB,
  // The handler checks the form of an id, not the router.
  routerOptions: { maxParamLength: 16 * KIB },
  requestTimeout: 30_000,
  http: {
    // Request line and headers together: more than a token of 8 KiB needs.
    maxHeaderSize: 16 * KIB,
    headersTimeout: 10_000,
    // Node's default is 30 s.
    connectionsCheckingInterval: 1_000,
    // From Node 24.12: a request without a body is not read as a stream, an eighth of a bare server's work.
    optimizeEmptyRequests: true,
    // The request lifecycle checks it: Node's refusal is not a problem document, and is neither counted nor logged.
    requireHostHeader: false,
  },
};

/** Routes with larger bodies: 500 tokens of 8 KiB; a notification of Cloudinary about up to a thousand assets. */
export const BODY_LIMITS: Readonly<Record<string, number>> = {
  '/deliveries': 5 * KIB * KIB,
  '/cloudinary/notifications': KIB * KIB,
  '/cloudinary/notifications/:account_id': KIB * KIB,
};
