import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { TokenSigner } from '../../src/tokens/token-signer.js';
import { TokensModule } from '../../src/tokens/tokens.module.js';
import { makeGate, makeIssuer, makeKey, SEED_CLAIMS, verify } from './token-fixtures.js';

describe('TokensModule', () => {
  it('signs tokens that TokenService accepts', async () => {
    const app = await Test.createTestingModule({ imports: [TokensModule] }).compile();
    const token = app.get(TokenSigner).sign(SEED_CLAIMS, makeKey());
    await expect(verify(makeGate(makeIssuer()), token)).resolves.toMatchObject({ key: { id: makeKey().id } });
  });
});
