import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { GalleryModule } from './gallery.module.js';

const app = await NestFactory.create(GalleryModule);
app.enableShutdownHooks();
await app.listen(Number(process.env['PORT'] ?? 4001), '127.0.0.1');
console.log(await app.getUrl());
