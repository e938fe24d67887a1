import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Injectable } from '@nestjs/common';
import type { UploadApiErrorResponse, UploadApiResponse } from 'cloudinary';
import type { Account } from '../domain/account.js';
import type { DeliveryType } from '../domain/image.js';
import { currentContext } from '../platform/actor/actor.js';
import { runInSpan, type TraceHeaders } from '../platform/observability/tracing.js';
import { withDeadline } from '../platform/deadline.js';
import { sdk } from './sdk.js';
import { UploadFailedError } from './upload.errors.js';

const MAX_MESSAGE_LENGTH = 300;

/** Cloudinary's response to an upload. */
export interface UploadedAsset {
  readonly version: number;
  readonly format: string;
  /** MD5 of the asset's content, in hexadecimal. */
  readonly etag: string;
  /** Whether the asset existed already and was left unchanged. */
  readonly existing: boolean;
}

/** Uploads originals to the account with the SDK. */
@Injectable()
export class CloudinaryUploader {
  /** @throws UploadFailedError (422, 502, 503, 504) with Cloudinary's message. */
  upload(
    account: Account,
    name: { readonly publicId: string; readonly deliveryType: DeliveryType },
    file: { readonly content: Buffer; readonly filename: string | null },
    options: { readonly overwrite: boolean },
  ): Promise<UploadedAsset> {
    return runInSpan(currentContext()?.span ?? null, 'upload to Cloudinary', (headers) =>
      this.send(account, name, file, options, headers),
    );
  }

  private async send(
    account: Account,
    { publicId, deliveryType }: Parameters<CloudinaryUploader['upload']>[1],
    { content, filename }: Parameters<CloudinaryUploader['upload']>[2],
    { overwrite }: Parameters<CloudinaryUploader['upload']>[3],
    headers: TraceHeaders,
  ): Promise<UploadedAsset> {
    const { apiKey, apiSecret, cloudName, signature, uploadPrefix, uploadTimeout } = account;
    if (apiKey === null) {
      throw new UploadFailedError(502, 'No account is configured for uploads. Set CLOUDINARY_URL.');
    }
    // The SDK chooses https when it is loaded; an agent of the prefix's own protocol overrides that.
    const agent = uploadPrefix.startsWith('http:') ? new HttpAgent() : new HttpsAgent();
    const { promise, resolve, reject } = withResolvers<UploadApiResponse>();
    const stream = sdk().uploader.upload_stream(
      {
        public_id: publicId,
        resource_type: 'image',
        type: deliveryType,
        overwrite,
        ...(filename === null ? {} : { filename: encodeFilename(filename) }),
        // Images that the CDN derived from the previous original.
        ...(overwrite ? { invalidate: true } : {}),
        cloud_name: cloudName,
        api_key: apiKey,
        api_secret: apiSecret,
        // An account can be limited to SHA-256; every account accepts it.
        signature_algorithm: signature === 'sha1' ? 'sha1' : 'sha256',
        upload_prefix: uploadPrefix,
        timeout: uploadTimeout,
        agent,
        extra_headers: headers,
        // The SDK would also reject an unreachable promise, which ends the process.
        disable_promises: true,
      },
      (error, response) => {
        if (response === undefined) reject(describeFailure(error, account));
        else resolve(response);
      },
    );
    stream.on('error', () => undefined);
    stream.end(content);
    try {
      // The SDK's own timeout applies to silence only: a slow but steady response would never time out.
      const response = await withDeadline(promise, uploadTimeout, () => {
        throw new UploadFailedError(504, 'Cloudinary did not respond in time. Try again.');
      });
      return readResponse(response, publicId);
    } finally {
      agent.destroy();
    }
  }
}

/** The SDK writes the name into a quoted string, one byte for each character. */
const encodeFilename = (filename: string): string =>
  Buffer.from(filename.replace(/["\\\p{C}]/gu, '_')).toString('latin1');

function describeFailure(
  error: UploadApiErrorResponse | Error | undefined,
  account: Account,
): UploadFailedError {
  const { http_code: status = 0 } = (error ?? {}) as { http_code?: number };
  const message = clean(error?.message ?? '', account);
  switch (status) {
    case 400:
      return new UploadFailedError(422, `Cloudinary refused the original: ${message}`);
    case 420:
    case 429:
      return new UploadFailedError(503, `Cloudinary accepts no uploads at present: ${message}`);
    case 499:
      return new UploadFailedError(504, 'Cloudinary did not respond in time. Try again.');
    case 401:
    case 403:
    case 404:
      return new UploadFailedError(
        502,
        `Cloudinary refused the account ${account.cloudName} (${status}): ${message}`,
      );
    default:
      return new UploadFailedError(502, `Cloudinary is unreachable or failed: ${message}`);
  }
}

/** One bounded line, without secrets that it may echo. */
function clean(message: string, { apiSecret }: Account): string {
  return message
    .replaceAll(apiSecret, '…')
    .replaceAll(/\p{C}+/gu, ' ')
    .slice(0, MAX_MESSAGE_LENGTH);
}

/** @throws UploadFailedError (502) if the response does not describe the asset. */
function readResponse(response: Partial<UploadApiResponse>, publicId: string): UploadedAsset {
  const { version, format, etag } = response;
  const valid =
    response.public_id === publicId &&
    Number.isSafeInteger(version) &&
    typeof format === 'string' &&
    /^[a-z0-9]{1,10}$/.test(format);
  if (!valid) throw new UploadFailedError(502, 'Cloudinary’s response does not describe the asset.');
  return {
    version: Number(version),
    format,
    etag: typeof etag === 'string' ? etag : '',
    existing: response['existing'] === true,
  };
}

/** `Promise.withResolvers`, which Node has from version 22. */
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
