import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { describeForms } from '../originals/original-upload.js';

/** Serves the API's description: a page at `/docs`, OpenAPI 3 at `/docs/openapi.json`. */
export function serveDocs(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, describeApi(app), {
    jsonDocumentUrl: 'docs/openapi.json',
    yamlDocumentUrl: 'docs/openapi.yaml',
    customSiteTitle: 'Pixseal API',
  });
}

function describeApi(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Pixseal')
    .setDescription(
      'Token-sealed image delivery. Every error is `application/problem+json` (RFC 9457) with a stable `code`.',
    )
    .setVersion('0.1.0')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      description: 'An admin key: one of ADMIN_API_KEYS, or one that was made at /admin/admin-keys.',
    })
    .build();
  return describeForms(SwaggerModule.createDocument(app, config));
}
