import { readFileSync } from 'node:fs';
import type { ConnectionUrl } from './url-credentials.js';

/** Scheme and authority of a connection URL; the group is the host with its port, or several. */
const AUTHORITY = /^postgres(?:ql)?:\/\/(?:[^/?#]*@)?([^/?#@]*)/i;

/**
 * What `pg` gets for each mode. It verifies the certificate and the host name in all modes but `no-verify`, and prints
 * a warning for those whose meaning will change.
 */
const SSL_MODES: ReadonlyMap<string, string> = new Map([
  ['disable', 'disable'],
  ['prefer', 'verify-full'],
  ['require', 'verify-full'],
  ['verify-ca', 'verify-full'],
  ['verify-full', 'verify-full'],
  ['no-verify', 'no-verify'],
]);
/** Modes by the values of `ssl`, which is `pg`'s own parameter. */
const SSL: ReadonlyMap<string, string> = new Map([
  ['true', 'verify-full'],
  ['1', 'verify-full'],
  ['false', 'disable'],
  ['0', 'disable'],
  ['no-verify', 'no-verify'],
]);
const PEM_FILES = ['sslrootcert', 'sslcert', 'sslkey'];
const TLS_PARAMETERS = ['sslmode', 'ssl', 'sslnegotiation', ...PEM_FILES];
/** Parameters of libpq that `pg` would drop: each changes which server is trusted, or with what password. */
const UNSUPPORTED = ['hostaddr', 'service', 'servicefile', 'passfile', 'requirepeer', 'sslcrl', 'sslcrldir'];

/**
 * Reads a connection URL of Postgres as libpq does (https://www.postgresql.org/docs/current/libpq-connect.html): the
 * host may be a parameter, and a socket's folder.
 * @returns The URL with everything that `pg` would read otherwise, or warn of, in a form that it takes.
 */
export function readDatabaseUrl(text: string): ConnectionUrl {
  const [authority = '', host] = AUTHORITY.exec(text) ?? [];
  if (host === undefined) return { problem: 'must be a URL that starts with postgres:// or postgresql://' };
  if (host.includes(',')) return SEVERAL_HOSTS;
  const hasHost = host !== '' && !host.startsWith(':');
  const start = authority.length - host.length;
  const parsed = `${text.slice(0, start)}${hasHost ? '' : 'host'}${text.slice(start)}`;
  if (!URL.canParse(parsed))
    return { problem: 'must read postgres://user:password@host:5432/name, with a port from 0 to 65535' };
  const url = new URL(parsed);
  const problem = readParameters(url);
  if (problem !== null) return { problem };
  return { url: hasHost ? url.href : withoutHost(url) };
}

const SEVERAL_HOSTS = {
  problem:
    'names several hosts, and one is supported: use the address of the primary, or of a proxy in front of the servers',
};

/** The form without a host that `pg` takes: `user:password@/name`, the port among the parameters. */
function withoutHost(url: URL): string {
  const { protocol, username, password, port, searchParams } = url;
  if (port !== '' && !searchParams.has('port')) searchParams.set('port', port);
  const credentials = username === '' && password === '' ? '' : `${username}:${password}@`;
  return `${protocol}//${credentials}${url.pathname || '/'}${url.search}`;
}

/** Brings the parameters of a URL into the form of `pg`. @returns what is wrong, or null. */
function readParameters(url: URL): string | null {
  const { searchParams: parameters } = url;
  const unsupported = UNSUPPORTED.find((name) => parameters.has(name));
  if (unsupported !== undefined) return `has the parameter ${unsupported}, which is not supported`;
  const [host, port, name] = ['host', 'port', 'dbname'].map((each) => parameters.get(each) ?? '');
  if (host?.includes(',') === true || port?.includes(',') === true) return SEVERAL_HOSTS.problem;
  if (name !== undefined && name !== '') {
    parameters.delete('dbname');
    if (url.pathname.length < 2) url.pathname = `/${encodeURIComponent(name)}`;
  }
  if (host?.startsWith('/') === true || (host === '' && /^%2f/i.test(url.hostname))) {
    // As in libpq, there is no TLS over a socket.
    for (const each of TLS_PARAMETERS) parameters.delete(each);
    return null;
  }
  return readTls(parameters);
}

function readTls(parameters: URLSearchParams): string | null {
  for (const name of TLS_PARAMETERS) if (parameters.get(name) === '') parameters.delete(name);
  // An empty `sslrootcert` and `system` both mean the CAs of this machine.
  if (parameters.get('sslrootcert') === 'system') {
    parameters.delete('sslrootcert');
    parameters.set('sslmode', 'verify-full');
  }
  const negotiation = parameters.get('sslnegotiation');
  if (negotiation !== null && negotiation !== 'postgres' && negotiation !== 'direct')
    return 'has an unknown sslnegotiation: use postgres or direct';
  return readMode(parameters) ?? findFileFault(parameters);
}

function readMode(parameters: URLSearchParams): string | null {
  const [ssl, mode] = [parameters.get('ssl'), parameters.get('sslmode')];
  if (ssl !== null) {
    const meant = SSL.get(ssl);
    if (meant === undefined) return 'has an unknown ssl: use sslmode=verify-full, no-verify or disable';
    parameters.delete('ssl');
    if (mode === null) parameters.set('sslmode', meant);
  }
  if (mode === null) return null;
  const meant = SSL_MODES.get(mode);
  if (meant === undefined) return `has an unknown sslmode: use ${[...SSL_MODES.keys()].join(', ')}`;
  if (parameters.get('uselibpqcompat') !== 'true') {
    if (meant !== mode) parameters.set('sslmode', meant);
  } else if (mode === 'verify-ca' && !parameters.has('sslrootcert')) {
    return 'needs sslrootcert with sslmode=verify-ca: else any server with a certificate of a public CA is accepted';
  }
  return null;
}

function findFileFault(parameters: URLSearchParams): string | null {
  for (const name of PEM_FILES) {
    const path = parameters.get(name);
    if (path === null) continue;
    try {
      if (!readFileSync(path, 'utf8').includes('-----BEGIN '))
        return `has a parameter ${name} whose file is not in PEM format`;
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'no reason';
      return `has a parameter ${name} whose file cannot be read (${reason})`;
    }
  }
  return null;
}
