// What a user would write first: Nest on Express, the secret as text, three look-ups for each request.
import 'reflect-metadata';
import {
  Controller,
  Get,
  Module,
  NotFoundException,
  Param,
  Query,
  Res,
  UnauthorizedException,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { ServerResponse } from 'node:http';
import jwt from 'jsonwebtoken';
import { DataSource, In } from 'typeorm';
import { OwnImageEntity, OwnIssuerEntity, OwnOverlayEntity } from './own-rows.entity.js';
import { openRows, ownBody, type OwnClaims, ownHeaders, ownUrl } from './own-redirect.js';

/** Express's response, as far as it is used here. */
interface Response extends ServerResponse {
  set(headers: Readonly<Record<string, string>>): this;
  location(url: string): this;
  status(code: number): this;
  send(body: string): this;
}

@Controller('images')
class ImagesController {
  constructor(private readonly rows: DataSource) {}

  @Get(':image_id')
  async redirect(
    @Param('image_id') imageId: string,
    @Query('token') token: string,
    @Res() response: Response,
  ): Promise<void> {
    const startedAt = performance.now();
    const claims = await this.verify(token);
    const image = await this.rows
      .getRepository(OwnImageEntity)
      .findOneBy({ id: imageId, issuerId: claims.iss });
    if (image === null) throw new NotFoundException();
    const ids = claims.transformations.flatMap(({ overlay }) => overlay ?? []);
    const overlays = await this.rows
      .getRepository(OwnOverlayEntity)
      .findBy({ id: In(ids), issuerId: claims.iss });
    const url = ownUrl(image, claims.transformations, overlays);
    response.status(302).set(ownHeaders(startedAt)).location(url).send(ownBody(url));
  }

  private async verify(token: string): Promise<OwnClaims> {
    const unverified = jwt.decode(token) as OwnClaims | null;
    if (unverified === null) throw new UnauthorizedException();
    const issuer = await this.rows.getRepository(OwnIssuerEntity).findOneBy({ id: unverified.iss });
    if (issuer === null) throw new UnauthorizedException();
    return jwt.verify(token, issuer.secret, { algorithms: ['HS256'] }) as unknown as OwnClaims;
  }
}

@Module({
  controllers: [ImagesController],
  providers: [{ provide: DataSource, useFactory: openRows }],
})
class AppModule {}

const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error'] });
await app.listen(Number(process.env['PORT']), '127.0.0.1');
