import { Module } from '@nestjs/common';
import { CloudinaryUrlService } from './cloudinary-url.service.js';

@Module({ providers: [CloudinaryUrlService], exports: [CloudinaryUrlService] })
export class CloudinaryModule {}
