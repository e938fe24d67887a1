import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findRepeatedName } from '../../src/tokens/repeated-name.js';
import { findJsonFault, parseJsonObject } from '../../src/tokens/strict-json.js';

const parse = (text: string | Buffer, maxDepth = 16): unknown => parseJsonObject(Buffer.from(text), maxDepth);
const nested = (depth: number): string => '{"a":'.repeat(depth - 1) + '{}' + '}'.repeat(depth - 1);
const nestedArrays = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;

describe('parseJsonObject', () => {
  it.each([
    ['{}', {}],
    [' \t\r\n{ "a" : 1 , "b" : [ { "a" : 2 } , { "a" : 3 } ] }\n', { a: 1, b: [{ a: 2 }, { a: 3 }] }],
    ['{"a":"\\"a\\":1,\\"a\\":2","b":"{[{[","c":"]}"}', { a: '"a":1,"a":2', b: '{[{[', c: ']}' }],
    ['{"a":"\\\\","b":"\\\\\\"","c":["a","a"]}', { a: '\\', b: '\\"', c: ['a', 'a'] }],
    ['{"a":{"a":{"a":1}}}', { a: { a: { a: 1 } } }],
    ['{"":1,"A":2,"a":3,"é":4,"e\u0301":5}', { '': 1, A: 2, a: 3, é: 4, 'e\u0301': 5 }],
    ['{"constructor":1,"toString":2,"hasOwnProperty":3}', { constructor: 1, toString: 2, hasOwnProperty: 3 }],
  ])('accepts %j', (text, value) => {
    expect(parse(text)).toStrictEqual(value);
  });

  it.each([
    '{"iss":1,"iss":1}',
    '{"iss":1,"x":{"iss":2},"iss":3}',
    '{"iss":1,"\\u0069ss":2}',
    '{"\\u0069s\\u0073":1,"iss":2}',
    '{"a\\/b":1,"a/b":2}',
    '{"\\"":1,"\\u0022":2}',
    '{"":1,"":2}',
    '{"iss" :1,"iss"\n\t\r :2}',
    '{"a":[{"b":1},{"c":{"b":1,"b":2}}]}',
    '{"a":[[],{}],"a":1}',
    '{"__proto__":{},"__proto__":{}}',
    '{"\\ud83d\\ude00":1,"😀":2}',
  ])('refuses a repeated name: %j', (text) => {
    expect(JSON.parse(text)).toBeTypeOf('object');
    expect(parse(text)).toBe('duplicate_name');
  });

  it.each([nested(16), nestedArrays(16)])('accepts 16 levels: %s', (text) => {
    expect(parse(text)).toBeTypeOf('object');
  });

  it.each([nested(17), nestedArrays(17), nested(1_000), nestedArrays(100_000)])(
    'refuses more levels than 16: %.40s',
    (text) => {
      expect(parse(text)).toBe('too_deep');
    },
  );

  it.each([
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'not_utf8'],
    ['an overlong quote', Buffer.from([0x7b, 0xc0, 0xa2, 0x7d]), 'not_utf8'],
    ['a surrogate in UTF-8', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]), 'not_utf8'],
    ['UTF-16', Buffer.from('{}', 'utf16le'), 'not_json'],
    ['a byte order mark', '\ufeff{}', 'not_json'],
    ['nothing', '', 'not_json'],
    ['two values', '{}{}', 'not_json'],
    ['a comment', '{}//', 'not_json'],
    ['a trailing comma', '{"a":1,}', 'not_json'],
    ['single quotes', "{'a':1}", 'not_json'],
    ['NaN', '{"a":NaN}', 'not_json'],
    ['a NUL after it', '{}\0', 'not_json'],
    ['no-break space', '\u00a0{}', 'not_json'],
    ['an array', '[{}]', 'not_object'],
    ['null', 'null', 'not_object'],
    ['a string', '"{}"', 'not_object'],
    ['a number', '1', 'not_object'],
  ])('refuses %s', (_, text, fault) => {
    expect(parse(text)).toBe(fault);
  });

  it('keeps `__proto__` an own member, without effect on the object', () => {
    const value = parse('{"__proto__":{"alg":"HS256"}}') as Record<string, unknown>;
    expect(Object.keys(value)).toStrictEqual(['__proto__']);
    expect(value['alg']).toBeUndefined();
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it('agrees with JSON.parse on what is JSON', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '\\',
      '1',
      'a',
      ' ',
      'null',
      '"a"',
      '"b":',
      '\\u0061',
      'é',
    ];
    const soup = fc.array(fc.constantFrom(...pieces), { maxLength: 14 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        fc.oneof(
          soup,
          soup.map((inner) => `{${inner}}`),
          fc.string(),
          fc.json(),
        ),
        (text) => {
          let valid = true;
          try {
            JSON.parse(text);
          } catch {
            valid = false;
          }
          expect(parse(text) !== 'not_json').toBe(valid);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('parses every JSON object with unique names like JSON.parse', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 8 })), fc.nat(4), (object, spaces) => {
        const text = JSON.stringify(object, null, spaces);
        expect(parse(text)).toStrictEqual(JSON.parse(text));
      }),
    );
  });

  it('finds a repeated name anywhere and with any escapes', () => {
    const escape = (name: string): string =>
      Array.from(
        { length: name.length },
        (_, i) => '\\u' + name.charCodeAt(i).toString(16).padStart(4, '0'),
      ).join('');
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.jsonValue({ maxDepth: 4 }),
        fc.array(fc.constantFrom('object', 'array'), { maxLength: 8 }),
        fc.boolean(),
        (name, value, containers, first) => {
          const plain = `${JSON.stringify(name)}:${JSON.stringify(value)}`;
          const escaped = `"${escape(name)}":0`;
          let text = first ? `{${escaped},"${name.length}!":[],${plain}}` : `{${plain},${escaped}}`;
          for (const container of containers)
            text = container === 'object' ? `{"x":${text}}` : `[1,"x",${text}]`;
          expect(findJsonFault(Buffer.from(text), JSON.parse(text), 64)).toBe('duplicate_name');
        },
      ),
    );
  });

  it.each([
    ['braces', '{"a":"' + '{'.repeat(100_000) + '"}'],
    ['backslashes', '{"a":"' + '\\\\'.repeat(100_000) + '"}'],
    ['escaped quotes', '{"a":"' + '\\"'.repeat(100_000) + '"}'],
    [
      'spaces after names',
      '{' + Array.from({ length: 300 }, (_, i) => `"${i}"${' '.repeat(600)}:1`).join() + '}',
    ],
  ])('stays linear over long runs of %s', (_, text) => {
    const value: unknown = JSON.parse(text);
    const bytes = Buffer.from(text);
    const start = performance.now();
    expect(findJsonFault(bytes, value, 16)).toBeNull();
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('findRepeatedName', () => {
  it.each<[text: string, name: string | null]>([
    ['{}', null],
    ['5', null],
    ['"a:b"', null],
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}', null],
    ['{"a":"b","b":"a","c":["a","a"]}', null],
    ['{"a":"\\"a\\":1,{\\"a\\":2}","b":"\\\\"}', null],
    ['{"a":1,"a":1}', 'a'],
    ['{"a":1, "\\u0061" : 2}', 'a'],
    ['{"a":{},"b":[{"c":{"d":1,"d":2}}]}', 'b.c.d'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
    ['{"":1,"":2}', ''],
    ['[[{"x":{"y":[]},"x":1}]]', 'x'],
  ])('of %s is %j', (text, name) => {
    expect(findRepeatedName(text)).toBe(name);
    expect(findJsonFault(Buffer.from(text), JSON.parse(text), 16)).toBe(
      name === null ? null : 'duplicate_name',
    );
  });

  it('reads a long text in linear time', () => {
    const text = JSON.stringify({ a: '\\"'.repeat(500_000), b: '{'.repeat(500_000) });
    expect(findRepeatedName(text)).toBeNull();
  });
});
