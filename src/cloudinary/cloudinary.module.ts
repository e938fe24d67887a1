import { Module } from '@nestjs/common';
import { CloudinaryUploader } from './cloudinary-uploader.js';
import { CloudinaryUrlService } from './cloudinary-url.service.js';
import { DownloadUrlService } from './download-url.service.js';
import { NotificationVerifier } from './notification-verifier.js';
import { UrlVerifier } from './url-verifier.js';

@Module({
  providers: [
    CloudinaryUrlService,
    DownloadUrlService,
    CloudinaryUploader,
    UrlVerifier,
    NotificationVerifier,
  ],
  exports: [CloudinaryUrlService, DownloadUrlService, CloudinaryUploader, UrlVerifier, NotificationVerifier],
})
export class CloudinaryModule {}
