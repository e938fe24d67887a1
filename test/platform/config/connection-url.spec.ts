import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDatabaseUrl } from '../../../src/platform/config/database-url.js';
import { readRedisUrl } from '../../../src/platform/config/redis-url.js';

/** No URL of a refused text. */
const urlsOf = (read: ReturnType<typeof readDatabaseUrl>): readonly string[] =>
  'urls' in read ? read.urls : [];

describe('DATABASE_URL', () => {
  let folder: string;
  let pem: string;
  let text: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pixseal-urls-'));
    pem = join(folder, 'ca.pem');
    text = join(folder, 'text');
    writeFileSync(pem, '-----BEGIN CERTIFICATE-----\n');
    writeFileSync(text, 'no certificate');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  /** Replaces `PEM` and `TEXT` by the paths of this test's files. */
  const withFiles = (url: string): string => url.replaceAll('PEM', pem).replaceAll('TEXT', text);

  it.each([
    ['postgres://pix:pw@db:5432/pix', 'postgres://pix:pw@db:5432/pix'],
    ['postgresql://pix:pw@db/pix', 'postgresql://pix:pw@db/pix'],
    ['POSTGRES://db/pix', 'postgres://db/pix'],
    ['postgres://[2001:db8::1]:5432/pix', 'postgres://[2001:db8::1]:5432/pix'],
    ['postgres://%2Frun%2Fpostgresql/pix', 'postgres://%2Frun%2Fpostgresql/pix'],
    ['postgres://pix:pw@/pix?host=/cloudsql/p:r:i', 'postgres://pix:pw@/pix?host=/cloudsql/p:r:i'],
    ['postgres://pix@/pix?host=/run/postgresql', 'postgres://pix:@/pix?host=/run/postgresql'],
    ['postgres://pix:pw@:5433/pix?host=db', 'postgres://pix:pw@/pix?host=db&port=5433'],
    ['postgres://pix:pw@?host=db', 'postgres://pix:pw@/?host=db'],
    ['postgres:///pix?host=db&port=5433', 'postgres:///pix?host=db&port=5433'],
    [
      'postgres:///?host=db&user=pix&password=pw&dbname=a%20b',
      'postgres:///a%20b?host=db&user=pix&password=pw',
    ],
    ['postgres://db/pix?dbname=other', 'postgres://db/other'],
    ['postgres://pix:pw@localhost:1/pix?host=/run', 'postgres://pix:pw@/pix?host=/run&port=1'],
    ['postgres://%2Frun/pix?host=db', 'postgres:///pix?host=db'],
    [
      'postgres://db/pix?application_name=a&options=-c%20a%3Db',
      'postgres://db/pix?application_name=a&options=-c+a=b',
    ],
    ['postgres://db/pix?password=a+b', 'postgres://db/pix?password=a+b'],
    ['postgres://db/pix?port=&application_name=&', 'postgres://db/pix'],
    // `pg`'s default.
    [
      'postgres://db/pix?channel_binding=disable&target_session_attrs=any&client_encoding=utf8&keepalives=1' +
        '&gssencmode=disable&sslsni=1&sslcompression=0&load_balance_hosts=disable',
      'postgres://db/pix',
    ],
    ...['require', 'verify-ca', 'verify-full'].map((mode) => [
      `postgres://db/pix?sslmode=${mode}`,
      'postgres://db/pix?sslmode=verify-full',
    ]),
    ...['disable', 'no-verify'].map((mode) => [
      `postgres://db/pix?sslmode=${mode}`,
      `postgres://db/pix?sslmode=${mode}`,
    ]),
    ['postgres://db/pix?sslmode=', 'postgres://db/pix'],
    ['postgres://db/pix?ssl=true', 'postgres://db/pix?sslmode=verify-full'],
    ['postgres://db/pix?ssl=0', 'postgres://db/pix?sslmode=disable'],
    [
      'postgres://db/pix?sslmode=disable&uselibpqcompat=false',
      'postgres://db/pix?sslmode=disable&uselibpqcompat=false',
    ],
    ['postgres://db/pix?ssl=true&sslmode=no-verify', 'postgres://db/pix?sslmode=no-verify'],
    [
      'postgres://db/pix?sslmode=require&sslrootcert=PEM',
      'postgres://db/pix?sslmode=verify-full&sslrootcert=PEM',
    ],
    ['postgres://db/pix?sslrootcert=system', 'postgres://db/pix?sslmode=verify-full'],
    [
      'postgres://db/pix?sslmode=require&uselibpqcompat=true',
      'postgres://db/pix?sslmode=require&uselibpqcompat=true',
    ],
    // As in libpq, there is no TLS over a socket.
    ['postgres:///pix?host=/run&sslmode=require', 'postgres:///pix?host=/run'],
    ['postgres://%2Frun/pix?sslmode=require&sslrootcert=/none', 'postgres://%2Frun/pix'],
  ])('%s is read like libpq', (url = '', expected = '') => {
    const found = readDatabaseUrl(withFiles(url));
    expect(found).toStrictEqual({ urls: [expect.any(String) as string], readWrite: false });
    // A changed URL has more characters encoded than necessary.
    expect(urlsOf(found).map(decodeURIComponent)).toStrictEqual([decodeURIComponent(withFiles(expected))]);
  });

  it.each(['a b', 'p/x', 'a%2Fb', 'a:b@c&d=e;f,g$h+i', 'größe'])(
    'the database %s is reached by its encoded name',
    (name) => {
      for (const url of [
        `postgres://db/${encodeURIComponent(name)}`,
        `postgres://db?dbname=${encodeURIComponent(name)}`,
        `postgres://db/other?dbname=${encodeURIComponent(name)}`,
      ]) {
        const [connectionString] = urlsOf(readDatabaseUrl(url));
        expect(new pg.Client({ connectionString }).database).toBe(name);
      }
    },
  );

  const readWrite = 'target_session_attrs=read-write';
  it.each([
    ['one host', `postgres://a/pix?${readWrite}`, ['postgres://a/pix']],
    [
      'hosts with ports',
      `postgres://pix:pw@a:1,b:2,[2001:db8::1]:3/pix?${readWrite}&sslmode=verify-full`,
      ['a:1', 'b:2', '[2001:db8::1]:3'].map((host) => `postgres://pix:pw@${host}/pix?sslmode=verify-full`),
    ],
    ['hosts without ports', `postgres://a,b:2/pix?${readWrite}`, ['postgres://a/pix', 'postgres://b:2/pix']],
    [
      'hosts as a parameter, with one port',
      `postgres://pix:pw@/pix?host=a,/run/postgresql&port=5433&${readWrite}`,
      ['postgres://pix:pw@/pix?host=a&port=5433', 'postgres://pix:pw@/pix?host=/run/postgresql&port=5433'],
    ],
    [
      'hosts and ports as parameters',
      `postgres:///pix?host=a,b&port=1,2&${readWrite}`,
      ['postgres:///pix?host=a&port=1', 'postgres:///pix?host=b&port=2'],
    ],
    [
      'hosts, and ports as a parameter',
      `postgres://a,b/pix?port=1,2&${readWrite}`,
      ['postgres://a/pix?port=1', 'postgres://b/pix?port=2'],
    ],
  ])('of a failover is one URL for each host: %s', (_, url, expected) => {
    const read = readDatabaseUrl(url);
    expect(read).toMatchObject({ readWrite: true });
    expect(urlsOf(read).map(decodeURIComponent)).toStrictEqual(expected);
  });

  const form = 'must read postgres://user:password@host:5432/name, with a port from 1 to 65535';
  const name = 'has a database name that is not supported: it must have no ?, # or path segment of dots';
  const unknown = (parameter: string): string =>
    `has the unknown ${parameter}: check its spelling, the names are those of libpq, in lower case`;
  const opportunistic = (mode: string): string =>
    `has sslmode=${mode}, which may connect without encryption and is not supported: use verify-full, or disable within a private network`;
  const severalHosts = 'names several hosts: add target_session_attrs=read-write, because the service writes';
  const lists = 'has lists of hosts and ports that differ in length, or with an empty entry';
  it.each([
    ['mysql://db/pix', 'must be a URL that starts with postgres:// or postgresql://'],
    ['db:5432/pix', 'must be a URL that starts with postgres:// or postgresql://'],
    ['host=db dbname=pix', 'must be a URL that starts with postgres:// or postgresql://'],
    ...[
      'db:70000/pix',
      'db:0/pix',
      'db:x/pix',
      'db/pix?port=abc',
      'db/pix?port=0',
      'db/pix?port=65536',
      'db/pix?port=1x',
    ].map((rest) => [`postgres://${rest}`, form]),
    ['postgres://db/a%3Fb', name],
    ['postgres://db?dbname=a%23b', name],
    ['postgres://db?dbname=..', name],
    ['postgres://db/pix#x', 'has a `#`, which must be percent-encoded as `%23`'],
    ['postgres://db/pix?sslmode=verify-full&sslmode=no-verify', 'repeats the parameter sslmode: set it once'],
    ['postgres://db/pix?sslmode=disable&sslmode=disable', 'repeats the parameter sslmode: set it once'],
    ['postgres://db/pix?host=a&port=1&host=b', 'repeats the parameter host: set it once'],
    [
      'postgres://db/pix?%73slmode=no-verify&sslmode=verify-full',
      'repeats the parameter sslmode: set it once',
    ],
    ['postgres://db/pix?sslmod=require', unknown('parameter sslmod')],
    ['postgres://db/pix?SSLMODE=require', unknown('parameter SSLMODE')],
    ['postgres:///pix?host=/run&sslmod=require', unknown('parameter sslmod')],
    ['postgres://pix:1?secret=&a=b@db/pix', unknown('parameter')],
    ['postgres://db/pix?a%20b=1', unknown('parameter')],
    ['postgres://db/pix?sslmode', 'has the parameter sslmode without a value'],
    ['postgres://db/pix?pgbouncer=true', 'has the parameter pgbouncer, which is for Prisma: remove it'],
    ['postgres://db/pix?schema=public', 'has the parameter schema, which is for Prisma: remove it'],
    [
      'postgres://db/pix?currentSchema=public',
      'has the parameter currentSchema, which is for JDBC: remove it',
    ],
    [
      'postgres://db/pix?sslmode=require&channel_binding=require',
      'has the parameter channel_binding, which is not supported: remove it: sslmode=verify-full verifies the server',
    ],
    [
      'postgres://db/pix?connect_timeout=10',
      'has the parameter connect_timeout, which is not supported: remove it: a connection times out after 0.9 s',
    ],
    ...['read-only', 'primary', 'standby', 'prefer-standby', 'bogus'].map((target) => [
      `postgres://a,b/pix?target_session_attrs=${target}`,
      'has a target_session_attrs that is not supported: use read-write, because the service writes, or any',
    ]),
    ['postgres://a,b/pix?target_session_attrs=any', severalHosts],
    [
      `postgres://db/pix?${readWrite}&${readWrite}`,
      'repeats the parameter target_session_attrs: set it once',
    ],
    ['postgres://a,b,c/pix?port=1,2', lists],
    ['postgres://a,/pix', lists],
    [`postgres:///pix?host=a,b&port=1,2,3&${readWrite}`, lists],
    [`postgres:///pix?host=a,,b&${readWrite}`, lists],
    [`postgres://a:1,b:x/pix?${readWrite}`, form],
    [`postgres:///pix?host=a,b&port=1,0&${readWrite}`, form],
    [
      'postgres://db/pix?statement_timeout=1000',
      'has the parameter statement_timeout, which is not supported: remove it: a query times out after 5 s',
    ],
    [
      'postgres://db/pix?lock_timeout=1000',
      'has the parameter lock_timeout, which is not supported: set options=-c%20lock_timeout%3D… instead',
    ],
    [
      'postgres://db/pix?client_encoding=latin1',
      'has the parameter client_encoding, which is not supported: only client_encoding=UTF8 is',
    ],
    ...['keepalives_idle=1', 'tcp_user_timeout=1', 'require_auth=none', 'replication=database'].map(
      (pair) => [
        `postgres://db/pix?${pair}`,
        `has the parameter ${pair.slice(0, pair.indexOf('='))}, which is not supported`,
      ],
    ),
    ['postgres://pix:pw@a,b/pix', severalHosts],
    ['postgres://pix:pw@a:1,b:2/pix', severalHosts],
    ['postgres:///pix?host=a,b', severalHosts],
    ['postgres://a/pix?port=1,2', severalHosts],
    ['postgres://db/pix?hostaddr=10.0.0.1', 'has the parameter hostaddr, which is not supported'],
    ['postgres://db/pix?service=pix', 'has the parameter service, which is not supported'],
    ['postgres://db/pix?passfile=/x', 'has the parameter passfile, which is not supported'],
    ['postgres://db/pix?sslcrl=/x', 'has the parameter sslcrl, which is not supported'],
    [
      'postgres://db/pix?sslmode=bogus',
      'has an unknown sslmode: use disable, require, verify-ca, verify-full, no-verify',
    ],
    ...['prefer', 'allow'].map((mode) => [`postgres://db/pix?sslmode=${mode}`, opportunistic(mode)]),
    ['postgres://db/pix?sslmode=prefer&uselibpqcompat=true', opportunistic('prefer')],
    ['postgres://db/pix?uselibpqcompat=yes', 'has an unknown uselibpqcompat: use true or false'],
    ['postgres://db/pix?ssl=true&sslmode=disable', 'has an ssl that contradicts its sslmode: remove ssl'],
    ['postgres://db/pix?ssl=0&sslmode=verify-full', 'has an ssl that contradicts its sslmode: remove ssl'],
    [
      'postgres://db/pix?sslnegotiation=direct&sslmode=disable',
      'has sslnegotiation=direct with sslmode=disable: use sslmode=verify-full',
    ],
    ['postgres://db/pix?ssl=maybe', 'has an unknown ssl: use sslmode=verify-full, no-verify or disable'],
    ['postgres://db/pix?sslnegotiation=x', 'has an unknown sslnegotiation: use postgres or direct'],
    [
      'postgres://db/pix?uselibpqcompat=true&sslmode=verify-ca',
      'needs sslrootcert with sslmode=verify-ca: else any server with a certificate of a public CA is accepted',
    ],
    ...['sslrootcert', 'sslcert', 'sslkey'].flatMap((name) => [
      [
        `postgres://db/pix?sslmode=require&${name}=/nonexistent.crt`,
        `has a parameter ${name} whose file cannot be read (ENOENT)`,
      ],
      [`postgres://db/pix?${name}=/`, `has a parameter ${name} whose file cannot be read (EISDIR)`],
      [`postgres://db/pix?${name}=TEXT`, `has a parameter ${name} whose file is not in PEM format`],
    ]),
  ])('%s is refused with the reason', (url = '', problem = '') => {
    expect(readDatabaseUrl(withFiles(url))).toStrictEqual({ problem });
  });
});

describe('REDIS_URL', () => {
  it.each([
    'redis://redis',
    'redis://redis:6379',
    'rediss://user:pw@redis:6380/0',
    'redis://:pw@[::1]:6379/15',
    'redis://redis/',
    'redis://redis/1?family=6',
  ])('%s is accepted', (url) => {
    expect(readRedisUrl(url)).toStrictEqual({ url });
  });

  const onePrimary = (kind: string): string =>
    `must lead to one Redis primary over TCP (redis://user:password@host:6379/0): ${kind} is not supported`;
  const SENTINEL = `${onePrimary('Redis Sentinel')}; set the primary, or a name or proxy that always leads to it`;
  const CLUSTER = `${onePrimary('Redis Cluster')}; set a Redis without cluster mode, which may be small`;
  it.each([
    ['redis:///run/redis.sock', onePrimary('a URL without a host, as of a socket,')],
    ['redis:///0', onePrimary('a URL without a host, as of a socket,')],
    ['unix:///run/redis.sock', onePrimary('a socket')],
    ['redis+unix:///run/redis.sock', onePrimary('a socket')],
    ['redis+socket:///run/redis.sock', onePrimary('a socket')],
    ['/run/redis.sock', onePrimary('a socket')],
    ['redis-sentinel://a:26379,b:26379/mymaster', SENTINEL],
    ['redis+sentinel://a:26379/mymaster/0', SENTINEL],
    ['sentinel://a', SENTINEL],
    ['rediss+sentinel://a', SENTINEL],
    ['rediss+cluster://a', CLUSTER],
    ['redis+cluster://a:7000', CLUSTER],
    ['redis-cluster://a:7000', CLUSTER],
    ['redis://a:1,b:2', onePrimary('a list of hosts')],
    ['redis://:p,w@a,b', onePrimary('a list of hosts')],
    ['http://redis', 'must be a URL that starts with redis:// or rediss://'],
    ['redis:6379', 'must be a URL that starts with redis:// or rediss://'],
    ['redis://redis:x', 'must read redis://user:password@host:6379/0'],
    [
      'redis://redis/run/redis.sock',
      'must end with the number of a database, if anything: redis://user:password@host:6379/0',
    ],
    [
      'redis://redis/name',
      'must end with the number of a database, if anything: redis://user:password@host:6379/0',
    ],
    [
      'redis://redis?path=/run/redis.sock',
      'has the parameter path, which is not supported; only family (4 or 6) is',
    ],
    [
      'rediss://redis?ssl_cert_reqs=none',
      'has the parameter ssl_cert_reqs, which is not supported; only family (4 or 6) is',
    ],
    ['redis://redis?s%20t', 'has a parameter, which is not supported; only family (4 or 6) is'],
  ])('%s is refused by name', (url, problem) => {
    expect(readRedisUrl(url)).toStrictEqual({ problem });
  });

  it('may have a comma in its password', () => {
    expect(readRedisUrl('redis://:p,w@redis')).toStrictEqual({ url: 'redis://:p,w@redis' });
  });
});
