import { Module } from '@nestjs/common';
import { CloudinaryUrlService } from './cloudinary-url.service.js';
import { UrlVerifier } from './url-verifier.js';

@Module({ providers: [CloudinaryUrlService, UrlVerifier], exports: [CloudinaryUrlService, UrlVerifier] })
export class CloudinaryModule {}
