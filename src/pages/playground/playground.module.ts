import { Module } from '@nestjs/common';
import { PagesModule } from '../pages.module.js';
import { PlaygroundController } from './playground.controller.js';

@Module({ imports: [PagesModule], controllers: [PlaygroundController] })
export class PlaygroundModule {}
