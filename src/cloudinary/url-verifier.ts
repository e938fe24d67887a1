import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Account } from '../domain/account.js';
import { equalsInConstantTime } from '../domain/constant-time.js';
import { sdk } from './sdk.js';

const SHORT = 8;
const LONG = 32;
const AUTH_TOKEN = /^exp=(\d{1,12})~hmac=([0-9a-f]{64})$/;

/** Verifies signed delivery URLs as Cloudinary does, for mode `local`, where this service delivers the images. */
@Injectable()
export class UrlVerifier {
  /**
   * Whether `s--<signature>--` is the signature of this text. Source: Cloudinary, "Delivery URL signatures": 8
   * characters of SHA-1, or of SHA-256 if the account uses it, or always 32 of SHA-256.
   */
  isSigned(account: Account, signature: string, signed: string): boolean {
    const algorithm = signature.length === LONG || account.signature !== 'sha1' ? 'sha256' : 'sha1';
    const length = signature.length === LONG ? LONG : SHORT;
    const digest = createHash(algorithm).update(signed).update(account.apiSecret).digest('base64url');
    return equalsInConstantTime(signature, digest.slice(0, length));
  }

  /**
   * Whether a `__cld_token__` is valid for this path and has not expired. Source: Cloudinary, "Token-based
   * authentication".
   */
  isAuthorized({ authToken }: Account, token: string, path: string): boolean {
    const [, expiration = ''] = AUTH_TOKEN.exec(token) ?? [];
    if (authToken === null || expiration === '' || Number(expiration) * 1000 <= Date.now()) return false;
    const expected = sdk().utils.generate_auth_token({
      key: authToken.key,
      expiration: Number(expiration),
      url: path,
      // The SDK's types require an ACL; the SDK itself accepts a URL instead, and ignores an ACL of null.
      acl: null as unknown as string,
    });
    return equalsInConstantTime(`__cld_token__=${token}`, expected);
  }
}
