import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import { AppModule } from '../../src/app.module.js';
import { readEnvironment } from '../../src/config/environment.js';
import { describeApi } from '../../src/docs/openapi.js';

/** Everything that a service can be asked, whose settings open every route that OpenAPI describes. */
const VARIABLES = {
  DATABASE_URL: 'postgres://127.0.0.1/never-asked',
  CLOUDINARY_URL: 'cloudinary://1:secret@demo',
  ADMIN_API_KEYS: 'a key that opens nothing: never used'.replaceAll(' ', '-'),
  SECRETS_KEY: '00'.repeat(32),
};

/** The OpenAPI document as `/docs/openapi.json` serves it. Nothing is started: Nest only looks at the routes. */
export async function readApiDocument(): Promise<OpenAPIObject> {
  const environment = readEnvironment(VARIABLES, () => {
    throw new Error('Not embedded');
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.for(environment),
    new FastifyAdapter(),
    { preview: true, logger: false, abortOnError: false },
  );
  try {
    return describeApi(app);
  } finally {
    await app.close();
  }
}
