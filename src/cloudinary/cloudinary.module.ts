import { Module } from '@nestjs/common';
import { CloudinaryUploader } from './cloudinary-uploader.js';
import { CloudinaryUrlService } from './cloudinary-url.service.js';
import { UrlVerifier } from './url-verifier.js';

@Module({
  providers: [CloudinaryUrlService, CloudinaryUploader, UrlVerifier],
  exports: [CloudinaryUrlService, CloudinaryUploader, UrlVerifier],
})
export class CloudinaryModule {}
