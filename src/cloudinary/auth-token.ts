import { sdk } from './sdk.js';

/**
 * `__cld_token__=…` for one path. Source: Cloudinary, "Token-based authentication".
 * @param key Hexadecimal.
 * @param path As a browser sends it.
 * @param period Unix seconds; `start` is null for a token that has always started.
 */
export function authTokenOf(
  key: string,
  path: string,
  { start, expiration }: { readonly start: number | null; readonly expiration: number },
): string {
  return sdk().utils.generate_auth_token({
    key,
    expiration,
    ...(start === null ? {} : { start_time: start }),
    url: path,
    // The SDK's types require an ACL; the SDK itself accepts a URL instead, and ignores an ACL of null.
    acl: null as unknown as string,
  });
}
