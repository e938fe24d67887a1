import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Inject, Injectable } from '@nestjs/common';
import type { UploadApiErrorResponse, UploadApiResponse } from 'cloudinary';
import { ENVIRONMENT } from '../platform/config/config.module.js';
import type { CloudinarySettings, Environment } from '../platform/config/environment.js';
import type { DeliveryType } from '../domain/image.js';
import { Tracing } from '../platform/observability/tracing.js';
import { withDeadline } from '../platform/deadline.js';
import { sdk } from './sdk.js';
import { UploadFailedError } from './upload.errors.js';

const MAX_MESSAGE_LENGTH = 300;

/** What Cloudinary answers of an asset. */
export interface UploadedAsset {
  readonly version: number;
  readonly format: string;
  /** MD5 of the asset's content, hexadecimal. */
  readonly etag: string;
  /** Whether it was there before, and was left as it is. */
  readonly existing: boolean;
}

/** Sends originals to the account, with the SDK. */
@Injectable()
export class CloudinaryUploader {
  private readonly settings: CloudinarySettings;

  constructor(
    private readonly tracing: Tracing,
    @Inject(ENVIRONMENT) environment: Pick<Environment, 'cloudinary'>,
  ) {
    this.settings = environment.cloudinary;
  }

  /** @throws UploadFailedError (422, 502, 503, 504) with Cloudinary's message. */
  upload(
    name: { readonly publicId: string; readonly deliveryType: DeliveryType },
    content: Buffer,
    options: { readonly overwrite: boolean },
  ): Promise<UploadedAsset> {
    return this.tracing.run('upload to Cloudinary', () => this.send(name, content, options));
  }

  private async send(
    { publicId, deliveryType }: Parameters<CloudinaryUploader['upload']>[0],
    content: Buffer,
    { overwrite }: Parameters<CloudinaryUploader['upload']>[2],
  ): Promise<UploadedAsset> {
    const { apiKey, apiSecret, cloudName, uploadPrefix, uploadTimeout } = this.settings;
    if (apiKey === null) {
      throw new UploadFailedError(502, 'There is no account to upload to. Set CLOUDINARY_URL.');
    }
    // The SDK chooses https once and for all when it is loaded; an agent of the prefix's own protocol overrules it.
    const agent = uploadPrefix.startsWith('http:') ? new HttpAgent() : new HttpsAgent();
    const { promise, resolve, reject } = withResolvers<UploadApiResponse>();
    const stream = sdk().uploader.upload_stream(
      {
        public_id: publicId,
        resource_type: 'image',
        type: deliveryType,
        overwrite,
        // Pictures that the CDN made of the original before.
        ...(overwrite ? { invalidate: true } : {}),
        cloud_name: cloudName,
        api_key: apiKey,
        api_secret: apiSecret,
        signature_algorithm: 'sha1',
        upload_prefix: uploadPrefix,
        timeout: uploadTimeout,
        agent,
        extra_headers: this.tracing.headers(),
        // The SDK would also reject a promise that nobody can reach, which ends the process.
        disable_promises: true,
      },
      (error, response) => {
        if (response === undefined) reject(this.describeFailure(error));
        else resolve(response);
      },
    );
    stream.on('error', () => undefined);
    stream.end(content);
    try {
      // The SDK's own timeout is of silence: a response that drips would never end.
      const response = await withDeadline(promise, uploadTimeout, () => {
        throw new UploadFailedError(504, 'Cloudinary did not answer in time. Try again.');
      });
      return readResponse(response, publicId);
    } finally {
      agent.destroy();
    }
  }

  private describeFailure(error: UploadApiErrorResponse | Error | undefined): UploadFailedError {
    const { http_code: status = 0 } = (error ?? {}) as { http_code?: number };
    const message = this.clean(error?.message ?? '');
    switch (status) {
      case 400:
        return new UploadFailedError(422, `Cloudinary refuses the original: ${message}`);
      case 420:
      case 429:
        return new UploadFailedError(503, `Cloudinary takes no more uploads now: ${message}`);
      case 499:
        return new UploadFailedError(504, 'Cloudinary did not answer in time. Try again.');
      case 401:
      case 403:
      case 404:
        return new UploadFailedError(
          502,
          `Cloudinary refuses the account of CLOUDINARY_URL (${status}): ${message}`,
        );
      default:
        return new UploadFailedError(502, `Cloudinary cannot be reached or failed: ${message}`);
    }
  }

  /** One line, bounded, and without what it may have echoed. */
  private clean(message: string): string {
    const { apiSecret } = this.settings;
    return message
      .replaceAll(apiSecret, '…')
      .replaceAll(/\p{C}+/gu, ' ')
      .slice(0, MAX_MESSAGE_LENGTH);
  }
}

/** @throws UploadFailedError (502) for an answer that is not of the asset. */
function readResponse(response: Partial<UploadApiResponse>, publicId: string): UploadedAsset {
  const { version, format, etag } = response;
  const valid =
    response.public_id === publicId &&
    Number.isSafeInteger(version) &&
    typeof format === 'string' &&
    /^[a-z0-9]{1,10}$/.test(format);
  if (!valid) throw new UploadFailedError(502, 'Cloudinary answered something else than the asset.');
  return {
    version: Number(version),
    format,
    etag: typeof etag === 'string' ? etag : '',
    existing: response['existing'] === true,
  };
}

/** `Promise.withResolvers`, which Node has from 22 on. */
function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
