import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDatabaseUrl } from '../../../src/platform/config/database-url.js';
import { readRedisUrl } from '../../../src/platform/config/redis-url.js';

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
  /** Puts the paths of this test's files in place of `PEM` and `TEXT`. */
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
    ['postgres://db/pix?dbname=other', 'postgres://db/pix'],
    [
      'postgres://db/pix?application_name=a&connect_timeout=3',
      'postgres://db/pix?application_name=a&connect_timeout=3',
    ],
    ...['prefer', 'require', 'verify-ca', 'verify-full'].map((mode) => [
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
  ])('%s is read as libpq reads it', (url = '', expected = '') => {
    const found = readDatabaseUrl(withFiles(url));
    expect(found).toStrictEqual({ url: expect.any(String) as string });
    // What changed is written with more characters encoded than it must have.
    expect(decodeURIComponent('url' in found ? found.url : '')).toBe(decodeURIComponent(withFiles(expected)));
  });

  const severalHosts =
    'names several hosts, and one is supported: use the address of the primary, or of a proxy in front of the servers';
  it.each([
    ['mysql://db/pix', 'must be a URL that starts with postgres:// or postgresql://'],
    ['db:5432/pix', 'must be a URL that starts with postgres:// or postgresql://'],
    ['host=db dbname=pix', 'must be a URL that starts with postgres:// or postgresql://'],
    [
      'postgres://db:70000/pix',
      'must read postgres://user:password@host:5432/name, with a port from 0 to 65535',
    ],
    ['postgres://db:x/pix', 'must read postgres://user:password@host:5432/name, with a port from 0 to 65535'],
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
      'has an unknown sslmode: use disable, prefer, require, verify-ca, verify-full, no-verify',
    ],
    [
      'postgres://db/pix?sslmode=allow',
      'has an unknown sslmode: use disable, prefer, require, verify-ca, verify-full, no-verify',
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
  ])('%s is refused, and the reason names what is at fault', (url = '', problem = '') => {
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
  ])('%s is taken', (url) => {
    expect(readRedisUrl(url)).toStrictEqual({ url });
  });

  const onePrimary = (kind: string): string =>
    `must lead to one Redis primary over TCP (redis://user:password@host:6379/0): ${kind} is not supported`;
  it.each([
    ['redis:///run/redis.sock', onePrimary('a URL without a host, as of a socket,')],
    ['redis:///0', onePrimary('a URL without a host, as of a socket,')],
    ['unix:///run/redis.sock', onePrimary('a socket')],
    ['redis+unix:///run/redis.sock', onePrimary('a socket')],
    ['redis+socket:///run/redis.sock', onePrimary('a socket')],
    ['/run/redis.sock', onePrimary('a socket')],
    ['redis-sentinel://a:26379,b:26379/mymaster', onePrimary('Redis Sentinel')],
    ['redis+sentinel://a:26379/mymaster/0', onePrimary('Redis Sentinel')],
    ['sentinel://a', onePrimary('Redis Sentinel')],
    ['redis+cluster://a:7000', onePrimary('Redis Cluster')],
    ['redis-cluster://a:7000', onePrimary('Redis Cluster')],
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
