import { Controller, Get, Header, StreamableFile } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Preflight } from '../platform/http/preflight.js';
import { BLANK_IMAGE } from './blank-image.js';

/** The image that Locations of `blank` mode point to: tests assert the URL after the `#`. */
@ApiExcludeController()
@Controller('assets')
export class BlankImageController {
  /** A `fetch` with `Authorization` follows the redirect with it. */
  @Preflight('blank.jpg')
  preflight(): void {
    // Its headers are the response.
  }

  @Get('blank.jpg')
  @Header('Cache-Control', 'public, max-age=31536000, immutable')
  @Header('Access-Control-Allow-Origin', '*')
  @Header('X-Content-Type-Options', 'nosniff')
  get(): StreamableFile {
    return new StreamableFile(BLANK_IMAGE, { type: 'image/jpeg', length: BLANK_IMAGE.length });
  }
}
