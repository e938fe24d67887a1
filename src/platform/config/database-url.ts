import { readFileSync } from 'node:fs';
import type { UrlProblem } from './url-credentials.js';

/** Scheme and authority of a connection URL; the group is the host with its port, or several. */
const AUTHORITY = /^postgres(?:ql)?:\/\/(?:[^/?#]*@)?([^/?#@]*)/i;

/**
 * `pg`'s mode for each mode of libpq. `pg` verifies the certificate and the host name in all modes but `no-verify`, and
 * warns of those whose meaning will change.
 */
const SSL_MODES: ReadonlyMap<string, string> = new Map([
  ['disable', 'disable'],
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
/** Modes of libpq that fall back to a connection without encryption, which `pg` cannot do. */
const OPPORTUNISTIC_SSL_MODES = ['prefer', 'allow'];
const PEM_FILES = ['sslrootcert', 'sslcert', 'sslkey'];
const TLS_PARAMETERS = ['sslmode', 'ssl', 'sslnegotiation', 'uselibpqcompat', ...PEM_FILES];
/** Parameters with an effect: those that `pg` reads, and `dbname`. */
const SUPPORTED = [
  ...[
    'host',
    'port',
    'user',
    'password',
    'dbname',
    'options',
    'application_name',
    'fallback_application_name',
    'target_session_attrs',
  ],
  ...TLS_PARAMETERS,
];
/** Parameters of libpq with the value of `pg`'s behavior, which cannot be changed. */
const FIXED: ReadonlyMap<string, string> = new Map([
  ['channel_binding', 'disable'],
  ['client_encoding', 'UTF8'],
  ['gssencmode', 'disable'],
  ['keepalives', '1'],
  ['load_balance_hosts', 'disable'],
  ['sslcompression', '0'],
  ['sslsni', '1'],
]);
/** Corrections for parameters that are not supported. */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ['channel_binding', 'remove it: sslmode=verify-full verifies the server'],
  ['connect_timeout', 'remove it: a connection times out after 0.9 s'],
  ...['statement_timeout', 'query_timeout'].map(
    (name) => [name, 'remove it: a query times out after 5 s'] as const,
  ),
  ...['lock_timeout', 'idle_in_transaction_session_timeout', 'search_path'].map(
    (name) => [name, `set options=-c%20${name}%3D… instead`] as const,
  ),
]);
/** Parameters of libpq that `pg` ignores. */
const LIBPQ_ONLY = [
  ...['hostaddr', 'service', 'servicefile', 'passfile', 'replication', 'tty'],
  ...['keepalives_idle', 'keepalives_interval', 'keepalives_count', 'tcp_user_timeout'],
  ...['requirepeer', 'require_auth', 'krbsrvname', 'gsslib', 'gssdelegation'],
  ...['sslpassword', 'sslcertmode', 'sslcrl', 'sslcrldir', 'sslkeylogfile', 'requiressl'],
  ...['ssl_min_protocol_version', 'ssl_max_protocol_version', 'min_protocol_version', 'max_protocol_version'],
  ...['scram_client_key', 'scram_server_key'],
  ...['oauth_issuer', 'oauth_client_id', 'oauth_client_secret', 'oauth_scope'],
];
/** Parameters that providers append for other clients. */
const OF_OTHER_CLIENTS: ReadonlyMap<string, string> = new Map([
  ...[
    ...['pgbouncer', 'schema', 'connection_limit', 'pool_timeout', 'socket_timeout'],
    ...['statement_cache_size', 'sslaccept', 'sslidentity'],
  ].map((name) => [name, 'Prisma'] as const),
  ...['currentSchema', 'prepareThreshold', 'reWriteBatchedInserts', 'sslfactory', 'ApplicationName'].map(
    (name) => [name, 'JDBC'] as const,
  ),
  ['supa', 'Supabase'],
]);

/** The servers of a connection URL. */
export interface ServerUrls {
  /** One for each host, in the form of `pg`; never empty. */
  readonly urls: readonly string[];
  /** Whether only a server that accepts writes is used. */
  readonly readWrite: boolean;
}

/**
 * Reads a connection URL of Postgres like libpq (https://www.postgresql.org/docs/current/libpq-connect.html): the host
 * may be a parameter, a socket's folder, and a list.
 * @returns URLs that `pg` reads like libpq, and without a warning.
 */
export function readDatabaseUrl(text: string): ServerUrls | UrlProblem {
  const [authority = '', host] = AUTHORITY.exec(text) ?? [];
  if (host === undefined) return { problem: 'must be a URL that starts with postgres:// or postgresql://' };
  const before = authority.slice(0, authority.length - host.length);
  const rest = literalPluses(text.slice(authority.length));
  const parameters = new URLSearchParams(rest.split('?')[1]);
  const lists = [host, parameters.get('host'), parameters.get('port')].map((list) => (list ?? '').split(','));
  const count = Math.max(...lists.map((list) => list.length));
  // As in libpq, one port is that of all hosts.
  if (lists.some((list) => list.length > 1 && (list.length < count || list.includes(''))))
    return { problem: HOSTS };
  const target = parameters.get('target_session_attrs') ?? '';
  if (!['', 'any', 'read-write'].includes(target)) return { problem: TARGET };
  const readWrite = target === 'read-write';
  if (count > 1 && !readWrite) return { problem: SEVERAL_HOSTS };
  const urls: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const [hosts = []] = lists;
    const read = readHost(before, hosts[index] ?? hosts[0] ?? '', rest, index);
    if ('problem' in read) return read;
    urls.push(read.url);
  }
  return { urls, readWrite };
}

/** @param index Its place in the lists of the parameters `host` and `port`. */
function readHost(before: string, host: string, rest: string, index: number): { url: string } | UrlProblem {
  const hasHost = host !== '' && !host.startsWith(':');
  const parsed = `${before}${hasHost ? '' : 'host'}${host}${rest}`;
  if (!URL.canParse(parsed)) return { problem: FORM };
  const url = new URL(parsed);
  const problem = readParameters(url, index) ?? readName(url);
  if (problem !== null) return { problem };
  // A parameter `host` overrides the URL's host.
  return { url: hasHost && !url.searchParams.has('host') ? url.href : withoutHost(url) };
}

const FORM = 'must read postgres://user:password@host:5432/name, with a port from 1 to 65535';
const HOSTS = 'has lists of hosts and ports that differ in length, or with an empty entry';
const SEVERAL_HOSTS = 'names several hosts: add target_session_attrs=read-write, because the service writes';
const TARGET =
  'has a target_session_attrs that is not supported: use read-write, because the service writes, or any';

/** In libpq's query, `+` is a plus sign; URLSearchParams reads a space. */
function literalPluses(text: string): string {
  const query = text.indexOf('?');
  return query < 0 ? text : text.slice(0, query) + text.slice(query).replaceAll('+', '%2B');
}

/** The form of `pg` without a host: `user:password@/name`, with the port as a parameter. */
function withoutHost(url: URL): string {
  const { protocol, username, password, port, searchParams } = url;
  if (port !== '' && !searchParams.has('port')) searchParams.set('port', port);
  const credentials = username === '' && password === '' ? '' : `${username}:${password}@`;
  return `${protocol}//${credentials}${url.pathname || '/'}${url.search}`;
}

/** Converts the parameters of a URL to the form of `pg`. @returns the fault, or null. */
function readParameters(url: URL, index: number): string | null {
  const { searchParams: parameters } = url;
  if (url.hash !== '') return 'has a `#`, which must be percent-encoded as `%23`';
  const problem = findNameFault(url);
  if (problem !== null) return problem;
  parameters.delete('target_session_attrs');
  for (const name of ['host', 'port']) {
    const list = parameters.get(name)?.split(',') ?? [];
    if (list.length > 1) parameters.set(name, list[index] ?? '');
  }
  for (const name of [...parameters.keys()]) if (parameters.get(name) === '') parameters.delete(name);
  for (const [name, value] of FIXED) {
    const set = parameters.get(name);
    if (set !== null && set.toLowerCase() !== value.toLowerCase()) return notSupported(name, `=${value} is`);
    parameters.delete(name);
  }
  const [host = '', port = url.port] = ['host', 'port'].map((each) => parameters.get(each) ?? undefined);
  if (port !== '' && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) return FORM;
  if (host.startsWith('/') || (host === '' && /^%2f/i.test(url.hostname))) {
    // As in libpq, there is no TLS over a socket.
    for (const each of TLS_PARAMETERS) parameters.delete(each);
    return null;
  }
  return readTls(parameters);
}

/** Finds a parameter without effect, or with two values: `pg` uses the last one. */
function findNameFault({ search, searchParams }: URL): string | null {
  const names = [...searchParams.keys()];
  // An unencoded password may be read as part of the query, and must not be shown.
  const show = (name: string): string =>
    /^[\w.-]{1,40}$/.test(name) && !search.includes('@') ? `parameter ${name}` : 'parameter';
  for (const [index, name] of names.entries()) {
    const client = OF_OTHER_CLIENTS.get(name);
    if (client !== undefined) return `has the parameter ${name}, which is for ${client}: remove it`;
    const isKnown = SUPPORTED.includes(name) || FIXED.has(name);
    if (!isKnown && (LIBPQ_ONLY.includes(name) || INSTEAD.has(name))) return notSupported(name);
    if (!isKnown)
      return `has the unknown ${show(name)}: check its spelling, the names are those of libpq, in lower case`;
    if (names.indexOf(name) !== index) return `repeats the parameter ${name}: set it once`;
  }
  const bare = search
    .slice(1)
    .split('&')
    .find((pair) => pair !== '' && !pair.includes('='));
  return bare === undefined ? null : `has the ${show(bare)} without a value`;
}

/** @param supported The supported value of the parameter. */
function notSupported(name: string, supported?: string): string {
  const hint = INSTEAD.get(name) ?? (supported === undefined ? undefined : `only ${name}${supported}`);
  return `has the parameter ${name}, which is not supported${hint === undefined ? '' : `: ${hint}`}`;
}

/** Sets the database's name as the path, in which `pg` does not decode delimiters of URLs. */
function readName(url: URL): string | null {
  const name = url.searchParams.get('dbname') ?? decodeURIComponent(url.pathname.slice(1));
  url.searchParams.delete('dbname');
  url.pathname = `/${encodeURI(name)}`;
  return decodeURI(url.pathname.slice(1)) === name
    ? null
    : 'has a database name that is not supported: it must have no ?, # or path segment of dots';
}

function readTls(parameters: URLSearchParams): string | null {
  // An empty `sslrootcert` and `system` both mean the CAs of this machine.
  if (parameters.get('sslrootcert') === 'system') {
    parameters.delete('sslrootcert');
    parameters.set('sslmode', 'verify-full');
  }
  const negotiation = parameters.get('sslnegotiation');
  if (negotiation !== null && negotiation !== 'postgres' && negotiation !== 'direct')
    return 'has an unknown sslnegotiation: use postgres or direct';
  const problem = readMode(parameters) ?? findFileFault(parameters);
  if (problem === null && negotiation === 'direct' && parameters.get('sslmode') === 'disable')
    return 'has sslnegotiation=direct with sslmode=disable: use sslmode=verify-full';
  return problem;
}

function readMode(parameters: URLSearchParams): string | null {
  const [ssl, mode, compat] = ['ssl', 'sslmode', 'uselibpqcompat'].map((name) => parameters.get(name));
  if (compat != null && compat !== 'true' && compat !== 'false')
    return 'has an unknown uselibpqcompat: use true or false';
  if (ssl != null) {
    const pgMode = SSL.get(ssl);
    if (pgMode === undefined) return 'has an unknown ssl: use sslmode=verify-full, no-verify or disable';
    if (mode != null && (pgMode === 'disable') !== (mode === 'disable'))
      return 'has an ssl that contradicts its sslmode: remove ssl';
    parameters.delete('ssl');
    if (mode == null) parameters.set('sslmode', pgMode);
  }
  if (mode == null) return null;
  if (OPPORTUNISTIC_SSL_MODES.includes(mode))
    return (
      `has sslmode=${mode}, which may connect without encryption and is not supported: ` +
      'use verify-full, or disable within a private network'
    );
  const pgMode = SSL_MODES.get(mode);
  if (pgMode === undefined) return `has an unknown sslmode: use ${[...SSL_MODES.keys()].join(', ')}`;
  if (compat !== 'true') {
    if (pgMode !== mode) parameters.set('sslmode', pgMode);
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
