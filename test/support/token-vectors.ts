import { readFileSync } from 'node:fs';
import type { Step } from '../../packages/client/src/step.js';
import type { HmacAlgorithm } from '../../src/tokens/signing-key.js';

/** Claims and the key that signs them, with the token and the URL that every implementation gets from them. */
export interface TokenVector {
  readonly name: string;
  readonly key: { readonly id?: string; readonly algorithm: HmacAlgorithm; readonly secret: string };
  readonly claims: {
    readonly iss: string;
    readonly iat?: number;
    readonly nbf?: number;
    readonly exp: number;
    readonly jti?: string;
    readonly max_uses?: number;
    readonly bind_ip?: readonly string[];
    readonly session_id?: string;
    readonly image_id?: string | readonly string[];
    readonly transformations: readonly Step[];
    readonly sharinpix?: { readonly download?: boolean };
  };
  readonly token: string;
  readonly url: string;
}

/** vectors/tokens.json. The programs of docs/languages.md sign the first and, with its steps, the fourth. */
export const TOKEN_VECTORS = JSON.parse(readFileSync('vectors/tokens.json', 'utf8')) as readonly [
  TokenVector,
  ...TokenVector[],
];
