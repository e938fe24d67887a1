import { createSecretKey } from 'node:crypto';
import { JwtService } from '@nestjs/jwt';
import { describe, expect, it } from 'vitest';
import { imageUrl, signToken } from '../../packages/client/src/pixseal-client.js';
import { TokenSigner } from '../../src/tokens/token-signer.js';
import { TOKEN_VECTORS } from '../support/token-vectors.js';
import { makeGate, makeIssuer, makeKey } from './token-fixtures.js';

describe.each(TOKEN_VECTORS)('the vector of $name', ({ key, claims, token, url }) => {
  const secret = createSecretKey(Buffer.from(key.secret));

  it('is signed by the client', async () => {
    const { iss: issuerId, session_id: sessionId, image_id: imageId = 'any', ...others } = claims;
    const { max_uses: maxUses, bind_ip: bindIp, ...rest } = others;
    const options = {
      ...rest,
      issuerId,
      imageId,
      secret: key.secret,
      algorithm: key.algorithm,
      ...(key.id === undefined ? {} : { kid: key.id }),
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(maxUses === undefined ? {} : { maxUses }),
      ...(bindIp === undefined ? {} : { bindIp }),
    };
    expect(await signToken(options)).toBe(token);
    const { origin, pathname } = new URL(url);
    expect(imageUrl({ baseUrl: origin, imageId: pathname.slice('/images/'.length), token })).toBe(url);
  });

  it('is signed and accepted by the service', () => {
    expect(new TokenSigner(new JwtService()).sign({ ...claims }, { ...key, secret })).toBe(token);
    const verify = makeGate(makeIssuer({ id: claims.iss, keys: [makeKey({ ...key, secret })] }));
    expect(verify(token).claims).toMatchObject({
      imageId: typeof claims.image_id === 'string' ? claims.image_id : null,
      imageIds: Array.isArray(claims.image_id) ? claims.image_id : null,
      expiresAt: claims.exp,
      transformations: claims.transformations,
    });
  });
});
