import { createSecretKey } from 'node:crypto';
import { JwtService } from '@nestjs/jwt';
import { jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { HMAC_ALGORITHMS } from '../../src/tokens/signing-key.js';
import { TokenSigner } from '../../src/tokens/token-signer.js';
import {
  makeIssuer,
  makeKey,
  makeSecret,
  makeGate,
  SEED_CLAIMS,
  SEED_HEADER,
  SEED_ISSUER_ID,
  SEED_PAYLOAD,
  verify,
} from './token-fixtures.js';

const signer = new TokenSigner(new JwtService());

describe('TokenSigner', () => {
  it("writes the seed's header and payload byte for byte", () => {
    const token = signer.sign(SEED_CLAIMS, { secret: makeSecret('seed'), algorithm: 'HS256' });
    expect(token.split('.').slice(0, 2)).toStrictEqual([SEED_HEADER, SEED_PAYLOAD]);
  });

  it('signs as `openssl dgst -sha256 -hmac` does', () => {
    const secret = createSecretKey(Buffer.from('pixseal test secret, 32 bytes ok'));
    const token = signer.sign({ iss: SEED_ISSUER_ID }, { secret, algorithm: 'HS256' });
    expect(token).toBe(
      'eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJjZmQzYjQ3Mi1kYmJhLTQwODktYmNlNy1mNWMxZTQxM2I1YzEifQ.hFFOpIXy8v1oYAAAhbzHqjJO9Ye5o4L1BQZ0UOj3YBY',
    );
  });

  it('names a key with an id in `kid`, after typ and alg', () => {
    const [header = ''] = signer.sign(SEED_CLAIMS, makeKey({ id: 'k-1' })).split('.');
    expect(Buffer.from(header, 'base64url').toString()).toBe('{"typ":"JWT","alg":"HS256","kid":"k-1"}');
  });

  it.each([{ iat: 0 }, { iat: 1_700_000_000 }, { iat: 1_700_000_000.5, exp: 1_700_000_060 }, {}])(
    'leaves the times as the caller gave them: %j',
    (times) => {
      const payload = { iss: SEED_ISSUER_ID, ...times };
      const [, segment = ''] = signer.sign(payload, makeKey()).split('.');
      expect(JSON.parse(Buffer.from(segment, 'base64url').toString())).toStrictEqual(payload);
    },
  );

  it.each(HMAC_ALGORITHMS)('signs with %s tokens that TokenService and jose accept', async (algorithm) => {
    const key = makeKey({ algorithm });
    const token = signer.sign(SEED_CLAIMS, key);
    await expect(verify(makeGate(makeIssuer({ keys: [key] })), token)).resolves.toMatchObject({
      key: { id: key.id },
    });
    const { payload } = await jwtVerify(token, key.secret, { algorithms: [algorithm] });
    expect(payload).toStrictEqual(SEED_CLAIMS);
  });
});
