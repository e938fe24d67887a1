/**
 * An image that cannot be rendered. Not a `ProblemError`: this path responds as Cloudinary does, with a status and an
 * `X-Cld-Error` header.
 */
export class RenderError extends Error {
  /** @param status 400: invalid chain, 404: no such original; Cloudinary never uses 422. */
  constructor(
    readonly status: 400 | 401 | 404 | 503,
    message: string,
  ) {
    super(message);
    this.name = 'RenderError';
  }
}
