// Its careful twin: Nest on Fastify, the key made once, rows in an LRU.
import 'reflect-metadata';
import { createSecretKey, type KeyObject } from 'node:crypto';
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
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import jwt from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import { DataSource } from 'typeorm';
import { OwnImageEntity, OwnIssuerEntity, OwnOverlayEntity } from './own-rows.entity.js';
import { openRows, ownBody, type OwnClaims, ownHeaders, ownUrl } from './own-redirect.js';

const LIVE = { max: 50_000, ttl: 60_000 };

@Controller('images')
class ImagesController {
  private readonly keys = new LRUCache<string, KeyObject>(LIVE);
  private readonly images = new LRUCache<string, OwnImageEntity>(LIVE);
  private readonly overlays = new LRUCache<string, OwnOverlayEntity>(LIVE);

  constructor(private readonly rows: DataSource) {}

  @Get(':image_id')
  async redirect(
    @Param('image_id') imageId: string,
    @Query('token') token: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const startedAt = performance.now();
    const claims = await this.verify(token);
    const image = await this.findImage(imageId, claims.iss);
    if (image === null) throw new NotFoundException();
    const ids = claims.transformations.flatMap(({ overlay }) => overlay ?? []);
    const overlays = await Promise.all(ids.map((id) => this.findOverlay(id, claims.iss)));
    const url = ownUrl(
      image,
      claims.transformations,
      overlays.filter((overlay) => overlay !== null),
    );
    await reply.code(302).headers(ownHeaders(startedAt)).header('Location', url).send(ownBody(url));
  }

  private async verify(token: string): Promise<OwnClaims> {
    const unverified = jwt.decode(token) as OwnClaims | null;
    const key = unverified && (await this.findKey(unverified.iss));
    if (key === null) throw new UnauthorizedException();
    return jwt.verify(token, key, { algorithms: ['HS256'] }) as unknown as OwnClaims;
  }

  private async findKey(id: string): Promise<KeyObject | null> {
    const known = this.keys.get(id);
    if (known !== undefined) return known;
    const row = await this.rows.getRepository(OwnIssuerEntity).findOneBy({ id });
    const key = row && createSecretKey(Buffer.from(row.secret));
    if (key !== null) this.keys.set(id, key);
    return key;
  }

  private async findImage(id: string, issuerId: string): Promise<OwnImageEntity | null> {
    const known = this.images.get(`${issuerId}/${id}`);
    if (known !== undefined) return known;
    const row = await this.rows.getRepository(OwnImageEntity).findOneBy({ id, issuerId });
    if (row !== null) this.images.set(`${issuerId}/${id}`, row);
    return row;
  }

  private async findOverlay(id: string, issuerId: string): Promise<OwnOverlayEntity | null> {
    const known = this.overlays.get(`${issuerId}/${id}`);
    if (known !== undefined) return known;
    const row = await this.rows.getRepository(OwnOverlayEntity).findOneBy({ id, issuerId });
    if (row !== null) this.overlays.set(`${issuerId}/${id}`, row);
    return row;
  }
}

@Module({
  controllers: [ImagesController],
  providers: [{ provide: DataSource, useFactory: openRows }],
})
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), {
  logger: ['error'],
});
await app.listen(Number(process.env['PORT']), '127.0.0.1');
