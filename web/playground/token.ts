import { keepShares } from '../../src/tokens/share-json.js';

/** HMAC algorithms of a JWT, and WebCrypto's names of their digests. */
const DIGESTS = { HS256: 'SHA-256', HS384: 'SHA-384', HS512: 'SHA-512' } as const;
export type Algorithm = keyof typeof DIGESTS;
export const ALGORITHMS = Object.keys(DIGESTS) as readonly Algorithm[];

export type Claims = Readonly<Record<string, unknown>>;

/** A signing key. It stays in this page's memory. */
export interface SigningKey {
  readonly secret: string;
  readonly algorithm: Algorithm;
}

const utf8 = new TextEncoder();

function base64url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64url(part: string): Uint8Array {
  const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

const encode = (json: unknown): string => base64url(utf8.encode(JSON.stringify(json)));

async function hmacOf({ secret, algorithm }: SigningKey, sealed: string): Promise<string> {
  const key = await crypto.subtle.importKey(
    'raw',
    utf8.encode(secret),
    { name: 'HMAC', hash: DIGESTS[algorithm] },
    false,
    ['sign'],
  );
  return base64url(new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8.encode(sealed))));
}

/** Signs claims in the browser. */
export async function signToken(key: SigningKey, claims: Claims): Promise<string> {
  const sealed = `${encode({ typ: 'JWT', alg: key.algorithm })}.${encode(claims)}`;
  return `${sealed}.${await hmacOf(key, sealed)}`;
}

/** WebCrypto is available only on https and on this machine. */
export const canSeal = (): boolean => window.isSecureContext;

/** A decoded token, not verified. */
export interface DecodedToken {
  readonly token: string;
  /** The image of the URL's path, if a URL was given. */
  readonly pathId: string | null;
  readonly header: Claims;
  readonly claims: Claims;
}

/** Why a token cannot be read, for people. */
export class UnreadableTokenError extends Error {}

function decodePart(part: string, name: string): Claims {
  let json: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(fromBase64url(part));
    json = keepShares(text, JSON.parse(text) as unknown, keepStepShares);
  } catch {
    throw new UnreadableTokenError(`Its ${name} is not JSON in base64url: it was truncated or changed.`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new UnreadableTokenError(`Its ${name} is JSON, but not an object.`);
  }
  return json as Claims;
}

/** Keeps fractions (`1.0`) of steps that are signed again. */
function keepStepShares(claims: unknown, withShares: unknown): unknown {
  const steps = (withShares as Claims | null)?.['transformations'];
  return steps === undefined ? claims : { ...(claims as Claims), transformations: steps };
}

/** Decodes a token, alone or in a URL. @throws UnreadableTokenError */
export function decodeToken(given: string): DecodedToken {
  const [, pathId] = /\/images\/([^/?#]+)/.exec(given) ?? [];
  const [, inUrl] = /[?&]token=([^&#\s]*)/.exec(given) ?? [];
  const token = inUrl ?? given.trim();
  const parts = token.split('.');
  const [header = '', payload = ''] = parts;
  if (parts.length !== 3) {
    throw new UnreadableTokenError(
      `A token has three parts, separated by dots; this one has ${parts.length}.`,
    );
  }
  return {
    token,
    pathId: pathId ?? null,
    header: decodePart(header, 'header'),
    claims: decodePart(payload, 'payload'),
  };
}

/** Whether a token was signed with this key. */
export async function isSealedWith(key: SigningKey, { token, header }: DecodedToken): Promise<boolean> {
  const last = token.lastIndexOf('.');
  return (
    header['alg'] === key.algorithm && (await hmacOf(key, token.slice(0, last))) === token.slice(last + 1)
  );
}
