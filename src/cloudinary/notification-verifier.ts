import { Injectable } from '@nestjs/common';
import { type Account, type AccountSecret, liveSecretsOf } from '../domain/account.js';
import { equalsInConstantTime } from '../domain/constant-time.js';
import { sdk } from './sdk.js';

/** Seconds for which a notification is valid after it was signed: Cloudinary's default. */
const MAX_AGE = 7_200;
/** Seconds by which Cloudinary's clock may be ahead. */
const LEEWAY = 60;
const DIGITS = { sha1: 40, sha256: 64 } as const;

/** A notification as received. */
export interface SignedNotification {
  /** The request's exact body. */
  readonly body: string;
  /** `X-Cld-Timestamp`: Unix seconds. */
  readonly timestamp: string;
  /** `X-Cld-Signature`: hexadecimal. */
  readonly signature: string;
}

/** Verifies that a notification is Cloudinary's and recent. Source: Cloudinary, "Verifying notification signatures". */
@Injectable()
export class NotificationVerifier {
  /** Whether a notification may be one of Cloudinary's by its timestamp and the form of its signature: no account is needed. */
  isPlausible({ timestamp, signature }: SignedNotification): boolean {
    // The SDK compares numbers: NaN would never be too old. Body and timestamp are signed as one string, so digits of a
    // timestamp of another length could belong to the body.
    if (!/^[1-9]\d{9}$/.test(timestamp)) return false;
    const age = Date.now() / 1_000 - Number(timestamp);
    // The SDK accepts a timestamp of next year, which would be valid for a year.
    if (age < -LEEWAY || age > MAX_AGE) return false;
    return /^[0-9a-f]+$/.test(signature) && Object.values<number>(DIGITS).includes(signature.length);
  }

  /** Whether it was signed with one of the account's active API secrets within the last two hours. */
  isGenuine(account: Account, signed: SignedNotification): boolean {
    if (!this.isPlausible(signed)) return false;
    const { body, signature } = signed;
    const at = Number(signed.timestamp);
    const algorithm = algorithmOf(account, signature);
    if (algorithm === null) return false;
    return candidatesOf(account, body).some(({ apiSecret }) => {
      const options = { api_secret: apiSecret, signature_algorithm: algorithm } as const;
      // The SDK compares with `===`, which is not constant-time: it only receives equal signatures.
      if (!equalsInConstantTime(signature, sdk().utils.webhook_signature(body, at, options))) return false;
      // The SDK reads secret and algorithm only from its global configuration; nothing is awaited in between.
      sdk().config(options);
      return sdk().utils.verifyNotificationSignature(body, at, signature, MAX_AGE);
    });
  }
}

/** The account's secrets: first the one whose API key the body names, which is only a hint before it is verified. */
function candidatesOf(account: Account, body: string): readonly AccountSecret[] {
  const secrets = liveSecretsOf(account);
  if (secrets.length === 1) return secrets;
  const hint = /"signature_key"\s*:\s*"([\w-]{1,64})"/.exec(body)?.[1] ?? '';
  const named = secrets.filter(({ apiKey }) => equalsInConstantTime(apiKey, hint));
  return [...named, ...secrets.filter((secret) => !named.includes(secret))];
}

/** Chosen by the signature's length; SHA-1 is refused if the account no longer uses it. */
function algorithmOf(account: Account, signature: string): keyof typeof DIGITS | null {
  if (signature.length === DIGITS.sha256) return 'sha256';
  return signature.length === DIGITS.sha1 && account.signature !== 'sha256' ? 'sha1' : null;
}
