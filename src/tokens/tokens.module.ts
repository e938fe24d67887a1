import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { TokenSigner } from './token-signer.js';
import { TokenService } from './token.service.js';

/** Verifies and seals tokens. Needs an IssuerFinder from a global module. No secret of its own: keys are per issuer. */
@Module({
  imports: [JwtModule.register({})],
  providers: [TokenService, TokenSigner],
  exports: [TokenService, TokenSigner],
})
export class TokensModule {}
