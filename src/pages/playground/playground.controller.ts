import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { PagesService } from '../pages.service.js';
import { describeVocabulary } from './describe-vocabulary.js';
import type { VocabularyDocument } from './vocabulary.document.js';

const VOCABULARY = describeVocabulary();

/** A page that composes and signs tokens in the browser, and the data it needs: no rows and no secrets. */
@ApiExcludeController()
@Controller('playground')
export class PlaygroundController {
  constructor(private readonly pages: PagesService) {}

  @Get()
  page(@Res() reply: FastifyReply): void {
    reply.headers(this.pages.headers).send(this.pages.page('playground'));
  }

  @Get('vocabulary.json')
  @Header('Cache-Control', 'no-cache')
  vocabulary(): VocabularyDocument {
    return VOCABULARY;
  }
}
