import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { DELIVERY_MODES, type DeliveryMode } from '../../domain/delivery-mode.js';
import { readRegistrationRule, type RegistrationRule } from '../../domain/registration-rule.js';
import { URL_SIGNATURES, type UrlSignature } from '../../domain/url-signature.js';
import { readDatabaseUrl } from './database-url.js';
import { readRedisUrl } from './redis-url.js';
import { type ConnectionUrl, findUnencodedCredentials } from './url-credentials.js';

export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where the rows live: in this process under a folder, or on a Postgres server. */
export type DatabaseSettings =
  | { readonly kind: 'embedded'; readonly dataDir: string }
  | { readonly kind: 'postgres'; readonly url: string };

/** The account whose URLs are signed. */
export interface CloudinarySettings {
  readonly cloudName: string;
  /** Of uploads; null without `CLOUDINARY_URL`. */
  readonly apiKey: string | null;
  readonly apiSecret: string;
  /** Origin of the upload API. */
  readonly uploadPrefix: string;
  /** Milliseconds for an upload and its answer. */
  readonly uploadTimeout: number;
  readonly signature: UrlSignature;
  /** Set where URLs carry Cloudinary's expiring `__cld_token__` instead of a signature. */
  readonly authToken: {
    /** Hexadecimal. */ readonly key: string;
    /** Seconds, for a JWT without `exp`. */ readonly duration: number;
  } | null;
}

/** Samplers of the OpenTelemetry SDK, by their names in `OTEL_TRACES_SAMPLER`. */
export const SAMPLERS = [
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
  'always_on',
  'always_off',
  'traceidratio',
] as const;

/** Where spans go, and which. */
export interface TracingSettings {
  /** The collector's address without a trailing slash; `/v1/traces` follows it. */
  readonly endpoint: string;
  /** What every export carries, such as a collector's API key. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  readonly sampler: (typeof SAMPLERS)[number];
  /** The share of traces that a sampler by ratio takes, from 0 to 1. */
  readonly ratio: number;
}

/** Every setting of the process, validated and frozen. */
export interface Environment {
  readonly host: string;
  readonly port: number;
  readonly database: DatabaseSettings;
  /** Folder of what is kept beside the database: originals, and embedded mode's rows and secrets. */
  readonly dataDir: string;
  readonly cloudinary: CloudinarySettings;
  /** Whose images Cloudinary's notifications register, in the order in which they are tried. */
  readonly registrationRules: readonly RegistrationRule[];
  readonly deliveryMode: DeliveryMode;
  /** Origin without a trailing slash, or null to use each request's own. */
  readonly publicUrl: string | null;
  /** Fastify's `trustProxy`: hops, addresses, or false. */
  readonly trustProxy: number | readonly string[] | false;
  readonly adminApiKeys: readonly string[];
  /** 32 bytes each; the first encrypts, all decrypt. */
  readonly secretsKeys: readonly Buffer[];
  /** Requests a minute from one address; 0 for no limit. */
  readonly rateLimitAddress: number;
  /** Requests a minute with one issuer's tokens, or for its public images; 0 for no limit. */
  readonly rateLimitIssuer: number;
  /** Where rates are counted for all replicas; null to count in this process. It may hold a password. */
  readonly redisUrl: string | null;
  /** Milliseconds for which a process that was told to end still serves, and says at `/health/ready` that it will end. */
  readonly drainTime: number;
  /** Milliseconds that what is known is served after it was last known to be true, with the database gone. */
  readonly maxStale: number;
  readonly logLevel: LogLevel;
  /** The policy of issuers that are created without one; null without `DEFAULT_POLICY`: then it is {}. */
  readonly defaultPolicy: object | null;
  /** Whether `/docs` is served. */
  readonly docs: boolean;
  /** Whether `/playground` is served. */
  readonly playground: boolean;
  /** Null without `OTEL_EXPORTER_OTLP_ENDPOINT`: then nothing is traced. */
  readonly tracing: TracingSettings | null;
  /** Whether `/console` is served, and its sessions count. */
  readonly console: boolean;
}

/** What embedded mode fills in for what was not set; made once and kept in the data folder. */
export interface EmbeddedSecrets {
  readonly adminApiKey: string;
  readonly secretsKey: Buffer;
  readonly cloudinaryApiSecret: string;
}

/** The cloud of the seed's URL: what embedded mode signs for until `CLOUDINARY_URL` names a real one. */
const EMBEDDED_CLOUD_NAME = 'sadaasdasd';
const MIN_ADMIN_KEY_LENGTH = 32;
/** Requests a minute: more than one process can be asked. */
const MAX_RATE = 100_000_000;

/** Names every bad variable at once, and never a value: a value may be a secret. */
export class EnvironmentError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The environment cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'EnvironmentError';
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

/** A policy as a document, or null with its problems, each to be read after the variable's name. */
export type PolicyReader = (text: string) => {
  readonly policy: object | null;
  readonly problems: readonly string[];
};

class Reader {
  readonly problems: string[] = [];

  constructor(private readonly variables: Variables) {}

  /** An empty variable counts as absent: compose files write `NAME=` for "not set". */
  text(name: string): string | undefined {
    const value = this.variables[name]?.trim();
    return value === undefined || value === '' ? undefined : this.unquoted(name, value);
  }

  list(name: string): string[] {
    return (this.text(name) ?? '')
      .split(',')
      .map((entry) => this.unquoted(name, entry.trim()))
      .filter((entry) => entry !== '');
  }

  /** Refuses a leading quotation mark: `docker run --env-file` and systemd's `--setenv` pass quotes on as they are. */
  private unquoted(name: string, value: string): string {
    if (!/^["'“”„‘’`]/.test(value)) return value;
    const problem = `${name} begins with a quotation mark, which would be part of the value: remove the quotation marks`;
    if (!this.problems.includes(problem)) this.problems.push(problem);
    // What stands inside is checked further, so that its own faults are reported too.
    return value.replaceAll(/^["'“”„‘’`]+|["'“”„‘’`]+$/g, '');
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    const value = this.text(name);
    if (value === undefined) return fallback;
    if (/^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value);
    return this.refuse(`${name} must be a whole number from ${min} to ${max}`, fallback);
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.text(name);
    if (value === undefined) return fallback;
    const found = allowed.find((entry) => entry === value);
    return found ?? this.refuse(`${name} must be one of ${allowed.join(', ')}`, fallback);
  }

  url(name: string, protocols: readonly string[]): URL | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url !== undefined && protocols.includes(url.protocol)) return url;
    this.refuse(`${name} must be a URL that starts with ${protocols.join('// or ')}//`, null);
    return undefined;
  }

  /**
   * A URL with a user and a password.
   * @param parse Brings it into the form of its client.
   */
  connectionUrl(name: string, parse: (text: string) => ConnectionUrl): string | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const unencoded = findUnencodedCredentials(value);
    const found = unencoded === null ? parse(value) : { problem: `has ${unencoded}` };
    if ('url' in found) return found.url;
    return this.refuse<string | undefined>(`${name} ${found.problem}`, undefined);
  }

  refuse<T>(problem: string, fallback: T): T {
    this.problems.push(problem);
    return fallback;
  }
}

/**
 * Reads and checks every setting.
 * @param variables Usually `process.env`.
 * @param embeddedSecrets Returns the kept secrets of a data folder; called in embedded mode alone.
 * @param readPolicy Reads `DEFAULT_POLICY`: what a policy is, is known to a room above this one.
 * @throws EnvironmentError naming every bad variable.
 */
export function readEnvironment(
  variables: Variables,
  embeddedSecrets: (dataDir: string) => EmbeddedSecrets,
  readPolicy: PolicyReader,
): Environment {
  const read = new Reader(variables);
  const database = readDatabase(read);
  const embedded = database.kind === 'embedded';
  const cloudinaryUrl = read.url('CLOUDINARY_URL', ['cloudinary:']);
  const adminApiKeys = readAdminKeys(read, embedded);
  const secretsKeys = readSecretsKeys(read, embedded);
  if (!embedded && read.text('CLOUDINARY_URL') === undefined) {
    read.refuse(
      'CLOUDINARY_URL is needed beside DATABASE_URL: cloudinary://API_KEY:API_SECRET@CLOUD_NAME',
      null,
    );
  }
  const account = cloudinaryUrl === undefined ? undefined : readAccount(read, cloudinaryUrl);
  const settings = {
    host: read.text('HOST') ?? '127.0.0.1',
    port: read.integer('PORT', 3000, 0, 65535),
    deliveryMode: read.oneOf(
      'DELIVERY_MODE',
      DELIVERY_MODES,
      cloudinaryUrl === undefined ? 'local' : 'cloudinary',
    ),
    dataDir: readDataDir(read),
    registrationRules: readRegistrationRules(read),
    defaultPolicy: readDefaultPolicy(read, readPolicy),
    publicUrl: readPublicUrl(read),
    trustProxy: readTrustProxy(read),
    rateLimitAddress: read.integer('RATE_LIMIT_ADDRESS', 6_000, 0, MAX_RATE),
    rateLimitIssuer: read.integer('RATE_LIMIT_ISSUER', 0, 0, MAX_RATE),
    redisUrl: read.connectionUrl('REDIS_URL', readRedisUrl) ?? null,
    // Embedded, there is no balancer that would look, and a person waits at the terminal.
    drainTime: 1_000 * read.integer('DRAIN_SECONDS', embedded ? 0 : 1, 0, 60),
    maxStale: 1_000 * read.integer('MAX_STALE', 300, 0, 86_400),
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    docs: read.oneOf('DOCS', ['on', 'off'], embedded ? 'on' : 'off') === 'on',
    playground: read.oneOf('PLAYGROUND', ['on', 'off'], embedded ? 'on' : 'off') === 'on',
    tracing: readTracing(read),
    console: read.oneOf('CONSOLE', ['on', 'off'], embedded ? 'on' : 'off') === 'on',
  };
  const signature = read.oneOf('CLOUDINARY_SIGNATURE', URL_SIGNATURES, 'sha1');
  const authToken = readAuthToken(read);
  const uploadPrefix = readUploadPrefix(read);
  const uploadTimeout = readUploadTimeout(read);
  if (read.problems.length > 0) throw new EnvironmentError(read.problems);

  const kept = embedded ? embeddedSecrets(database.dataDir) : undefined;
  return Object.freeze({
    ...settings,
    database,
    cloudinary: {
      cloudName: account?.cloudName ?? EMBEDDED_CLOUD_NAME,
      apiKey: account?.apiKey ?? null,
      apiSecret: account?.apiSecret ?? kept?.cloudinaryApiSecret ?? '',
      signature,
      authToken,
      uploadPrefix,
      uploadTimeout,
    },
    adminApiKeys: adminApiKeys.length > 0 || kept === undefined ? adminApiKeys : [kept.adminApiKey],
    secretsKeys: secretsKeys.length > 0 || kept === undefined ? secretsKeys : [kept.secretsKey],
  });
}

/** The database's settings alone, for migrations. @throws EnvironmentError */
export function readDatabaseSettings(variables: Variables): DatabaseSettings {
  const read = new Reader(variables);
  const settings = readDatabase(read);
  if (read.problems.length > 0) throw new EnvironmentError(read.problems);
  return settings;
}

/** The account to read from, by those variables alone. */
export type CloudinaryAccount = Pick<
  CloudinarySettings,
  'cloudName' | 'apiSecret' | 'uploadPrefix' | 'uploadTimeout'
> & { readonly apiKey: string };

/** The account's settings alone, for commands that work with a running service. @throws EnvironmentError */
export function readCloudinaryAccount(variables: Variables): CloudinaryAccount {
  const read = new Reader(variables);
  const url = read.url('CLOUDINARY_URL', ['cloudinary:']);
  if (read.text('CLOUDINARY_URL') === undefined) {
    read.refuse('CLOUDINARY_URL is needed: cloudinary://API_KEY:API_SECRET@CLOUD_NAME', null);
  }
  const account = url === undefined ? undefined : readAccount(read, url);
  const uploadPrefix = readUploadPrefix(read);
  const uploadTimeout = readUploadTimeout(read);
  if (account === undefined || read.problems.length > 0) throw new EnvironmentError(read.problems);
  return { ...account, uploadPrefix, uploadTimeout };
}

/** The environment of this process; the one place that reads `process.env`. */
export function processVariables(): Variables {
  return process.env;
}

function readDatabase(read: Reader): DatabaseSettings {
  const url = read.connectionUrl('DATABASE_URL', readDatabaseUrl);
  if (read.text('DATABASE_URL') !== undefined) return { kind: 'postgres', url: url ?? '' };
  return { kind: 'embedded', dataDir: readDataDir(read) };
}

function readDataDir(read: Reader): string {
  return resolve(read.text('DATA_DIR') ?? './data');
}

function readAdminKeys(read: Reader, embedded: boolean): string[] {
  const keys = read.list('ADMIN_API_KEYS');
  if (keys.length === 0 && !embedded) {
    read.refuse(`ADMIN_API_KEYS is needed beside DATABASE_URL: one or more keys, comma-separated`, null);
  }
  if (keys.some((key) => key.length < MIN_ADMIN_KEY_LENGTH || !/^[\x21-\x7e]+$/.test(key))) {
    read.refuse(
      `ADMIN_API_KEYS must hold printable ASCII keys of at least ${MIN_ADMIN_KEY_LENGTH} characters`,
      null,
    );
  }
  return keys;
}

function readSecretsKeys(read: Reader, embedded: boolean): Buffer[] {
  const entries = read.list('SECRETS_KEY');
  if (entries.length === 0 && !embedded) {
    read.refuse(
      'SECRETS_KEY is needed beside DATABASE_URL: 32 random bytes as base64url or hexadecimal',
      null,
    );
  }
  const keys = entries.map((entry) =>
    Buffer.from(entry, /^[0-9a-f]{64}$/i.test(entry) ? 'hex' : 'base64url'),
  );
  if (keys.some((key) => key.length !== 32)) {
    read.refuse(
      'SECRETS_KEY must be 32 bytes as base64url or hexadecimal; several are comma-separated',
      null,
    );
  }
  return keys;
}

interface Account {
  readonly cloudName: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

function readAccount(read: Reader, url: URL): Account | undefined {
  // Cloudinary's secrets are base64url; a percent sign would be the URL parser's own escape of something else.
  const account = { cloudName: url.hostname, apiKey: url.username, apiSecret: url.password };
  // The SDK would take options from the query (a CNAME, a private CDN): they would move every URL's host.
  const bare = url.search === '' && url.hash === '' && (url.pathname === '' || url.pathname === '/');
  if (bare && Object.values(account).every((part) => /^[\w-]+$/.test(part))) return account;
  read.refuse('CLOUDINARY_URL must read cloudinary://API_KEY:API_SECRET@CLOUD_NAME and nothing more', null);
  return undefined;
}

function readRegistrationRules(read: Reader): RegistrationRule[] {
  const rules = read.list('CLOUDINARY_REGISTER').map(readRegistrationRule);
  const known = rules.filter((rule) => rule !== null);
  if (known.length === rules.length) return known;
  return read.refuse(
    'CLOUDINARY_REGISTER must hold rules such as context:KEY, folder:PATH=ISSUER_ID or folder:PATH/:issuer_id, comma-separated',
    known,
  );
}

function readDefaultPolicy(read: Reader, readPolicy: PolicyReader): object | null {
  const text = read.text('DEFAULT_POLICY');
  if (text === undefined) return null;
  const { policy, problems } = readPolicy(text);
  for (const problem of problems) read.refuse(`DEFAULT_POLICY${problem}`, null);
  return policy;
}

function readAuthToken(read: Reader): CloudinarySettings['authToken'] {
  const duration = read.integer('CLOUDINARY_AUTH_TOKEN_DURATION', 3600, 1, 31_536_000);
  const key = read.text('CLOUDINARY_AUTH_TOKEN_KEY');
  if (key === undefined) return null;
  if (/^([0-9a-f]{2}){16,}$/i.test(key)) return { key, duration };
  return read.refuse('CLOUDINARY_AUTH_TOKEN_KEY must be hexadecimal, 32 digits or more', null);
}

/** OpenTelemetry's own variables. */
function readTracing(read: Reader): TracingSettings | null {
  const url = read.url('OTEL_EXPORTER_OTLP_ENDPOINT', ['http:', 'https:']);
  const serviceName = read.text('OTEL_SERVICE_NAME') ?? 'pixseal';
  const sampler = read.oneOf('OTEL_TRACES_SAMPLER', SAMPLERS, 'parentbased_always_on');
  const ratio = Number(read.text('OTEL_TRACES_SAMPLER_ARG') ?? 1);
  if (!(ratio >= 0 && ratio <= 1)) read.refuse('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1', null);
  const headers = readExportHeaders(read);
  if (url === undefined) return null;
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    return read.refuse('OTEL_EXPORTER_OTLP_ENDPOINT must be an origin, with a path at the most', null);
  }
  return { endpoint: url.href.replace(/\/$/, ''), headers, serviceName, sampler, ratio };
}

/** `name=value` pairs, values percent-encoded (https://opentelemetry.io/docs/specs/otel/protocol/exporter/). */
function readExportHeaders(read: Reader): Readonly<Record<string, string>> {
  const written = read.list('OTEL_EXPORTER_OTLP_HEADERS');
  const pairs = written.map((pair) => /^([\w!#$%&'*+.^`|~-]+)\s*=\s*([!-~]+)$/.exec(pair) ?? []);
  try {
    return Object.fromEntries(
      pairs.map(([, name = '', value = '']) => {
        const text = decodeURIComponent(value);
        if (!/^[\t -~]+$/.test(text)) throw new URIError('No text of a header');
        return [name.toLowerCase(), text] as const;
      }),
    );
  } catch {
    return read.refuse(
      'OTEL_EXPORTER_OTLP_HEADERS must be name=value pairs between commas, values percent-encoded',
      {},
    );
  }
}

/** Plain HTTP would show originals to whoever listens: it is for a test's own server on this machine. */
function readUploadPrefix(read: Reader): string {
  const url = read.url('CLOUDINARY_UPLOAD_PREFIX', ['https:', 'http:']);
  if (url === undefined) return 'https://api.cloudinary.com';
  const local = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (isBareOrigin(url) && (url.protocol === 'https:' || local)) return url.origin;
  return read.refuse('CLOUDINARY_UPLOAD_PREFIX must be an https origin alone, or http on this machine', '');
}

function readUploadTimeout(read: Reader): number {
  return 1_000 * read.integer('CLOUDINARY_UPLOAD_TIMEOUT', 60, 1, 600);
}

function isBareOrigin(url: URL): boolean {
  return url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
}

function readPublicUrl(read: Reader): string | null {
  const url = read.url('PUBLIC_URL', ['http:', 'https:']);
  if (url === undefined) return null;
  return isBareOrigin(url)
    ? url.origin
    : read.refuse('PUBLIC_URL must be an origin alone, such as https://img.example.com', null);
}

function readTrustProxy(read: Reader): Environment['trustProxy'] {
  const entries = read.list('TRUST_PROXY');
  const [first] = entries;
  if (first === undefined) return false;
  if (entries.length === 1 && /^[1-9]$/.test(first)) return Number(first);
  if (entries.every(isAddressOrSubnet)) return entries;
  return read.refuse(
    'TRUST_PROXY must be a number of hops (1 to 9) or addresses and subnets, comma-separated',
    false,
  );
}

function isAddressOrSubnet(entry: string): boolean {
  const [address = '', prefix, ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}
