import { applyDecorators, Header, HttpCode, Options } from '@nestjs/common';
import { ApiExcludeEndpoint } from '@nestjs/swagger';

/**
 * The response to a preflight request (Fetch §4.8) for images: any page may send `Authorization` with its `fetch`, since
 * only a token admits a request, and no cookie is read. Redirects within this service are preflighted again.
 */
export const Preflight = (path: string): MethodDecorator =>
  applyDecorators(
    Options(path),
    HttpCode(204),
    Header('Access-Control-Allow-Origin', '*'),
    Header('Access-Control-Allow-Methods', 'GET, HEAD'),
    // `*` does not include this header.
    Header('Access-Control-Allow-Headers', 'Authorization'),
    Header('Access-Control-Max-Age', '86400'),
    ApiExcludeEndpoint(),
  );
