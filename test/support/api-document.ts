import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import { AppModule } from '../../src/app.module.js';
import { readEnvironment } from '../../src/platform/config/environment.js';
import { describeApi } from '../../src/platform/openapi/openapi.js';
import type { DescribedOperation } from '../../src/platform/openapi/operations.js';
import { readDefaultPolicy } from '../../src/policy/recommended-policy.js';

/** All routes of a service whose settings enable every route in the OpenAPI document. */
const VARIABLES = {
  DATABASE_URL: 'postgres://127.0.0.1/never-asked',
  CLOUDINARY_URL: 'cloudinary://1:secret@demo',
  ADMIN_API_KEYS: 'a key that opens nothing: never used'.replaceAll(' ', '-'),
  SECRETS_KEY: '00'.repeat(32),
};

/** The OpenAPI document as `/docs/openapi.json` serves it. No service is started: Nest only reads the routes. */
export async function readApiDocument(): Promise<OpenAPIObject> {
  const environment = readEnvironment(
    VARIABLES,
    () => {
      throw new Error('Not embedded');
    },
    readDefaultPolicy,
  );
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

/** A schema of an OpenAPI 3.0 document, with the members that the service uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly pattern?: string;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

/** The targets of `$ref`. */
export type Schemas = Readonly<Record<string, Schema>>;

/** The last segment of a reference. */
const nameOf = (reference: string): string => reference.split('/').at(-1) ?? '';

/** The schema that a reference or an `allOf` resolves to, or the first one of a `oneOf`. */
export function resolve(schema: Schema, schemas: Schemas): Schema {
  if (schema.$ref !== undefined) return resolve(schemas[nameOf(schema.$ref)] ?? {}, schemas);
  const [first] = schema.oneOf ?? [];
  if (first !== undefined) return resolve(first, schemas);
  if (schema.allOf === undefined) return schema;
  const parts = schema.allOf.map((part) => resolve(part, schemas));
  return {
    type: 'object',
    properties: Object.assign({}, ...parts.map(({ properties = {} }) => properties)) as Record<
      string,
      Schema
    >,
    required: parts.flatMap(({ required = [] }) => required),
  };
}

/** A response of an operation. */
export interface DescribedResponse {
  readonly status: string;
  readonly description: string;
  /** The schema of its body; absent without one. */
  readonly schema?: Schema;
  /** The codes of its problems; empty for any other response. */
  readonly codes: readonly string[];
}

/** Every response of an operation in a document. */
export function responsesOf(document: OpenAPIObject, { operation }: DescribedOperation): DescribedResponse[] {
  return Object.entries(operation.responses).map(([status, response = { description: '' }]) => {
    const found = '$ref' in response ? document.components?.responses?.[nameOf(response.$ref)] : response;
    const { content = {}, description } = found as {
      readonly description: string;
      readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
    };
    const [type, { schema }] = Object.entries(content)[0] ?? ['', {}];
    const codes = (schema?.allOf ?? []).flatMap((each) => each.properties?.['code']?.enum ?? []);
    return {
      status,
      description,
      ...(schema === undefined ? {} : { schema }),
      codes: type === 'application/problem+json' ? codes.map(String) : [],
    };
  });
}
