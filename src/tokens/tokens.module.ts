import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { TokenSigner } from './token-signer.js';

/** Provides `TokenSigner`, without a secret: keys are per issuer. */
@Module({
  imports: [JwtModule.register({})],
  providers: [TokenSigner],
  exports: [TokenSigner],
})
export class TokensModule {}
