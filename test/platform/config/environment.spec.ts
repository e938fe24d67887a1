import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Environment,
  EnvironmentError,
  readCloudinaryAccount,
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

describe('CLOUDINARY_URL', () => {
  const account = (text: string): string => `cloudinary://123:secret@demo${text}`;
  const names =
    'private_cdn, secure_distribution, secure, upload_prefix, signature_algorithm, long_url_signature';
  const onlyTrue = 'must be true, or be omitted';
  const host = 'must be a host name in lower case, such as img.example.com';
  const origin = 'must be only an https origin, or http on this machine';

  function read(variables: Readonly<Record<string, string>>): Environment['cloudinary'] {
    return readEnvironment(
      { ...BASE, ...variables },
      () => {
        throw new Error('no embedded secrets are wanted');
      },
      readDefaultPolicy,
    ).cloudinary;
  }

  it.each<[string, Parameters<typeof makeAccount>[0]]>([
    ['', {}],
    ['/', {}],
    ['?', {}],
    ['?secure=true', {}],
    ['?private_cdn=true', { privateCdn: true }],
    ['?secure_distribution=img.example.com', { host: 'img.example.com' }],
    ['?private_cdn=true&secure_distribution=a.b', { privateCdn: true, host: 'a.b' }],
    ['?upload_prefix=https://api-eu.cloudinary.com', { uploadPrefix: 'https://api-eu.cloudinary.com' }],
    [
      '?upload_prefix=https%3A%2F%2Fapi-ap.cloudinary.com%2F',
      { uploadPrefix: 'https://api-ap.cloudinary.com' },
    ],
    ['?upload_prefix=http://127.0.0.1:8080', { uploadPrefix: 'http://127.0.0.1:8080' }],
    ['?signature_algorithm=sha1', {}],
    ['?signature_algorithm=sha256', { signature: 'sha256' }],
    ['?long_url_signature=true', { signature: 'long' }],
    ['?signature_algorithm=sha1&long_url_signature=true', { signature: 'long' }],
  ])('may have the SDK’s options: %j', (options, expected) => {
    expect(read({ CLOUDINARY_URL: account(options) })).toStrictEqual(
      makeAccount({ apiKey: '123', apiSecret: 'secret', ...expected }),
    );
  });

  it.each<[string, ...string[]]>([
    ['?private_cdn=false', `has the option private_cdn, which ${onlyTrue}`],
    ['?private_cdn=1', `has the option private_cdn, which ${onlyTrue}`],
    ['?private_cdn', `has the option private_cdn, which ${onlyTrue}`],
    ['?secure=false', `has the option secure, which ${onlyTrue}`],
    ['?long_url_signature=false', `has the option long_url_signature, which ${onlyTrue}`],
    ['?signature_algorithm=md5', 'has the option signature_algorithm, which must be sha1 or sha256'],
    ['?signature_algorithm=', 'has the option signature_algorithm, which must be sha1 or sha256'],
    ...[
      '',
      'localhost',
      'IMG.example.com',
      'img.example.com:8443',
      'img.example.com/x',
      'https://img.example.com',
      'img.example.com@evil.example',
      'img..example.com',
      'img.example.com.',
      '-a.example.com',
      '127.0.0.1',
      'cloudinary-a.akamaihd.net',
      `${'a'.repeat(64)}.example.com`,
    ].map((value): [string, string] => [
      `?secure_distribution=${encodeURIComponent(value)}`,
      `has the option secure_distribution, which ${host}`,
    ]),
    ...['', 'api', 'http://api.cloudinary.com', 'https://api.cloudinary.com/v1_1', 'ftp://localhost'].map(
      (value): [string, string] => [
        `?upload_prefix=${encodeURIComponent(value)}`,
        `has the option upload_prefix, which ${origin}`,
      ],
    ),
    ['?private_cdn=true&private_cdn=true', 'has the option private_cdn more than once'],
    ['?cname=secret', `has the option cname, which is not supported: supported are ${names}`],
    ['?Private_cdn=true', `has the option Private_cdn, which is not supported: supported are ${names}`],
    [
      '?auth_token[key]=secret',
      `has the option auth_token[key], which is not supported: supported are ${names}`,
    ],
    ['?__proto__=x', `has the option __proto__, which is not supported: supported are ${names}`],
    ['?sec ret=x', `has the option, which is not supported: supported are ${names}`],
    [
      '?cdn_subdomain=true&secure=no',
      `has the option cdn_subdomain, which is not supported: supported are ${names}`,
      `has the option secure, which ${onlyTrue}`,
    ],
    ['/img.example.com', 'must have no path: write ?private_cdn=true&secure_distribution=HOST instead'],
    ['#x', 'must read cloudinary://API_KEY:API_SECRET@CLOUD_NAME, followed by supported options at most'],
    [':80', 'must read cloudinary://API_KEY:API_SECRET@CLOUD_NAME, followed by supported options at most'],
  ])('is refused, by the option’s name and without its value: %j', (options, ...problems) => {
    expect(problemsOf({ CLOUDINARY_URL: account(options) })).toStrictEqual(
      problems.map((problem) => `CLOUDINARY_URL ${problem}`),
    );
  });

  const signatures =
    'CLOUDINARY_SIGNATURE differs from signature_algorithm and long_url_signature of CLOUDINARY_URL: remove one of them';
  const prefixes =
    'CLOUDINARY_UPLOAD_PREFIX differs from upload_prefix of CLOUDINARY_URL: remove one of them';
  it.each<[string, Record<string, string>, string[]]>([
    ['?signature_algorithm=sha256', { CLOUDINARY_SIGNATURE: 'sha256' }, []],
    ['?long_url_signature=true', { CLOUDINARY_SIGNATURE: 'long' }, []],
    ['?private_cdn=true', { CLOUDINARY_SIGNATURE: 'long' }, []],
    ['?long_url_signature=true', { CLOUDINARY_SIGNATURE: '' }, []],
    ['?signature_algorithm=sha256', { CLOUDINARY_SIGNATURE: 'sha1' }, [signatures]],
    ['?signature_algorithm=sha256', { CLOUDINARY_SIGNATURE: 'long' }, [signatures]],
    ['?long_url_signature=true', { CLOUDINARY_SIGNATURE: 'sha256' }, [signatures]],
    ['?upload_prefix=https://a.b', { CLOUDINARY_UPLOAD_PREFIX: 'https://a.b/' }, []],
    ['?upload_prefix=https://a.b', { CLOUDINARY_UPLOAD_PREFIX: '' }, []],
    ['?upload_prefix=https://a.b', { CLOUDINARY_UPLOAD_PREFIX: 'https://b.c' }, [prefixes]],
    ['?upload_prefix=https://a.b', { CLOUDINARY_UPLOAD_PREFIX: 'https://api.cloudinary.com' }, [prefixes]],
  ])('%s beside %o has these problems: %j', (options, variables, problems) => {
    expect(problemsOf({ CLOUDINARY_URL: account(options), ...variables })).toStrictEqual(problems);
  });

  it('gives the import its upload_prefix too', () => {
    const CLOUDINARY_URL = account('?upload_prefix=https://api-eu.cloudinary.com&private_cdn=true');
    expect(readCloudinaryAccount({ CLOUDINARY_URL })).toStrictEqual({
      cloudName: 'demo',
      apiKey: '123',
      apiSecret: 'secret',
      uploadPrefix: 'https://api-eu.cloudinary.com',
      uploadTimeout: 60_000,
    });
    expect(() => readCloudinaryAccount({ CLOUDINARY_URL: account('?cname=a.b') })).toThrow('cname');
  });

  it('has other secrets during a rotation', () => {
    const CLOUDINARY_URL = account('');
    const secrets = 'old-1:s_1, old-2:s-2';
    expect(read({ CLOUDINARY_URL, CLOUDINARY_PREVIOUS_SECRETS: secrets }).otherSecrets).toStrictEqual([
      { apiKey: 'old-1', apiSecret: 's_1', notAfter: null },
      { apiKey: 'old-2', apiSecret: 's-2', notAfter: null },
    ]);
    const rule =
      'CLOUDINARY_PREVIOUS_SECRETS must contain pairs API_KEY:API_SECRET of other keys than that of CLOUDINARY_URL, comma-separated';
    for (const value of ['x', 'a:', ':b', 'a:b:c', 'a b:c', 'a:b,x', 'a:b,a:c', '123:b']) {
      expect([value, problemsOf({ CLOUDINARY_URL, CLOUDINARY_PREVIOUS_SECRETS: value })]).toStrictEqual([
        value,
        [rule],
      ]);
    }
    expect(problemsOf({ CLOUDINARY_URL: '', CLOUDINARY_PREVIOUS_SECRETS: 'a:b' })).toContain(
      'CLOUDINARY_PREVIOUS_SECRETS requires CLOUDINARY_URL',
    );
  });

  it('has settings of its tokens only with their key', () => {
    const key = '00112233445566778899aabbccddeeff';
    expect(read({ CLOUDINARY_AUTH_TOKEN_SIGNATURE: 'on' }).authToken).toBeNull();
    expect(read({ CLOUDINARY_AUTH_TOKEN_KEY: key }).authToken).toStrictEqual({
      ...{ key, duration: 3_600, round: 300 },
      withSignature: false,
    });
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

describe('the proxy', () => {
  const read = (variables: Readonly<Record<string, string>>): Environment['proxy'] =>
    readEnvironment(
      variables,
      () => ({ adminApiKey: 'generated', secretsKey: Buffer.alloc(32), cloudinaryApiSecret: 'made-up' }),
      readDefaultPolicy,
    ).proxy;

  it('has defaults, and a folder in the data folder', () => {
    expect(read({ PROXY: 'on', DATA_DIR: '/srv/pixseal' })).toStrictEqual({
      cacheDir: '/srv/pixseal/proxy',
      cacheBytes: 1_073_741_824,
      concurrency: 64,
      upstream: null,
    });
  });

  it('has its settings', () => {
    const settings = {
      PROXY_CACHE_DIR: '/tmp/c',
      PROXY_CACHE_SIZE: '64',
      PROXY_CONCURRENCY: '1',
      PROXY_UPSTREAM: 'https://gateway.internal:8443',
    };
    expect(read({ PROXY: 'on', ...settings })).toStrictEqual({
      cacheDir: '/tmp/c',
      cacheBytes: 67_108_864,
      concurrency: 1,
      upstream: 'https://gateway.internal:8443',
    });
    expect(read({ PROXY: 'off', ...settings })).toBeNull();
  });

  it.each([
    ['PROXY', 'yes', 'be one of on, off'],
    ['PROXY_CACHE_SIZE', '63', 'be a whole number from 64 to 1000000'],
    ['PROXY_CONCURRENCY', '0', 'be a whole number from 1 to 1000'],
    ['PROXY_UPSTREAM', 'http://gateway.internal', 'be only an https origin, or http on this machine'],
    ['PROXY_UPSTREAM', 'https://gateway.internal/path', 'be only an https origin, or http on this machine'],
  ])('is refused with %s=%s', (name, value, rule) => {
    expect(problemsOf({ [name]: value })).toStrictEqual([`${name} must ${rule}`]);
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
    proxy: null,
    publicUrl: null,
    trustProxy: false,
    rateLimitAddress: 6_000,
    rateLimitIssuer: 0,
    redisUrl: null,
    maxStale: 300_000,
    authTokenDefaults: { duration: 3_600, round: 300, withSignature: false },
    logLevel: 'info',
    tracing: null,
    oidc: null,
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

describe('the OpenID Connect provider', () => {
  const OIDC = {
    OIDC_ISSUER: 'https://login.example.com/realms/main',
    OIDC_CLIENT_ID: 'console',
    OIDC_CLIENT_SECRET: 'secret',
    OIDC_ROLES: 'groups:a=write, https:x=y=read,role:b@c=read@161400D0-c894-42fd-8100-262361ea91ff',
  };
  const oidcOf = (variables: Readonly<Record<string, string>>): unknown =>
    readEnvironment(
      { ...BASE, ...OIDC, ...variables },
      () => {
        throw new Error('no embedded secrets are wanted');
      },
      readDefaultPolicy,
    ).oidc;

  it('has roles of claims, in order', () => {
    expect(oidcOf({})).toStrictEqual({
      issuer: 'https://login.example.com/realms/main',
      clientId: 'console',
      clientSecret: 'secret',
      scope: 'openid',
      roles: [
        { claim: 'groups', value: 'a', scopes: ['read', 'write'], issuerId: null },
        { claim: 'https', value: 'x=y', scopes: ['read'], issuerId: null },
        {
          claim: 'role',
          value: 'b@c',
          scopes: ['read'],
          issuerId: '161400d0-c894-42fd-8100-262361ea91ff',
        },
      ],
    });
    expect(oidcOf({ OIDC_ISSUER: 'http://127.0.0.1:9000' })).toMatchObject({
      issuer: 'http://127.0.0.1:9000/',
    });
  });

  it.each([
    [{ OIDC_ISSUER: 'http://login.example.com' }, 'OIDC_ISSUER'],
    [{ OIDC_ISSUER: 'https://user:password@login.example.com' }, 'OIDC_ISSUER'],
    [{ OIDC_ISSUER: 'https://login.example.com?a' }, 'OIDC_ISSUER'],
    [{ OIDC_CLIENT_ID: '' }, 'OIDC_ISSUER requires'],
    [{ OIDC_CLIENT_SECRET: '' }, 'OIDC_ISSUER requires'],
    [{ OIDC_ROLES: '' }, 'OIDC_ISSUER requires'],
    [{ OIDC_ROLES: 'groups:a' }, 'OIDC_ROLES'],
    [{ OIDC_ROLES: 'groups=write' }, 'OIDC_ROLES'],
    [{ OIDC_ROLES: 'groups:a=admin' }, 'OIDC_ROLES'],
    [{ OIDC_ROLES: 'groups:a=write@x' }, 'OIDC_ROLES'],
    [{ OIDC_ROLES: 'groups:a=write,groups:=read' }, 'OIDC_ROLES'],
    [{ OIDC_SCOPE: 'profile' }, 'OIDC_SCOPE'],
  ])('refuses %j', (variables, problem) => {
    expect(() => oidcOf(variables)).toThrow(`  - ${problem}`);
  });
});
