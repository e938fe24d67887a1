/**
 * A picture that cannot be rendered. Not a `ProblemError`: this path speaks as Cloudinary does, with a status and
 * an `X-Cld-Error` header.
 */
export class RenderError extends Error {
  /** @param status 400: the chain, 404: no such original, 422 is never Cloudinary's. */
  constructor(
    readonly status: 400 | 401 | 404 | 503,
    message: string,
  ) {
    super(message);
    this.name = 'RenderError';
  }
}
