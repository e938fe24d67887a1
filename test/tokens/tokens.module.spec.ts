import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { IssuerFinder } from '../../src/issuers/issuer.js';
import { RevocationFinder } from '../../src/revocations/revocation.js';
import { TokenSigner } from '../../src/tokens/token-signer.js';
import { TokenService } from '../../src/tokens/token.service.js';
import { TokensModule } from '../../src/tokens/tokens.module.js';
import {
  FixedIssuers,
  FixedRevocations,
  makeIssuer,
  makeKey,
  SEED_CLAIMS,
  verify,
} from './token-fixtures.js';

@Global()
@Module({
  providers: [
    { provide: IssuerFinder, useValue: new FixedIssuers([makeIssuer()]) },
    { provide: RevocationFinder, useValue: new FixedRevocations() },
  ],
  exports: [IssuerFinder, RevocationFinder],
})
class FixedIssuersModule {}

describe('TokensModule', () => {
  it('verifies what it seals, against the global IssuerFinder', async () => {
    const app = await Test.createTestingModule({ imports: [FixedIssuersModule, TokensModule] }).compile();
    const token = app.get(TokenSigner).sign(SEED_CLAIMS, makeKey());
    await expect(verify(app.get(TokenService), token)).resolves.toMatchObject({ key: { id: makeKey().id } });
  });
});
