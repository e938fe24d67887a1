import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import {
  type Account,
  type AccountSecret,
  AUTH_TOKEN_KEY,
  type AuthTokenSettings,
  deliveryBaseOf,
} from '../../domain/account.js';
import type { DeliveryMode } from '../../domain/delivery-mode.js';
import { readRegistrationRule, type RegistrationRule } from '../../domain/registration-rule.js';
import type { UrlSignature } from '../../domain/url-signature.js';
import { type CloudinaryUrl, isApiOrigin, readCloudinaryUrl } from './cloudinary-url.js';
import { readDatabaseUrl, type ServerUrls } from './database-url.js';
import { readRedisUrl } from './redis-url.js';
import {
  type ChoiceOf,
  type ChoiceSetting,
  type ConditionalDefault,
  MIN_ADMIN_KEY_LENGTH,
  type NameOf,
  ruleOf,
  type Setting,
  type SettingName,
  SETTINGS,
} from './settings.js';
import { isBareOrigin } from './bare-origin.js';
import { readOidcRole, type OidcSettings } from './oidc-settings.js';
import { findUnencodedCredentials, type UrlProblem } from './url-credentials.js';

export type LogLevel = ChoiceOf<'LOG_LEVEL'>;

/** A Postgres server, or several of which one is the primary. */
export interface ServerSettings extends ServerUrls {
  /** The variable that names it. */
  readonly variable: 'DATABASE_URL' | 'DATABASE_LISTEN_URL';
}

/** The database: in this process under a folder, or on a Postgres server. */
export type DatabaseSettings =
  | { readonly kind: 'embedded'; readonly dataDir: string }
  | {
      readonly kind: 'postgres';
      readonly server: ServerSettings;
      /** Postgres itself, for what needs a session of its own; null if `server` is used. */
      readonly sessionServer: ServerSettings | null;
      /** Connections of the pool. */
      readonly maxConnections: number;
      /** Whether statements may be prepared by name. */
      readonly preparedStatements: boolean;
    };

/** The collector of spans, and their sampling. */
export interface TracingSettings {
  /** The collector's address without a trailing slash; `/v1/traces` follows it. */
  readonly endpoint: string;
  /** Headers of every export, such as a collector's API key. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  readonly sampler: ChoiceOf<'OTEL_TRACES_SAMPLER'>;
  /** The share of traces that a sampler by ratio selects, from 0 to 1. */
  readonly ratio: number;
}

/** How images of issuers with `delivery: proxy` are fetched and cached. */
export interface ProxySettings {
  /** Folder of cached images. */
  readonly cacheDir: string;
  /** Bytes of cached images. */
  readonly cacheBytes: number;
  /** Fetches at the same time. */
  readonly concurrency: number;
  /** Origin that replaces the account's; null for the account's own. */
  readonly upstream: string | null;
}

/** Every setting of the process, validated and frozen. */
export interface Environment {
  readonly host: string;
  readonly port: number;
  readonly database: DatabaseSettings;
  /** Folder of originals, and of embedded mode's database and secrets. */
  readonly dataDir: string;
  /** The account of issuers that have none of their own. */
  readonly cloudinary: Account;
  /** How URLs of accounts with a key of their own expire. */
  readonly authTokenDefaults: Omit<AuthTokenSettings, 'key'>;
  /** Rules for the issuer of an image that Cloudinary's notifications register, in order. */
  readonly registrationRules: readonly RegistrationRule[];
  readonly deliveryMode: DeliveryMode;
  /** Null if `PROXY` is off. */
  readonly proxy: ProxySettings | null;
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
  /** The Redis through which replicas share their counts; null to count in this process only. It may contain a password. */
  readonly redisUrl: string | null;
  /** Milliseconds that a process serves after SIGTERM, while `/health/ready` responds with 503. */
  readonly drainTime: number;
  /** Milliseconds that cached rows are served while the database is unreachable. */
  readonly maxStale: number;
  readonly logLevel: LogLevel;
  /** The policy of issuers that are created without one; null without `DEFAULT_POLICY`: then it is {}. */
  readonly defaultPolicy: object | null;
  /** Whether `/docs` is served. */
  readonly docs: boolean;
  /** Whether `/playground` is served. */
  readonly playground: boolean;
  /** Null without `OTEL_EXPORTER_OTLP_ENDPOINT`: nothing is traced. */
  readonly tracing: TracingSettings | null;
  /** Whether `/console` is served, and its sessions are valid. */
  readonly console: boolean;
  /** The provider of the console's users; null without `OIDC_ISSUER`. */
  readonly oidc: OidcSettings | null;
}

/** Embedded mode's values of secrets that are not set; generated once and stored in the data folder. */
export interface EmbeddedSecrets {
  readonly adminApiKey: string;
  readonly secretsKey: Buffer;
  readonly cloudinaryApiSecret: string;
}

const MIB = 2 ** 20;

/** The original API's cloud, for which embedded mode signs without `CLOUDINARY_URL`. */
const EMBEDDED_CLOUD_NAME = 'sadaasdasd';

/** Names every invalid variable, and never a value: it may be a secret. */
export class EnvironmentError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The environment cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'EnvironmentError';
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

/** A policy as a document, or null with its problems, each of which follows the variable's name. */
export type PolicyReader = (text: string) => {
  readonly policy: object | null;
  readonly problems: readonly string[];
};

/** The settings with a fixed set of values, typed so that each name has its own values. */
const CHOICES: { readonly [Name in NameOf<'choice' | 'switch'>]: ChoiceSetting<ChoiceOf<Name>> } = SETTINGS;

/** Reads variables by the table of settings, and collects their faults. */
class Reader {
  readonly problems: string[] = [];

  constructor(private readonly variables: Variables) {}

  /** @returns undefined for an empty variable too: compose files write `NAME=` for "not set". */
  text(name: SettingName): string | undefined {
    const value = this.variables[name]?.trim();
    return value === undefined || value === '' ? undefined : this.unquoted(name, value);
  }

  list(name: NameOf<'list'>): string[] {
    return (this.text(name) ?? '')
      .split(',')
      .map((entry) => this.unquoted(name, entry.trim()))
      .filter((entry) => entry !== '');
  }

  /** Refuses a leading quotation mark: `docker run --env-file` and systemd's `--setenv` do not remove quotes. */
  private unquoted(name: string, value: string): string {
    if (!/^["'“”„‘’`]/.test(value)) return value;
    const problem = `${name} begins with a quotation mark, which would be part of the value: remove the quotation marks`;
    if (!this.problems.includes(problem)) this.problems.push(problem);
    // The value inside is checked further, so that its own faults are reported too.
    return value.replaceAll(/^["'“”„‘’`]+|["'“”„‘’`]+$/g, '');
  }

  number(name: NameOf<'integer' | 'number'>): number {
    const { kind, min, max, default: fallback } = SETTINGS[name];
    const text = this.text(name);
    if (text === undefined) return this.defaultOf<number>(fallback);
    const value = kind === 'number' || /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : this.refuseValue(name, 0);
  }

  choice<Name extends NameOf<'choice' | 'switch'>>(name: Name): ChoiceOf<Name> {
    const { allowed, default: fallback } = CHOICES[name];
    const value = this.text(name);
    if (value === undefined) return this.defaultOf<ChoiceOf<Name>>(fallback);
    const found = allowed.find((entry) => entry === value);
    return found ?? this.refuseValue(name, this.defaultOf<ChoiceOf<Name>>(fallback));
  }

  isOn(name: NameOf<'switch'>): boolean {
    return this.choice(name) === 'on';
  }

  /** @returns the default if it is not set; undefined without one, and for a URL of another scheme. */
  url(name: NameOf<'url'>): URL | undefined {
    const setting: Setting & { kind: 'url' } = SETTINGS[name];
    const value = this.text(name) ?? setting.default;
    if (value === undefined) return undefined;
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url !== undefined && setting.protocols.includes(url.protocol)) return url;
    this.refuse(`${name} must be a URL that starts with ${setting.protocols.join('// or ')}//`, null);
    return undefined;
  }

  /** @param parse Converts the URL to the form of its client. @returns null if it is not set or is refused. */
  connectionUrl<T extends object>(
    name: NameOf<'connection_url'>,
    parse: (text: string) => T | UrlProblem,
  ): T | null {
    const value = this.text(name);
    if (value === undefined) return null;
    const unencoded = findUnencodedCredentials(value);
    const found = unencoded === null ? parse(value) : { problem: `has ${unencoded}` };
    return 'problem' in found ? this.refuse(`${name} ${found.problem}`, null) : found;
  }

  /** Refuses a setting that is required and not set. */
  require(name: 'CLOUDINARY_URL' | 'ADMIN_API_KEYS' | 'SECRETS_KEY', why = ' with DATABASE_URL'): void {
    this.refuse(`${name} is required${why}: ${SETTINGS[name].required}`, null);
  }

  /** Refuses a value by the rule of the table of settings. */
  refuseValue<T>(name: SettingName, fallback: T): T {
    return this.refuse(`${name} must ${ruleOf(SETTINGS[name]) ?? 'be valid'}`, fallback);
  }

  refuse<T>(problem: string, fallback: T): T {
    this.problems.push(problem);
    return fallback;
  }

  private defaultOf<Value extends string | number>(fallback: Value | ConditionalDefault<Value>): Value {
    if (typeof fallback !== 'object') return fallback;
    return this.text(fallback.with) === undefined ? fallback.otherwise : fallback.is;
  }
}

/**
 * Reads and checks every setting.
 * @param variables Usually `process.env`.
 * @param embeddedSecrets Returns the stored secrets of a data folder; called only in embedded mode.
 * @param readPolicy Reads `DEFAULT_POLICY`: policies belong to a higher room.
 * @throws EnvironmentError naming every invalid variable.
 */
export function readEnvironment(
  variables: Variables,
  embeddedSecrets: (dataDir: string) => EmbeddedSecrets,
  readPolicy: PolicyReader,
): Environment {
  const read = new Reader(variables);
  const database = readDatabase(read);
  const embedded = database.kind === 'embedded';
  const account = readAccount(read);
  const adminApiKeys = readAdminKeys(read, embedded);
  const secretsKeys = readSecretsKeys(read, embedded);
  if (!embedded && read.text('CLOUDINARY_URL') === undefined) {
    read.require('CLOUDINARY_URL');
  }
  const settings = {
    host: read.text('HOST') ?? SETTINGS.HOST.default,
    port: read.number('PORT'),
    deliveryMode: read.choice('DELIVERY_MODE'),
    dataDir: readDataDir(read),
    registrationRules: readRegistrationRules(read),
    defaultPolicy: readDefaultPolicy(read, readPolicy),
    proxy: readProxy(read),
    publicUrl: readPublicUrl(read),
    trustProxy: readTrustProxy(read),
    rateLimitAddress: read.number('RATE_LIMIT_ADDRESS'),
    rateLimitIssuer: read.number('RATE_LIMIT_ISSUER'),
    redisUrl: read.connectionUrl('REDIS_URL', readRedisUrl)?.url ?? null,
    drainTime: 1_000 * read.number('DRAIN_SECONDS'),
    maxStale: 1_000 * read.number('MAX_STALE'),
    logLevel: read.choice('LOG_LEVEL'),
    docs: read.isOn('DOCS'),
    playground: read.isOn('PLAYGROUND'),
    tracing: readTracing(read),
    console: read.isOn('CONSOLE'),
    oidc: readOidc(read),
  };
  const signature = readSignature(read, account);
  const authTokenDefaults = readAuthTokenDefaults(read);
  const authToken = readAuthToken(read, authTokenDefaults);
  const uploadPrefix = readUploadPrefix(read, account);
  const uploadTimeout = readUploadTimeout(read);
  const otherSecrets = readPreviousSecrets(read, account);
  if (read.problems.length > 0) throw new EnvironmentError(read.problems);

  const stored = embedded ? embeddedSecrets(database.dataDir) : undefined;
  const delivery = {
    cloudName: account?.cloudName ?? EMBEDDED_CLOUD_NAME,
    privateCdn: account?.privateCdn ?? false,
    host: account?.host ?? null,
  };
  return Object.freeze({
    ...settings,
    database,
    authTokenDefaults,
    cloudinary: {
      id: null,
      ...delivery,
      deliveryBase: deliveryBaseOf(delivery),
      apiKey: account?.apiKey ?? null,
      apiSecret: account?.apiSecret ?? stored?.cloudinaryApiSecret ?? '',
      otherSecrets,
      signature,
      authToken,
      uploadPrefix,
      uploadTimeout,
    },
    adminApiKeys: adminApiKeys.length > 0 || stored === undefined ? adminApiKeys : [stored.adminApiKey],
    secretsKeys: secretsKeys.length > 0 || stored === undefined ? secretsKeys : [stored.secretsKey],
  });
}

/** Reads only the database's settings, for migrations. @throws EnvironmentError */
export function readDatabaseSettings(variables: Variables): DatabaseSettings {
  const read = new Reader(variables);
  const settings = readDatabase(read);
  if (read.problems.length > 0) throw new EnvironmentError(read.problems);
  return settings;
}

/** The account's settings without those of delivery. */
export type CloudinaryAccount = Pick<
  Account,
  'cloudName' | 'apiSecret' | 'uploadPrefix' | 'uploadTimeout'
> & { readonly apiKey: string };

/** Reads only the account's settings, for commands that use a running service. @throws EnvironmentError */
export function readCloudinaryAccount(variables: Variables): CloudinaryAccount {
  const read = new Reader(variables);
  const account = readAccount(read);
  if (read.text('CLOUDINARY_URL') === undefined) {
    read.require('CLOUDINARY_URL', '');
  }
  const uploadPrefix = readUploadPrefix(read, account);
  const uploadTimeout = readUploadTimeout(read);
  if (account === null || read.problems.length > 0) throw new EnvironmentError(read.problems);
  const { cloudName, apiKey, apiSecret } = account;
  return { cloudName, apiKey, apiSecret, uploadPrefix, uploadTimeout };
}

/** The environment of this process; nothing else reads `process.env`. */
export function processVariables(): Variables {
  return process.env;
}

function readDatabase(read: Reader): DatabaseSettings {
  const server = readServer(read, 'DATABASE_URL');
  const sessionServer = readServer(read, 'DATABASE_LISTEN_URL');
  const maxConnections = read.number('DATABASE_MAX_CONNECTIONS');
  const preparedStatements = read.isOn('DATABASE_PREPARED_STATEMENTS');
  if (read.text('DATABASE_URL') === undefined) {
    if (sessionServer !== null) read.refuse('DATABASE_LISTEN_URL requires DATABASE_URL', null);
    return { kind: 'embedded', dataDir: readDataDir(read) };
  }
  return {
    kind: 'postgres',
    server: server ?? { variable: 'DATABASE_URL', urls: [], readWrite: false },
    sessionServer,
    maxConnections,
    preparedStatements,
  };
}

function readServer(read: Reader, variable: ServerSettings['variable']): ServerSettings | null {
  const found = read.connectionUrl(variable, readDatabaseUrl);
  return found === null ? null : { variable, ...found };
}

function readDataDir(read: Reader): string {
  return resolve(read.text('DATA_DIR') ?? SETTINGS.DATA_DIR.default);
}

function readAdminKeys(read: Reader, embedded: boolean): string[] {
  const keys = read.list('ADMIN_API_KEYS');
  if (keys.length === 0 && !embedded) read.require('ADMIN_API_KEYS');
  if (keys.some((key) => key.length < MIN_ADMIN_KEY_LENGTH || !/^[\x21-\x7e]+$/.test(key))) {
    read.refuseValue('ADMIN_API_KEYS', null);
  }
  return keys;
}

function readSecretsKeys(read: Reader, embedded: boolean): Buffer[] {
  const entries = read.list('SECRETS_KEY');
  if (entries.length === 0 && !embedded) read.require('SECRETS_KEY');
  const keys = entries.map((entry) =>
    Buffer.from(entry, /^[0-9a-f]{64}$/i.test(entry) ? 'hex' : 'base64url'),
  );
  if (keys.some((key) => key.length !== 32)) read.refuseValue('SECRETS_KEY', null);
  return keys;
}

/** @returns null if `CLOUDINARY_URL` is not set or is refused. */
function readAccount(read: Reader): CloudinaryUrl | null {
  const url = read.url('CLOUDINARY_URL');
  if (url === undefined) return null;
  const { account, problems } = readCloudinaryUrl(url);
  if (account === null) return read.refuseValue('CLOUDINARY_URL', null);
  for (const problem of problems) read.refuse(`CLOUDINARY_URL ${problem}`, null);
  return account;
}

/** The option of `CLOUDINARY_URL`, else the setting of its own. */
function readSignature(read: Reader, account: CloudinaryUrl | null): UrlSignature {
  const signature = read.choice('CLOUDINARY_SIGNATURE');
  const option = account?.signature ?? null;
  if (option === null || option === signature) return signature;
  if (read.text('CLOUDINARY_SIGNATURE') === undefined) return option;
  return read.refuse(
    'CLOUDINARY_SIGNATURE differs from signature_algorithm and long_url_signature of CLOUDINARY_URL: remove one of them',
    signature,
  );
}

/** `key:secret` pairs of the account's former secrets. */
function readPreviousSecrets(read: Reader, account: CloudinaryUrl | null): AccountSecret[] {
  const pairs = read.list('CLOUDINARY_PREVIOUS_SECRETS').map((entry) => /^([\w-]+):([\w-]+)$/.exec(entry));
  if (pairs.length === 0) return [];
  if (read.text('CLOUDINARY_URL') === undefined) {
    return read.refuse('CLOUDINARY_PREVIOUS_SECRETS requires CLOUDINARY_URL', []);
  }
  const secrets = pairs.map((pair) => ({
    apiKey: pair?.[1] ?? '',
    apiSecret: pair?.[2] ?? '',
    notAfter: null,
  }));
  const keys = new Set([account?.apiKey, ...secrets.map(({ apiKey }) => apiKey)]);
  const isValid = pairs.every((pair) => pair !== null) && keys.size === secrets.length + 1;
  return isValid ? secrets : read.refuseValue('CLOUDINARY_PREVIOUS_SECRETS', []);
}

function readRegistrationRules(read: Reader): RegistrationRule[] {
  const rules = read.list('CLOUDINARY_REGISTER').map(readRegistrationRule);
  const known = rules.filter((rule) => rule !== null);
  if (known.length === rules.length) return known;
  return read.refuseValue('CLOUDINARY_REGISTER', known);
}

function readDefaultPolicy(read: Reader, readPolicy: PolicyReader): object | null {
  const text = read.text('DEFAULT_POLICY');
  if (text === undefined) return null;
  const { policy, problems } = readPolicy(text);
  for (const problem of problems) read.refuse(`DEFAULT_POLICY${problem}`, null);
  return policy;
}

function readAuthTokenDefaults(read: Reader): Environment['authTokenDefaults'] {
  return {
    duration: read.number('CLOUDINARY_AUTH_TOKEN_DURATION'),
    round: read.number('CLOUDINARY_AUTH_TOKEN_ROUND'),
    withSignature: read.isOn('CLOUDINARY_AUTH_TOKEN_SIGNATURE'),
  };
}

function readAuthToken(read: Reader, defaults: Environment['authTokenDefaults']): AuthTokenSettings | null {
  const key = read.text('CLOUDINARY_AUTH_TOKEN_KEY');
  if (key === undefined) return null;
  if (AUTH_TOKEN_KEY.test(key)) return { key, ...defaults };
  return read.refuseValue('CLOUDINARY_AUTH_TOKEN_KEY', null);
}

/** Reads OpenTelemetry's variables. */
function readTracing(read: Reader): TracingSettings | null {
  const url = read.url('OTEL_EXPORTER_OTLP_ENDPOINT');
  const serviceName = read.text('OTEL_SERVICE_NAME') ?? SETTINGS.OTEL_SERVICE_NAME.default;
  const sampler = read.choice('OTEL_TRACES_SAMPLER');
  const ratio = read.number('OTEL_TRACES_SAMPLER_ARG');
  const headers = readExportHeaders(read);
  if (url === undefined) return null;
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') {
    return read.refuseValue('OTEL_EXPORTER_OTLP_ENDPOINT', null);
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
        if (!/^[\t -~]+$/.test(text)) throw new URIError('Not the text of a header');
        return [name.toLowerCase(), text] as const;
      }),
    );
  } catch {
    return read.refuseValue('OTEL_EXPORTER_OTLP_HEADERS', {});
  }
}

/** The option of `CLOUDINARY_URL`, else the setting of its own. */
function readUploadPrefix(read: Reader, account: CloudinaryUrl | null): string {
  const url = read.url('CLOUDINARY_UPLOAD_PREFIX');
  if (url === undefined) return '';
  if (!isApiOrigin(url)) return read.refuseValue('CLOUDINARY_UPLOAD_PREFIX', '');
  const option = account?.uploadPrefix ?? null;
  if (option === null || option === url.origin) return url.origin;
  if (read.text('CLOUDINARY_UPLOAD_PREFIX') === undefined) return option;
  return read.refuse(
    'CLOUDINARY_UPLOAD_PREFIX differs from upload_prefix of CLOUDINARY_URL: remove one of them',
    '',
  );
}

function readUploadTimeout(read: Reader): number {
  return 1_000 * read.number('CLOUDINARY_UPLOAD_TIMEOUT');
}

/** The issuer, id, secret and roles are set together. */
function readOidc(read: Reader): OidcSettings | null {
  const issuer = read.url('OIDC_ISSUER');
  const clientId = read.text('OIDC_CLIENT_ID');
  const clientSecret = read.text('OIDC_CLIENT_SECRET');
  const scope = read.text('OIDC_SCOPE') ?? SETTINGS.OIDC_SCOPE.default;
  const rules = read.list('OIDC_ROLES');
  const roles = rules.map(readOidcRole).filter((role) => role !== null);
  if (roles.length < rules.length) read.refuseValue('OIDC_ROLES', null);
  if (!/^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(scope) || !scope.split(' ').includes('openid')) {
    read.refuseValue('OIDC_SCOPE', null);
  }
  if (issuer === undefined) return null;
  const isPlain =
    issuer.username === '' && issuer.password === '' && issuer.search === '' && issuer.hash === '';
  if (!isPlain || !isApiOrigin(new URL(issuer.origin))) read.refuseValue('OIDC_ISSUER', null);
  if (clientId === undefined || clientSecret === undefined || rules.length === 0) {
    return read.refuse('OIDC_ISSUER requires OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and OIDC_ROLES', null);
  }
  return { issuer: issuer.href, clientId, clientSecret, scope, roles };
}

function readPublicUrl(read: Reader): string | null {
  const url = read.url('PUBLIC_URL');
  if (url === undefined) return null;
  return isBareOrigin(url) ? url.origin : read.refuseValue('PUBLIC_URL', null);
}

function readProxy(read: Reader): ProxySettings | null {
  const url = read.url('PROXY_UPSTREAM');
  const isValid = url === undefined || isApiOrigin(url);
  const settings = {
    cacheDir: resolve(read.text('PROXY_CACHE_DIR') ?? join(readDataDir(read), 'proxy')),
    cacheBytes: MIB * read.number('PROXY_CACHE_SIZE'),
    concurrency: read.number('PROXY_CONCURRENCY'),
    upstream: isValid ? (url?.origin ?? null) : read.refuseValue('PROXY_UPSTREAM', null),
  };
  return read.isOn('PROXY') ? settings : null;
}

function readTrustProxy(read: Reader): Environment['trustProxy'] {
  const entries = read.list('TRUST_PROXY');
  const [first] = entries;
  if (first === undefined) return false;
  if (entries.length === 1 && /^[1-9]$/.test(first)) return Number(first);
  if (entries.every(isAddressOrSubnet)) return entries;
  return read.refuseValue('TRUST_PROXY', false);
}

function isAddressOrSubnet(entry: string): boolean {
  const [address = '', prefix, ...rest] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}
