import fc from 'fast-check';
import { resolve, type Schema, type Schemas } from './api-document.js';

/** Values that a schema cannot describe, by the name of their member. */
export type Known = Readonly<Record<string, fc.Arbitrary<unknown>>>;

const MOMENTS = [
  ...['2030-01-31T12:00:00Z', '2030-01-31T12:00:00.123456789+14:00', '2024-02-29T23:59-23:59'],
  ...['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+23:59', '1970-01-01T00:00:00Z'],
  ...['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59-23:59', '2030-01-01T24:00:00Z'],
];

/** Texts that some layer may handle incorrectly. */
const TEXTS = [
  ...['', ' ', '\0', 'a\0b', '\ud800', 'a\udfff', '\ufeff', '\u202e', 'e\u0301', '\u{1f469}\u200d\u{1f4bb}'],
  ...[
    "'",
    '"; DROP TABLE images; --',
    '%',
    '%_',
    '\\',
    '$1',
    '$(x)',
    '{{x}}',
    '../../etc/passwd',
    '/',
    '//x',
  ],
  ...['null', 'NaN', '-0', '1e400', '9223372036854775808', '99999999999999999999', '0x10', '[object Object]'],
  ...['__proto__', 'constructor', 'toString', 'x'.repeat(256), 'ä'.repeat(20_000)],
];

/** Deeply nested JSON, by the text that stands for it. */
const DEEP: Readonly<Record<string, string>> = {
  '<lists>': '['.repeat(9_000) + ']'.repeat(9_000),
  '<objects>': '{"a":'.repeat(5_000) + '1' + '}'.repeat(5_000),
};

/** JSON of a value, with deeply nested JSON in place of the texts that stand for it. */
export const jsonOf = (value: unknown): string =>
  JSON.stringify(value ?? null).replace(
    /"(<(?:lists|objects)>)"(?!:)/g,
    (_, name: string) => DEEP[name] ?? '',
  );

/** Values of any type. */
export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...TEXTS),
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e21,
    -1e308,
    2 ** 53,
    2 ** 63,
    [],
    {},
    [null],
    [[]],
  ),
  fc.constantFrom<unknown>({ length: 1 }, { toString: 1 }, { constructor: { prototype: {} } }, [{}, {}]),
  fc.constantFrom<unknown>(...Object.keys(DEEP)),
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: 'binary', maxLength: 300 }),
);

/** Values that a schema allows, including its bounds. */
export function valuesOf(schema: Schema, schemas: Schemas, known: Known = {}): fc.Arbitrary<unknown> {
  const found = resolve(schema, schemas);
  const values = bareValuesOf(found, schemas, known);
  return found.nullable === true ? fc.option(values, { freq: 4 }) : values;
}

function bareValuesOf(schema: Schema, schemas: Schemas, known: Known): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'string':
      return textsOf(schema);
    case 'integer': {
      const { minimum: min = -1_000, maximum: max = 1_000 } = schema;
      return fc.oneof(fc.constantFrom(min, max), fc.integer({ min, max: Math.min(max, min + 1_000) }));
    }
    case 'number':
      return fc.double({ noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return listsOf(schema, schemas, known);
    case 'object':
      return objectsOf(schema, schemas, known);
    default:
      return hostile;
  }
}

function textsOf({ format, pattern, minLength = 0, maxLength = 40 }: Schema): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid();
  if (format === 'date-time') {
    const day = { min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true };
    return fc.oneof(
      fc.constantFrom(...MOMENTS),
      fc.date(day).map((date) => date.toISOString()),
    );
  }
  const texts = fc.oneof(
    { weight: 4, arbitrary: fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 20) }) },
    { weight: 1, arbitrary: fc.constantFrom('a'.repeat(maxLength), 'ж'.repeat(Math.max(minLength, 1))) },
    {
      weight: 1,
      arbitrary: fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, minLength + 20) }),
    },
  );
  if (pattern === undefined) return texts;
  const form = new RegExp(pattern, 'u');
  // It cannot generate texts for Unicode properties.
  return pattern.includes('\\p{')
    ? texts.map((text) => text.replaceAll(/\p{C}/gu, '') || 'a').filter((text) => form.test(text))
    : fc.stringMatching(new RegExp(pattern));
}

function listsOf(schema: Schema, schemas: Schemas, known: Known): fc.Arbitrary<unknown[]> {
  const { items = {}, minItems: minLength = 0, maxItems = 4, uniqueItems = false } = schema;
  const maxLength = Math.min(maxItems, minLength + 4);
  const item = valuesOf(items, schemas, known);
  return uniqueItems
    ? fc.uniqueArray(item, { minLength, maxLength })
    : fc.array(item, { minLength, maxLength });
}

function objectsOf(schema: Schema, schemas: Schemas, known: Known): fc.Arbitrary<Record<string, unknown>> {
  const { properties = {}, required = [], additionalProperties } = schema;
  if (typeof additionalProperties === 'object') {
    const names = fc.stringMatching(/^[A-Za-z0-9][\w-]{0,20}$/);
    return fc.dictionary(names, valuesOf(additionalProperties, schemas, known), { maxKeys: 3 });
  }
  const members = Object.entries(properties).map(
    ([name, member]) => [name, known[name] ?? valuesOf(member, schemas, known)] as const,
  );
  return fc.record(Object.fromEntries(members), { requiredKeys: [...required], noNullPrototype: true });
}

/** Values that a schema allows, with one or two members that it does not allow. */
export function nearlyOf(schema: Schema, schemas: Schemas, known: Known = {}): fc.Arbitrary<unknown> {
  const { properties = {} } = resolve(schema, schemas);
  const name = fc.oneof(fc.constantFrom('unknown', ...Object.keys(properties)), fc.string({ maxLength: 10 }));
  return fc
    .tuple(
      valuesOf(schema, schemas, known),
      fc.array(fc.tuple(name, fc.option(hostile)), { minLength: 1, maxLength: 2 }),
    )
    .map(([value, changes]) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? { ...value, ...Object.fromEntries(changes) }
        : changes[0]?.[1],
    );
}
