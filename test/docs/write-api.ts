import type { OpenAPIObject } from '@nestjs/swagger';
import { type DescribedOperation, operationsOf } from '../../src/platform/openapi/operations.js';
import { answersOf, nameOf, type Schema } from '../support/api-document.js';

type Row = readonly string[];

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text: unknown): string => `\`${String(text)}\``;
const table = (head: Row, rows: readonly Row[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
const linkTo = (name: string): string => `[${name}](#${name.toLowerCase()})`;

/** The type of a value, for people. */
function typeOf(schema: Schema): string {
  return schema.nullable === true ? `${bareTypeOf(schema)}, or null` : bareTypeOf(schema);
}

function bareTypeOf(schema: Schema): string {
  const [only, ...others] = schema.allOf ?? [];
  if (only !== undefined && others.length === 0) return bareTypeOf(only);
  if (schema.$ref !== undefined) return linkTo(nameOf(schema.$ref));
  if (schema.enum !== undefined && schema.enum.length <= 14) return schema.enum.map(code).join(', ');
  if (schema.enum !== undefined) return 'a key of the [vocabulary](vocabulary.md)';
  switch (schema.type) {
    case 'array':
      return `list of ${typeOf(schema.items ?? {})}${bounds(schema.minItems, schema.maxItems, ', ')}`;
    case 'integer':
    case 'number':
      return `${schema.type}${bounds(schema.minimum, schema.maximum, ' ')}`;
    case 'string':
      if (schema.format !== undefined) return schema.format;
      if (schema.pattern !== undefined) return `text of the form ${code(schema.pattern)}`;
      return `text${bounds(schema.minLength, schema.maxLength, ' of ')}`;
    default:
      return schema.type ?? 'anything';
  }
}

function bounds(least: number | undefined, most: number | undefined, before: string): string {
  if (least === undefined && most === undefined) return '';
  return `${before}${least ?? 0} to ${most ?? '…'}`;
}

const describe = ({ description = '', default: fallback }: Schema): string =>
  fallback === undefined ? description : `${description} Default: ${code(fallback)}.`;

/** The members of an object, with its bases'. */
function membersOf(document: OpenAPIObject, schema: Schema): Row[] {
  const from = schema.$ref === undefined ? schema : schemaOf(document, nameOf(schema.$ref));
  const required = new Set(from.required ?? []);
  return [
    ...(from.allOf ?? []).flatMap((each) => membersOf(document, each)),
    ...Object.entries(from.properties ?? {}).map(([name, member]) => [
      code(name) + (required.has(name) ? '' : ' (optional)'),
      typeOf(member),
      describe(member),
    ]),
  ];
}

function schemaOf({ components }: OpenAPIObject, name: string): Schema {
  return (components?.schemas?.[name] ?? {}) as Schema;
}

function parameters({ operation }: DescribedOperation): string[] {
  const given = (operation.parameters ?? []).flatMap((each) => ('in' in each ? [each] : []));
  if (given.length === 0) return [];
  const rows = given.map((each) => [
    code(each.name) + (each.required === true ? '' : ' (optional)'),
    each.in,
    typeOf((each.schema ?? {}) as Schema),
    describe({ ...(each.schema as Schema | undefined), description: each.description ?? '' }),
  ]);
  return [table(['parameter', 'in', 'type', 'meaning'], rows)];
}

function bodies(document: OpenAPIObject, { operation }: DescribedOperation): string[] {
  const body = operation.requestBody;
  if (body === undefined || !('content' in body)) return [];
  return Object.entries(body.content).map(([type, { schema = {} }]) => {
    const rows = membersOf(document, schema as Schema);
    return `Body, ${code(type)}:\n\n${table(['member', 'type', 'meaning'], rows)}`;
  });
}

function answers(document: OpenAPIObject, operation: DescribedOperation): string {
  const rows = answersOf(document, operation).map(({ status, description, schema, codes }) => {
    if (codes.length > 0) return [status, codes.map(code).join(', ')];
    return [status, schema?.$ref === undefined ? description : linkTo(nameOf(schema.$ref))];
  });
  return table(['answer', 'body, or codes of the problem'], rows);
}

/** docs/api.md, as the OpenAPI document has it. */
export function writeApi(document: OpenAPIObject): string {
  const all = operationsOf(document);
  const sections = (document.tags ?? []).map(({ name, description = '' }) => {
    const operations = all
      .filter(({ operation }) => operation.tags?.includes(name))
      .map((each) =>
        [
          `### ${each.method.toUpperCase()} ${each.path}`,
          `${each.operation.summary ?? ''}. ${keyFor(each)}`,
          ...parameters(each),
          ...bodies(document, each),
          answers(document, each),
        ].join('\n\n'),
      );
    return [`## ${name}`, description, ...operations].join('\n\n');
  });
  const shown = Object.keys(document.components?.schemas ?? {})
    .filter((name) => name.endsWith('View') || ['DeliveryItemDto', 'PolicyDto', 'Problem'].includes(name))
    .sort();
  const objects = shown.map((name) => {
    const { description = '' } = schemaOf(document, name);
    const rows = membersOf(document, { $ref: `#/components/schemas/${name}` });
    return [`### ${name}`, description, table(['member', 'type', 'meaning'], rows)].join('\n\n');
  });
  return `<!-- Made from the routes by \`npm run docs:build\`: not to be edited. -->

# API

Every route, made from the service's own [OpenAPI document](openapi.json), which a running service shows at \`/docs\`. Bodies and answers are JSON in snake_case. Routes below \`/admin\` and \`/metrics\` need an admin key as \`Authorization: Bearer KEY\`: one with \`read\` for every \`GET\`, one with \`write\` for everything else.

A problem is \`application/problem+json\` with one of the codes that stand beside its status; [the README](../README.md#errors) says what each means. Beside them any request may be answered 404 \`not_found\`, 405 \`method_not_allowed\`, 408 \`request_timeout\`, 414 \`uri_too_long\` and 500 \`internal_error\`.

${sections.join('\n\n')}

## Objects

${objects.join('\n\n')}
`;
}

const keyFor = ({ operation }: DescribedOperation): string =>
  (operation.security ?? []).length > 0 ? 'Needs an admin key.' : 'Needs no admin key.';
