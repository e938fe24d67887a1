import { STATUS_CODES } from 'node:http';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { readVersion } from '../config/package-version.js';
import { describeForms } from './describe-forms.js';
import { describeIds } from './describe-ids.js';
import { describeProblems } from './describe-problems.js';
import { operationsOf } from './operations.js';

/** Serves the API's description: a page at `/docs`, OpenAPI 3 at `/docs/openapi.json`. */
export function serveDocs(app: NestFastifyApplication): void {
  // Created at the first request: the start does not wait for it.
  SwaggerModule.setup('docs', app, () => describeApi(app), {
    jsonDocumentUrl: 'docs/openapi.json',
    yamlDocumentUrl: 'docs/openapi.yaml',
    customSiteTitle: 'Pixseal API',
  });
}

/** Tags of routes, in the order of the document. */
const TAGS: readonly (readonly [name: string, description: string])[] = [
  ['images', 'The redirect, and the images it leads to.'],
  ['deliveries', 'The Locations of many redirects at once.'],
  ['issuers', 'Tenants, and the keys that sign their tokens.'],
  ['accounts', 'Cloudinary accounts beside that of `CLOUDINARY_URL`, and their secrets.'],
  ['revocations', 'Tokens and sessions that are no longer accepted.'],
  ['overlays', 'Images that a step places over an image.'],
  ['retained-public-ids', 'Public ids that only their last issuer may register.'],
  ['admin-keys', 'Keys of the admin API.'],
  ['audit', 'Who wrote what.'],
  ['usage', 'Redirects and refusals by hour.'],
  ['cloudinary', 'Cloudinary’s notifications about the account’s assets.'],
  ['health', 'For load balancers and orchestrators.'],
  ['metrics', 'For Prometheus.'],
];

/** The OpenAPI document of an application's routes. */
export function describeApi(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Pixseal')
    .setDescription(
      'Token-sealed image delivery. Every error is `application/problem+json` (RFC 9457) with a stable `code`.',
    )
    .setVersion(readVersion())
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'This service.')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      description: 'An admin key: one of ADMIN_API_KEYS, or one that was created at /admin/admin-keys.',
    });
  for (const tag of TAGS) config.addTag(...tag);
  const document = SwaggerModule.createDocument(app, config.build(), { operationIdFactory: nameOperation });
  describeForms(document);
  describeIds(document);
  describeProblems(document);
  for (const { operation } of operationsOf(document)) {
    operation.security ??= [];
    for (const [status, answer] of Object.entries(operation.responses)) {
      if (answer !== undefined && 'description' in answer) answer.description ||= STATUS_CODES[status] ?? '';
    }
  }
  return document;
}

/** `IssuersController.addKey` is `issuers.addKey`. */
function nameOperation(controller: string, method: string): string {
  const feature = controller.replace(/(?:Admin)?Controller$/, '');
  return `${feature.charAt(0).toLowerCase()}${feature.slice(1)}.${method}`;
}
