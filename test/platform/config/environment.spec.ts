import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Environment,
  EnvironmentError,
  readDatabaseSettings,
  readEnvironment,
} from '../../../src/platform/config/environment.js';
import { SETTINGS } from '../../../src/platform/config/settings.js';
import { TEST_VARIABLES } from '../../support/service.js';
import { readDefaultPolicy } from '../../../src/policy/recommended-policy.js';
import { makeAccount } from '../../support/account.js';

const BASE = { ...TEST_VARIABLES, DATABASE_URL: 'postgres://127.0.0.1/x' };

/** The problems of an environment; empty for a valid one. */
function problemsOf(variables: Readonly<Record<string, string>>): readonly string[] {
  try {
    readEnvironment(
      { ...BASE, ...variables },
      () => {
        throw new Error('no embedded secrets are wanted');
      },
      readDefaultPolicy,
    );
    return [];
  } catch (error) {
    if (error instanceof EnvironmentError) return error.problems;
    throw error;
  }
}

const encode = (name: string): string =>
  `${name} has characters in its user name, password, database name or parameters that must be percent-encoded ` +
  '(`%` as `%25`, `@` as `%40`, `/` as `%2F`, `?` as `%3F`, `#` as `%23`)';

describe('a connection URL', () => {
  const unencoded = [
    'pix:a%zz@127.0.0.1/pix',
    'pix:a%@127.0.0.1/pix',
    'pix:a%2@127.0.0.1/pix',
    '127.0.0.1/pix?password=a%zz',
    'pix:a%ff@127.0.0.1/pix',
    'pix:p@ss/w#rd@127.0.0.1/pix',
    'pix:p/ss@127.0.0.1/pix',
    'pix:1/ss@127.0.0.1/pix',
    'pix:p?ss@127.0.0.1/pix',
    'pix:1?ss@127.0.0.1/pix',
    'pix:p?a=b@127.0.0.1/pix',
    'pix:p#ss@127.0.0.1/pix',
    'pix:1#ss@127.0.0.1/pix',
    'p/x:secret@127.0.0.1/pix',
  ];
  const encoded = [
    '127.0.0.1/0',
    'pix:a%25zz%40%2F%3F%23@127.0.0.1:1/0',
    // The last `@` is the delimiter, so this one is read as intended.
    'pix:p@ss@127.0.0.1/0',
    'pix:päss !$&()*+,;=:@127.0.0.1/0',
  ];

  describe.each([
    ['DATABASE_URL', 'postgres'],
    ['DATABASE_URL', 'postgresql'],
    ['REDIS_URL', 'redis'],
    ['REDIS_URL', 'rediss'],
  ])('%s of %s', (name, scheme) => {
    it.each(unencoded)('is refused if a password changes its host: %s', (rest) => {
      expect(problemsOf({ [name]: `${scheme}://${rest}` })).toStrictEqual([encode(name)]);
    });

    it.each(encoded)('is accepted with encoded characters: %s', (rest) => {
      expect(problemsOf({ [name]: `${scheme}://${rest}` })).toStrictEqual([]);
    });
  });

  it('may have an @ in the value of a parameter', () => {
    const url = 'postgres://127.0.0.1/x?user=pix@server&password=p@ss';
    expect(readDatabaseSettings({ DATABASE_URL: url })).toMatchObject({
      server: { urls: ['postgres://127.0.0.1/x?user=pix%40server&password=p%40ss'] },
    });
  });

  it('is also refused if only the database is opened', () => {
    expect(() => readDatabaseSettings({ DATABASE_URL: 'postgres://pix:a%zz@127.0.0.1/x' })).toThrow(
      encode('DATABASE_URL'),
    );
  });
});

describe('a setting in quotation marks', () => {
  const refusal = (name: string): string =>
    `${name} begins with a quotation mark, which would be part of the value: remove the quotation marks`;
  const valid: Readonly<Record<string, string>> = {
    DATABASE_URL: 'postgres://127.0.0.1/x',
    ADMIN_API_KEYS: TEST_VARIABLES.ADMIN_API_KEYS,
    SECRETS_KEY: TEST_VARIABLES.SECRETS_KEY,
    CLOUDINARY_URL: TEST_VARIABLES.CLOUDINARY_URL,
    CLOUDINARY_AUTH_TOKEN_KEY: '00112233445566778899aabbccddeeff',
    CLOUDINARY_SIGNATURE: 'sha1',
    REDIS_URL: 'redis://127.0.0.1',
    PUBLIC_URL: 'https://img.example.com',
    TRUST_PROXY: '1',
    PORT: '3000',
    HOST: '127.0.0.1',
    DATA_DIR: './data',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
    LOG_LEVEL: 'info',
  };

  it.each(Object.entries(valid))('is refused by name and without its value: %s', (name, value) => {
    for (const quoted of [`"${value}"`, `'${value}'`, ` "${value}" `, `"${value}`, `“${value}”`]) {
      expect(problemsOf({ [name]: quoted })).toStrictEqual([refusal(name)]);
    }
  });

  it('is refused in the middle of a list too', () => {
    const key = TEST_VARIABLES.ADMIN_API_KEYS;
    expect(problemsOf({ ADMIN_API_KEYS: `${key}, "${key}"` })).toStrictEqual([refusal('ADMIN_API_KEYS')]);
  });

  it('is refused for its other faults as well', () => {
    expect(problemsOf({ ADMIN_API_KEYS: '"short"' })).toStrictEqual([
      refusal('ADMIN_API_KEYS'),
      'ADMIN_API_KEYS must contain printable ASCII keys of at least 32 characters',
    ]);
  });

  it('may have a quotation mark elsewhere', () => {
    expect(problemsOf({ ADMIN_API_KEYS: `${TEST_VARIABLES.ADMIN_API_KEYS}"'` })).toStrictEqual([]);
  });
});

describe('a setting that is not set', () => {
  const read = (variables: Readonly<Record<string, string>>): Environment =>
    readEnvironment(
      variables,
      () => ({ adminApiKey: 'generated', secretsKey: Buffer.alloc(32), cloudinaryApiSecret: 'made-up' }),
      readDefaultPolicy,
    );
  const everywhere = {
    host: '127.0.0.1',
    port: 3000,
    dataDir: resolve('data'),
    registrationRules: [],
    defaultPolicy: null,
    publicUrl: null,
    trustProxy: false,
    rateLimitAddress: 6_000,
    rateLimitIssuer: 0,
    redisUrl: null,
    maxStale: 300_000,
    logLevel: 'info',
    tracing: null,
  };
  it('has its default in embedded mode', () => {
    expect(read({})).toStrictEqual({
      ...everywhere,
      database: { kind: 'embedded', dataDir: resolve('data') },
      cloudinary: makeAccount({ cloudName: 'sadaasdasd', apiKey: null, apiSecret: 'made-up' }),
      adminApiKeys: ['generated'],
      secretsKeys: [Buffer.alloc(32)],
      deliveryMode: 'local',
      drainTime: 0,
      docs: true,
      playground: true,
      console: true,
    });
  });

  it('has its default with a database', () => {
    const url = 'postgres://127.0.0.1/x';
    const key = '0'.repeat(64);
    const required = {
      DATABASE_URL: url,
      CLOUDINARY_URL: 'cloudinary://1:secret@demo',
      ADMIN_API_KEYS: key,
      SECRETS_KEY: key,
    };
    expect(read(required)).toStrictEqual({
      ...everywhere,
      database: {
        kind: 'postgres',
        server: { variable: 'DATABASE_URL', urls: [url], readWrite: false },
        sessionServer: null,
        maxConnections: 10,
        preparedStatements: true,
      },
      cloudinary: makeAccount({ cloudName: 'demo', apiKey: '1', apiSecret: 'secret' }),
      adminApiKeys: [key],
      secretsKeys: [Buffer.alloc(32)],
      deliveryMode: 'cloudinary',
      drainTime: 1_000,
      docs: false,
      playground: false,
      console: false,
    });
  });
});

describe('a setting with a range', () => {
  const numbers = Object.entries(SETTINGS).flatMap(([name, setting]) =>
    'min' in setting ? [{ name, ...setting }] : [],
  );
  const choices = Object.entries(SETTINGS).flatMap(([name, setting]) =>
    'allowed' in setting ? [{ name, ...setting }] : [],
  );

  it.each(numbers)('accepts only numbers from $min to $max: $name', ({ name, kind, min, max }) => {
    for (const value of [min, max]) expect(problemsOf({ [name]: String(value) })).toStrictEqual([]);
    for (const value of [min - 1, max + 1, `${min}x`, 'x', '1e0.5']) {
      expect(problemsOf({ [name]: String(value) })).toStrictEqual([
        `${name} must be a ${kind === 'integer' ? 'whole number' : 'number'} from ${min} to ${max}`,
      ]);
    }
  });

  it.each(choices)('accepts only its values: $name', ({ name, allowed }) => {
    for (const value of allowed) expect(problemsOf({ [name]: value })).toStrictEqual([]);
    for (const value of [`${allowed[0]}x`, allowed[0].toUpperCase()]) {
      expect(problemsOf({ [name]: value })).toStrictEqual([`${name} must be one of ${allowed.join(', ')}`]);
    }
  });
});
