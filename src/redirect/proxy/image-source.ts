import type { RequestSpan } from '../../platform/observability/tracing.js';
import { BLANK_IMAGE } from '../blank-image.js';

/** An image in memory. */
export interface SourcedImage {
  readonly contentType: string;
  readonly body: Buffer;
  /** An entity tag with its quotes. */
  readonly etag: string;
}

export interface SourceRequest {
  /** The path of the renderer. */
  readonly target: string;
  readonly accept: string | undefined;
  /** Null unless the request is sampled for a trace. */
  readonly span: RequestSpan | null;
}

/** Supplies proxied images in the modes that have no account. */
export abstract class ImageSource {
  /** @param signal Aborted when the client has disconnected. @throws ProblemError as the proxy does. */
  abstract fetch(request: SourceRequest, signal: AbortSignal): Promise<SourcedImage>;
}

/** Mode `blank`: one image for every request. */
export class BlankSource extends ImageSource {
  fetch(): Promise<SourcedImage> {
    return Promise.resolve({ contentType: 'image/jpeg', body: BLANK_IMAGE, etag: '"blank"' });
  }
}
