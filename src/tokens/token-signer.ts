import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { SigningKey } from './signing-key.js';

/** A token's payload. Nothing is added to it: the caller sets `iat` and `exp`, in seconds. */
export interface TokenPayload {
  /** The issuer's id. */
  readonly iss: string;
  readonly [claim: string]: unknown;
}

/** The key to sign with; with an `id`, the header gets a `kid`. */
export type TokenKey = Pick<SigningKey, 'secret' | 'algorithm'> & { readonly id?: string | undefined };

/** Signs tokens, byte for byte as the original API's clients do. For the CLI, the demo and previews. */
@Injectable()
export class TokenSigner {
  constructor(private readonly jwt: JwtService) {}

  /** Signs the payload's JSON, members in their order, under the header `{"typ":"JWT","alg":…}`. */
  sign(payload: TokenPayload, { id, secret, algorithm }: TokenKey): string {
    // Bytes are signed unchanged; jsonwebtoken would set the `iat` of an object, or delete it with `noTimestamp`.
    return this.jwt.sign(Buffer.from(JSON.stringify(payload)), {
      // The type of `secret` is too narrow.
      secret: secret as unknown as Buffer,
      algorithm,
      // jsonwebtoken writes `alg` first; toJSON restores the original API's order.
      header: { alg: algorithm, toJSON: () => ({ typ: 'JWT', alg: algorithm, kid: id }) } as SignedHeader,
    });
  }
}

interface SignedHeader {
  alg: string;
  toJSON: () => object;
}
