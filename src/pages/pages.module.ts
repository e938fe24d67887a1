import { Module } from '@nestjs/common';
import { RootController } from './root.controller.js';
import { PagesService } from './pages.service.js';

@Module({ controllers: [RootController], providers: [PagesService], exports: [PagesService] })
export class PagesModule {}
