import { Validator } from '@seriousme/openapi-schema-validator';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import type { OpenAPIObject } from '@nestjs/swagger';
import { format, resolveConfig } from 'prettier';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { operationsOf } from '../../src/platform/openapi/operations.js';
import { answersOf, readApiDocument, type Schema } from '../support/api-document.js';
import { writeApi } from './write-api.js';
import { writeVocabulary } from './write-vocabulary.js';

/** Of a document beside what Redocly recommends; redirects answer with 3xx, which it takes for a failure. */
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

/** As Prettier writes it, since `npm run check` looks at it. */
const formatted = async (text: string, path: string): Promise<string> =>
  format(text, { ...(await resolveConfig(path)), filepath: path });

// `npm run docs:build` writes the files anew.
describe('the documents that are made', () => {
  it('docs/openapi.json is what the service serves at /docs/openapi.json', async () => {
    const path = 'docs/openapi.json';
    await expect(await formatted(JSON.stringify(document), path)).toMatchFileSnapshot(`../../${path}`);
  });

  it('docs/api.md has every route of it', async () => {
    const path = 'docs/api.md';
    await expect(await formatted(writeApi(document), path)).toMatchFileSnapshot(`../../${path}`);
  });

  it('docs/vocabulary.md has everything that a step may contain', async () => {
    const path = 'docs/vocabulary.md';
    await expect(writeVocabulary()).toMatchFileSnapshot(`../../${path}`);
  });
});

describe('the OpenAPI document', () => {
  it('is valid', async () => {
    await expect(new Validator().validate({ ...structuredClone(document) })).resolves.toStrictEqual({
      valid: true,
    });
  });

  it('has nothing that a linter finds', async () => {
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

  it('has one answer that is no failure for every operation, and the schema of its body', () => {
    for (const operation of operationsOf(document)) {
      const good = answersOf(document, operation).filter(({ status }) => Number(status) < 400);
      const { path, method } = operation;
      expect([path, method, good.map(({ status, schema }) => schema !== undefined || status)]).toStrictEqual([
        path,
        method,
        [expect.toSatisfy((answer: unknown) => answer === true || answer === '204' || answer === '302')],
      ]);
    }
  });

  it('gives problems the statuses and codes that the README’s table has', () => {
    const [, table = ''] = /^## Errors$([^]*?)^## /m.exec(readFileSync('README.md', 'utf8')) ?? [];
    const known = new Set(
      [...table.matchAll(/^\| ([\d, ]+?) *\| `([a-z_]+)`/gm)].flatMap(([, statuses = '', code = '']) =>
        statuses.split(', ').map((status) => `${status} ${code}`),
      ),
    );
    const answered = operationsOf(document).flatMap((operation) =>
      answersOf(document, operation).flatMap(({ status, codes }) => codes.map((code) => `${status} ${code}`)),
    );
    expect(answered.length).toBeGreaterThan(100);
    expect([...new Set(answered)].filter((each) => !known.has(each))).toStrictEqual([]);
  });
});
