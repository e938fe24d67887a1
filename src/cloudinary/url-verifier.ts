import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type Account, liveSecretsOf } from '../domain/account.js';
import { equalsInConstantTime } from '../domain/constant-time.js';
import { authTokenOf } from './auth-token.js';

const SHORT = 8;
const LONG = 32;
const AUTH_TOKEN = /^(?:st=(\d{1,12})~)?exp=(\d{1,12})~hmac=[0-9a-f]{64}$/;

/** Verifies signed delivery URLs as Cloudinary does, for mode `local`, where this service delivers the images. */
@Injectable()
export class UrlVerifier {
  /**
   * Whether `s--<signature>--` is the signature of this text. Source: Cloudinary, "Delivery URL signatures": 8
   * characters of SHA-1, or of SHA-256 if the account uses it, or always 32 of SHA-256. As there, every active secret of
   * the account may have signed it.
   */
  isSigned(account: Account, signature: string, signed: string): boolean {
    const algorithm = signature.length === LONG || account.signature !== 'sha1' ? 'sha256' : 'sha1';
    const length = signature.length === LONG ? LONG : SHORT;
    return liveSecretsOf(account).some(({ apiSecret }) => {
      const digest = createHash(algorithm).update(signed).update(apiSecret).digest('base64url');
      return equalsInConstantTime(signature, digest.slice(0, length));
    });
  }

  /**
   * Whether a `__cld_token__` has started, has not expired, and was created for this path. Source: Cloudinary,
   * "Token-based authentication".
   * @param path Of this service: `/<cloud>/image/…`, on a private CDN too, whose tokens are created for `/image/…`.
   */
  isAuthorized({ authToken, privateCdn, cloudName }: Account, token: string, path: string): boolean {
    const [, start = null, end] = AUTH_TOKEN.exec(token) ?? [];
    if (authToken === null || end === undefined) return false;
    const period = { start: start === null ? null : Number(start), expiration: Number(end) };
    const now = Date.now() / 1000;
    if (now < (period.start ?? 0) || now >= period.expiration) return false;
    const signed = privateCdn ? path.slice(1 + cloudName.length) : path;
    return equalsInConstantTime(`__cld_token__=${token}`, authTokenOf(authToken.key, signed, period));
  }
}
