import { Validator } from '@seriousme/openapi-schema-validator';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import type { OpenAPIObject } from '@nestjs/swagger';
import { format, resolveConfig } from 'prettier';
import { beforeAll, describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../src/domain/problems.js';
import { operationsOf } from '../../src/platform/openapi/operations.js';
import { responsesOf, readApiDocument, type Schema } from '../support/api-document.js';
import { writeErrors } from './write-errors.js';
import { writeEnvExample, writeSettings } from './write-settings.js';
import { writeVocabulary } from './write-vocabulary.js';

/** Exceptions from Redocly's recommended rules: it regards the 3xx of redirects as failures. */
const LINT = {
  'operation-2xx-response': 'off',
  'operation-4xx-problem-details-rfc7807': 'error',
  'operation-tag-defined': 'error',
  'parameter-description': 'error',
} as const;

let document: OpenAPIObject;
beforeAll(async () => {
  document = await readApiDocument();
});

// `npm run docs:build` writes the files again.
describe('a generated document', () => {
  it.each([
    ['docs/vocabulary.md', writeVocabulary],
    ['docs/errors.md', writeErrors],
    ['docs/settings.md', writeSettings],
    ['.env.example', writeEnvExample],
  ])('%s has all of its table', async (path, write) => {
    await expect(write()).toMatchFileSnapshot(`../../${path}`);
  });

  it('docs/openapi.json is what the service serves at /docs/openapi.json', async () => {
    const path = 'docs/openapi.json';
    // As Prettier writes it, since `npm run check` checks it.
    const options = { ...(await resolveConfig(path)), filepath: path };
    const formatted = await format(JSON.stringify(document), options);
    await expect(formatted).toMatchFileSnapshot(`../../${path}`);
  });
});

describe('the OpenAPI document', () => {
  it('is valid', async () => {
    await expect(new Validator().validate({ ...structuredClone(document) })).resolves.toStrictEqual({
      valid: true,
    });
  });

  it('has no finding of a linter', async () => {
    const config = await createConfig({ extends: ['recommended-strict'], rules: LINT });
    const found = await lintFromString({ source: JSON.stringify(document), config });
    expect(found.map(({ ruleId, message, location: [at] }) => [ruleId, message, at?.pointer])).toStrictEqual(
      [],
    );
  });

  it('describes every member of every object', () => {
    const bare = Object.entries(document.components?.schemas ?? {}).flatMap(([name, schema]) =>
      Object.entries((schema as Schema).properties ?? {})
        .filter(([, { description = '' }]) => description === '')
        .map(([member]) => `${name}.${member}`),
    );
    expect(bare).toStrictEqual([]);
  });

  it('has one successful response for every operation, with the schema of its body', () => {
    for (const operation of operationsOf(document)) {
      const good = responsesOf(document, operation).filter(({ status }) => Number(status) < 400);
      const { path, method } = operation;
      expect([path, method, good.map(({ status, schema }) => schema !== undefined || status)]).toStrictEqual([
        path,
        method,
        path === '/images/{image_id}'
          ? // An image, a part of it, a redirect, and what the client has already.
            [true, true, '302', '304']
          : [expect.toSatisfy((answer: unknown) => answer === true || answer === '204' || answer === '302')],
      ]);
    }
  });

  it('has every problem of its operations', () => {
    const described = operationsOf(document).flatMap((operation) =>
      responsesOf(document, operation).flatMap(({ codes }) => codes),
    );
    const ofAnyPath = [
      'not_found',
      'method_not_allowed',
      'request_timeout',
      'uri_too_long',
      'internal_error',
    ];
    const ofTheConsole = ['wrong_admin_key'];
    expect([...new Set([...described, ...ofAnyPath, ...ofTheConsole])].sort()).toStrictEqual(
      Object.keys(PROBLEMS).sort(),
    );
  });

  it('gives every problem a status of its own', () => {
    const described = operationsOf(document).flatMap((operation) =>
      responsesOf(document, operation).flatMap(({ status, codes }) =>
        codes.map((code) => `${status} ${code}`),
      ),
    );
    const known = Object.entries(PROBLEMS).flatMap(([code, { statuses }]) =>
      statuses.map((status) => `${status} ${code}`),
    );
    expect(described.length).toBeGreaterThan(100);
    expect(described.filter((each) => !known.includes(each))).toStrictEqual([]);
  });
});
