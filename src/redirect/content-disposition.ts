import { create } from 'content-disposition';
import { settingsOf, type TokenClaims } from '../tokens/token-claims.js';

const LONGEST_NAME = 200;
/** Controls, lone surrogates, line ends, and what would show the rest of a name in another order. */
const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const SEPARATORS = /[/\\]/g;

/**
 * `Content-Disposition` of a proxied image (RFC 6266), named by `sharinpix.filename` under any profile of claims.
 * @param isFile Whether browsers save the image instead of showing it.
 * @param claims Null without a token.
 */
export function dispositionOf(isFile: boolean, claims: TokenClaims | null): string {
  return create(nameOf(claims), { type: isFile ? 'attachment' : 'inline' });
}

function nameOf(claims: TokenClaims | null): string | undefined {
  const { filename } = claims === null ? {} : settingsOf(claims.payload);
  if (typeof filename !== 'string') return undefined;
  const [...characters] = filename
    .replaceAll(UNSAFE, '')
    .replaceAll(SEPARATORS, '_')
    .replace(/^[.\s]+/, '');
  const name = characters.slice(0, LONGEST_NAME).join('').trim();
  return name === '' ? undefined : name;
}
