import { DELIVERY_MODES } from '../../domain/delivery-mode.js';
import { URL_SIGNATURES } from '../../domain/url-signature.js';

/** The value of a setting that is not set: the same everywhere, or one that depends on another setting. */
type Default<Value> = Value | ConditionalDefault<Value>;

/** A default that depends on whether another setting is set. */
export interface ConditionalDefault<Value> {
  readonly with: 'DATABASE_URL' | 'CLOUDINARY_URL';
  readonly is: Value;
  readonly otherwise: Value;
}

interface CommonFields {
  /** The heading in docs/settings.md and `.env.example`. */
  readonly group: string;
  /** Its effect, in Markdown, one sentence a line. */
  readonly help: string;
  /** A value for `.env.example`, if the default is not a good one. */
  readonly example?: string;
  /** Whether its value must not be shown. */
  readonly secret?: true;
  /** What to set it to; present if it is required with `DATABASE_URL`. */
  readonly required?: string;
  /** What happens if it is not set: completes "Without it, …". */
  readonly unset?: string;
  /** The value that the container image sets. */
  readonly image?: string;
}

interface TextSetting extends CommonFields {
  readonly kind: 'text';
  readonly default?: string;
  /** Completes "NAME must …"; absent if any text is valid. */
  readonly must?: string;
}

interface ListSetting extends CommonFields {
  readonly kind: 'list';
  /** Completes "NAME must …". */
  readonly must: string;
}

interface NumberSetting extends CommonFields {
  readonly kind: 'integer' | 'number';
  readonly default: Default<number>;
  readonly min: number;
  readonly max: number;
}

/** A setting with a fixed set of values. */
export interface ChoiceSetting<Value extends string> extends CommonFields {
  readonly kind: 'choice' | 'switch';
  readonly default: Default<Value>;
  readonly allowed: readonly Value[];
}

interface UrlSetting extends CommonFields {
  readonly kind: 'url';
  readonly default?: string;
  /** Schemes with their colon. */
  readonly protocols: readonly string[];
  /** Completes "NAME must …" for a URL of a valid scheme. */
  readonly must: string;
}

/** A URL with a user and a password, checked by the reader of its client. */
interface ConnectionUrlSetting extends CommonFields {
  readonly kind: 'connection_url';
  readonly must: string;
}

/** One setting of the service, for its reader, docs/settings.md and `.env.example`. */
export type Setting =
  TextSetting | ListSetting | NumberSetting | ChoiceSetting<string> | UrlSetting | ConnectionUrlSetting;

export const MIN_ADMIN_KEY_LENGTH = 32;
/** Requests a minute: more than one process can serve. */
const MAX_RATE = 100_000_000;

const PAGE = {
  kind: 'switch',
  allowed: ['on', 'off'],
  default: { with: 'DATABASE_URL', is: 'off', otherwise: 'on' },
} as const;
const RATE = { kind: 'integer', min: 0, max: MAX_RATE } as const;

/** Every setting that the service reads from its environment. An empty variable is the same as one that is not set. */
export const SETTINGS = {
  HOST: {
    group: 'Network',
    kind: 'text',
    default: '127.0.0.1',
    image: '0.0.0.0',
    help: 'The address to listen on.',
  },
  PORT: {
    group: 'Network',
    kind: 'integer',
    min: 0,
    max: 65_535,
    default: 3_000,
    image: '3000',
    help: 'The port to listen on; `0` selects a free one.',
  },
  PUBLIC_URL: {
    group: 'Network',
    kind: 'url',
    protocols: ['http:', 'https:'],
    must: 'be only an origin, such as https://img.example.com',
    example: 'https://img.example.com',
    unset: 'the scheme and `Host` of each request are used',
    help: `The origin that clients see.
It is the origin of redirects in the delivery modes \`local\` and \`blank\`, and of the \`dsn\` of a new key.`,
  },
  TRUST_PROXY: {
    group: 'Network',
    kind: 'list',
    must: 'be a number of hops (1 to 9) or addresses and subnets, comma-separated',
    example: '1',
    unset: 'no proxy is trusted',
    help: `Proxies whose \`X-Forwarded-*\` headers are trusted.
Addresses in \`X-Forwarded-For\` may have ports.`,
  },
  DATABASE_URL: {
    group: 'Storage',
    kind: 'connection_url',
    secret: true,
    must: 'read postgres://user:password@host:5432/name',
    example: 'postgres://pixseal:PASSWORD@localhost:5432/pixseal',
    unset: 'the service runs in embedded mode, with a Postgres of its own in `DATA_DIR`',
    help: `The Postgres server.
Its host may be on loopback: a PgBouncer or a cloud’s proxy beside the service listens there.
Parameters of libpq select TLS and sockets, such as \`?sslmode=verify-full&sslrootcert=/path/ca.pem\` for a private CA.
Several hosts are the servers of a failover, such as \`postgres://user:password@a:5432,b:5432/name?target_session_attrs=read-write\`; see [operations](operations.md#failover).`,
  },
  DATABASE_LISTEN_URL: {
    group: 'Storage',
    kind: 'connection_url',
    secret: true,
    must: 'read postgres://user:password@host:5432/name',
    example: 'postgres://pixseal:PASSWORD@localhost:5432/pixseal',
    unset: 'all connections use `DATABASE_URL`',
    help: `The same database at Postgres itself, if \`DATABASE_URL\` leads to a pooler in transaction mode.
Each process keeps one connection to it, which receives changes; migrations use it too.
See [poolers](operations.md#poolers).`,
  },
  DATABASE_MAX_CONNECTIONS: {
    group: 'Storage',
    kind: 'integer',
    min: 1,
    max: 1_000,
    default: 10,
    help: `Connections that a process opens to \`DATABASE_URL\` at most, besides the one that receives changes.
They are opened when they are needed, and closed after 10 seconds without use.`,
  },
  DATABASE_PREPARED_STATEMENTS: {
    group: 'Storage',
    kind: 'switch',
    allowed: ['on', 'off'],
    default: 'on',
    help: `Whether the statements of redirects are prepared by name, so that Postgres parses them once for each connection.
Set \`off\` behind a pooler in transaction mode that does not track prepared statements, such as PgBouncer before 1.21 or with \`max_prepared_statements=0\`.`,
  },
  DATA_DIR: {
    group: 'Storage',
    kind: 'text',
    default: './data',
    image: '/data',
    help: `The folder for files.
Embedded mode stores its database and its secrets there, and one process at a time can use it.
In every delivery mode but \`cloudinary\` it also has the uploaded originals, which all replicas must share, and the rendered images.`,
  },
  CLOUDINARY_URL: {
    group: 'Cloudinary',
    kind: 'url',
    secret: true,
    protocols: ['cloudinary:'],
    must: 'read cloudinary://API_KEY:API_SECRET@CLOUD_NAME, followed by supported options at most',
    required: 'cloudinary://API_KEY:API_SECRET@CLOUD_NAME',
    example: 'cloudinary://API_KEY:API_SECRET@CLOUD_NAME',
    unset: 'embedded mode signs URLs of a made-up account',
    help: `The Cloudinary account.
It may have these options of Cloudinary’s SDK, such as \`?private_cdn=true&secure_distribution=img.example.com\`; any other is refused.
\`private_cdn=true\`: URLs start with \`https://CLOUD_NAME-res.cloudinary.com/image/\`.
\`secure_distribution\`: the host of the URLs, for a CNAME or a custom host. Without \`private_cdn\` the cloud’s name follows it.
\`upload_prefix\`: as \`CLOUDINARY_UPLOAD_PREFIX\`.
\`signature_algorithm\` (\`sha1\` or \`sha256\`) and \`long_url_signature=true\`: as \`CLOUDINARY_SIGNATURE\`.
\`secure=true\`: has no effect, since every URL starts with \`https://\`.`,
  },
  CLOUDINARY_PREVIOUS_SECRETS: {
    group: 'Cloudinary',
    kind: 'list',
    secret: true,
    must: 'contain pairs API_KEY:API_SECRET of other keys than that of CLOUDINARY_URL, comma-separated',
    example: 'OLD_API_KEY:OLD_API_SECRET',
    unset: 'only notifications signed with the secret of `CLOUDINARY_URL` are accepted',
    help: `Other active API keys of the account, during a rotation.
Notifications signed with their secrets are accepted; URLs and API calls are signed only with the secret of \`CLOUDINARY_URL\`.
See [rotating a secret of Cloudinary](operations.md#secrets-of-cloudinary).`,
  },
  CLOUDINARY_UPLOAD_PREFIX: {
    group: 'Cloudinary',
    kind: 'url',
    protocols: ['https:', 'http:'],
    must: 'be only an https origin, or http on this machine',
    default: 'https://api.cloudinary.com',
    help: `The origin of the upload API, which differs between regions.
If \`CLOUDINARY_URL\` has an \`upload_prefix\`, this setting must have the same value or be empty.`,
  },
  CLOUDINARY_UPLOAD_TIMEOUT: {
    group: 'Cloudinary',
    kind: 'integer',
    min: 1,
    max: 600,
    default: 60,
    help: 'Seconds until an upload to Cloudinary must have its response.',
  },
  CLOUDINARY_SIGNATURE: {
    group: 'Cloudinary',
    kind: 'choice',
    allowed: URL_SIGNATURES,
    default: 'sha1',
    help: `How delivery URLs are signed, as the account is configured.
\`sha1\` and \`sha256\` have 8 characters, \`long\` is SHA-256 with 32 characters.
Uploads are signed with the same algorithm.
If \`CLOUDINARY_URL\` has a \`signature_algorithm\` or \`long_url_signature\`, this setting must mean the same or be empty.`,
  },
  CLOUDINARY_REGISTER: {
    group: 'Cloudinary',
    kind: 'list',
    must: 'contain rules such as context:KEY, metadata:FIELD, folder:PATH=ISSUER_ID or folder:PATH/:issuer_id, comma-separated',
    example: 'folder:tenants/:issuer_id',
    unset: 'notifications register no new image',
    help: `Rules that find the issuer of an image that a notification of Cloudinary registers.
The first rule that matches is used; see [notifications](notifications.md).`,
  },
  CLOUDINARY_AUTH_TOKEN_KEY: {
    group: 'Cloudinary',
    kind: 'text',
    secret: true,
    must: 'be hexadecimal, 32 digits or more',
    unset: 'URLs carry a signature, which does not expire',
    help: `The account’s key of token-based authentication.
With it, URLs carry Cloudinary’s expiring \`__cld_token__\` instead of a signature.
They expire 60 seconds after the \`exp\` of the token: 30 of leeway, and 30 to load the image.
They start 30 seconds before its \`nbf\`: the leeway.
Cloudinary documents \`__cld_token__\` for accounts with a private CDN: without \`private_cdn\` and \`secure_distribution\` in \`CLOUDINARY_URL\`, the service logs a warning at its start, as it does for other accounts with an \`auth_token_key\` and neither a private CDN nor a host.`,
  },
  CLOUDINARY_AUTH_TOKEN_DURATION: {
    group: 'Cloudinary',
    kind: 'integer',
    min: 1,
    max: 31_536_000,
    default: 3_600,
    help: 'Seconds until a URL with a `__cld_token__` expires if its token has no `exp`.',
  },
  CLOUDINARY_AUTH_TOKEN_ROUND: {
    group: 'Cloudinary',
    kind: 'integer',
    min: 0,
    max: 86_400,
    default: 300,
    help: `If its token has no \`exp\`, the expiry of a URL with a \`__cld_token__\` is rounded up to a multiple of these seconds.
Requests of that time then get the same URL, which browsers and the service can cache; \`0\` disables rounding.`,
  },
  CLOUDINARY_AUTH_TOKEN_SIGNATURE: {
    group: 'Cloudinary',
    kind: 'switch',
    allowed: ['on', 'off'],
    default: 'off',
    help: `Whether a URL has its signature \`s--…--\` beside the \`__cld_token__\`, as strict transformations require.
It never expires: the account must require the token too, by the asset’s \`access_control\`.`,
  },
  DELIVERY_MODE: {
    group: 'Redirects',
    kind: 'choice',
    allowed: DELIVERY_MODES,
    default: { with: 'CLOUDINARY_URL', is: 'cloudinary', otherwise: 'local' },
    help: `Where redirects lead.
\`cloudinary\`: to Cloudinary.
\`local\`: to this service, which renders the image itself.
\`blank\`: to this service, which serves one blank image for every request.`,
  },
  MAX_STALE: {
    group: 'Redirects',
    kind: 'integer',
    min: 0,
    max: 86_400,
    default: 300,
    help: `Seconds that cached rows are served while the database is unreachable; \`0\` disables it.
Revocations of that time have no effect until the database is reachable again.`,
  },
  PROXY: {
    group: 'Proxy',
    kind: 'switch',
    allowed: ['on', 'off'],
    default: 'off',
    help: `Whether the service delivers the images of issuers whose policy has \`delivery: proxy\` itself.
With \`off\`, requests for them get 503 \`proxy_disabled\`; no signed URL is handed out.
See [the proxy](proxy.md).`,
  },
  PROXY_CACHE_DIR: {
    group: 'Proxy',
    kind: 'text',
    unset: 'it is `proxy` in `DATA_DIR`',
    help: `The folder of the images that the proxy caches.
Deleting it loses nothing.`,
  },
  PROXY_CACHE_SIZE: {
    group: 'Proxy',
    kind: 'integer',
    min: 64,
    max: 1_000_000,
    default: 1_024,
    help: `MiB of cached images of one process, at most.
The least recently used are deleted first.
Images in transfer need up to 25 MiB each beside it: at most twice \`PROXY_CONCURRENCY\` of them.`,
  },
  PROXY_CONCURRENCY: {
    group: 'Proxy',
    kind: 'integer',
    min: 1,
    max: 1_000,
    default: 64,
    help: `Images that one process fetches at the same time, at most.
Four times as many wait; further requests get 503 \`overloaded\`.`,
  },
  PROXY_UPSTREAM: {
    group: 'Proxy',
    kind: 'url',
    protocols: ['https:', 'http:'],
    must: 'be only an https origin, or http on this machine',
    unset: 'images are fetched from the host of the account',
    help: `The origin of a gateway that images are fetched through.
It receives the path of the signed URL, with the account’s host as \`Host\`.`,
  },
  ADMIN_API_KEYS: {
    group: 'Secrets',
    kind: 'list',
    secret: true,
    must: `contain printable ASCII keys of at least ${MIN_ADMIN_KEY_LENGTH} characters`,
    required: 'one or more keys, comma-separated',
    unset: 'embedded mode generates one',
    help: `Keys of the admin API with full access, comma-separated.
Generate one with \`openssl rand -hex 32\`.`,
  },
  SECRETS_KEY: {
    group: 'Secrets',
    kind: 'list',
    secret: true,
    must: 'be 32 bytes as base64url or hexadecimal; several are comma-separated',
    required: '32 random bytes as base64url or hexadecimal',
    unset: 'embedded mode generates one',
    help: `The key that encrypts the issuers’ secrets.
Generate one with \`openssl rand -hex 32\`.
The first of several encrypts, and all of them decrypt.`,
  },
  DEFAULT_POLICY: {
    group: 'Policy',
    kind: 'text',
    must: 'be `recommended`, or a policy as JSON that names no image and no overlay',
    example: 'recommended',
    unset: 'the policy is `{}`, which restricts nothing',
    help: `The policy of issuers that are created without one.
See [policies](policy.md#the-recommended-policy).`,
  },
  RATE_LIMIT_ADDRESS: {
    ...RATE,
    group: 'Limits',
    default: 6_000,
    help: `Requests a minute from one address (IPv6: one /64), as a burst that is refilled evenly; \`0\` for no limit.
It also limits requests with wrong admin keys.
Behind a proxy, set \`TRUST_PROXY\` too.`,
  },
  RATE_LIMIT_ISSUER: {
    ...RATE,
    group: 'Limits',
    default: 0,
    help: `Requests a minute with the tokens of one issuer and for its public images; \`0\` for no limit.
Every item of \`/deliveries\` is one request.`,
  },
  REDIS_URL: {
    group: 'Limits',
    kind: 'connection_url',
    secret: true,
    must: 'read redis://user:password@host:6379/0 or rediss://user:password@host:6379/0',
    example: 'redis://localhost:6379',
    unset: 'each process counts its own requests',
    help: `The Redis primary through which all replicas share their counts of requests; no request waits for it.
It also has the counts of new pictures and of uses of tokens, which are then not in the database; see [operations](operations.md#counts-of-pictures-and-of-uses).
With \`rediss://\`, \`NODE_EXTRA_CA_CERTS\` adds a private CA.
With \`docker compose --profile redis\` it is \`redis://redis:6379\`.`,
  },
  DOCS: { ...PAGE, group: 'Pages', help: 'Whether the description of the API is served at `/docs`.' },
  PLAYGROUND: {
    ...PAGE,
    group: 'Pages',
    help: 'Whether the page that composes tokens is served at `/playground`.',
  },
  CONSOLE: {
    ...PAGE,
    group: 'Pages',
    help: 'Whether the admin page is served at `/console`, and its sessions are valid.',
  },
  OIDC_ISSUER: {
    group: 'Pages',
    kind: 'url',
    protocols: ['https:', 'http:'],
    must: 'be an https URL without user, query and fragment, or http on this machine',
    example: 'https://login.example.com/realms/main',
    unset: 'the console is signed in to with admin keys only',
    help: `The OpenID Connect provider whose users can sign in to the console, beside admin keys.
Register \`PUBLIC_URL\` with the path \`/console/oidc/callback\` there as the redirect URI, for the authorization code flow, and with the path \`/console\` as the post-logout redirect URI.
\`OIDC_CLIENT_ID\`, \`OIDC_CLIENT_SECRET\` and \`OIDC_ROLES\` must be set too.
See [signing in with OpenID Connect](pages.md#signing-in-with-openid-connect).`,
  },
  OIDC_CLIENT_ID: {
    group: 'Pages',
    kind: 'text',
    unset: '`OIDC_ISSUER` is refused',
    help: 'The id of the console at the provider.',
  },
  OIDC_CLIENT_SECRET: {
    group: 'Pages',
    kind: 'text',
    secret: true,
    unset: '`OIDC_ISSUER` is refused',
    help: 'Its secret, sent with HTTP Basic authentication.',
  },
  OIDC_SCOPE: {
    group: 'Pages',
    kind: 'text',
    default: 'openid',
    must: 'contain openid, and be scopes separated by spaces',
    help: 'The scopes that are requested, for the claim that roles depend on.',
  },
  OIDC_ROLES: {
    group: 'Pages',
    kind: 'list',
    must: 'contain rules CLAIM:VALUE=read, CLAIM:VALUE=write or CLAIM:VALUE=write@ISSUER_ID, comma-separated',
    example: 'groups:pixseal-admins=write,groups:support=read',
    unset: '`OIDC_ISSUER` is refused',
    help: `The roles of users, by a claim of the ID token, which has the value or is a list that contains it.
\`read\` and \`write\` are the scopes of an admin key; \`write\` includes \`read\`.
With \`@ISSUER_ID\`, the user can access that issuer’s rows only.
The first rule that matches is used; a user without one is refused.`,
  },
  DRAIN_SECONDS: {
    group: 'Operation',
    kind: 'integer',
    min: 0,
    max: 60,
    // In embedded mode no load balancer probes the service, and a person waits at the terminal.
    default: { with: 'DATABASE_URL', is: 1, otherwise: 0 },
    help: `Seconds that a process serves after SIGTERM, before it closes its port.
\`/health/ready\` responds with 503 meanwhile.`,
  },
  LOG_LEVEL: {
    group: 'Operation',
    kind: 'choice',
    allowed: ['silent', 'fatal', 'error', 'warn', 'info', 'debug'],
    default: 'info',
    help: 'The lowest level that is logged.',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    group: 'Traces',
    kind: 'url',
    protocols: ['http:', 'https:'],
    must: 'be an origin, with a path at most',
    example: 'http://localhost:4318',
    unset: 'nothing is traced',
    help: `The OTLP collector, over HTTP.
Spans are sent as JSON to \`/v1/traces\` below it; see [operations](operations.md#traces).`,
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    group: 'Traces',
    kind: 'list',
    secret: true,
    must: 'be name=value pairs between commas, values percent-encoded',
    help: 'Headers of every export, such as an API key of the collector.',
  },
  OTEL_SERVICE_NAME: {
    group: 'Traces',
    kind: 'text',
    default: 'pixseal',
    help: 'The name of the service in traces.',
  },
  OTEL_TRACES_SAMPLER: {
    group: 'Traces',
    kind: 'choice',
    allowed: [
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
      'always_on',
      'always_off',
      'traceidratio',
    ],
    default: 'parentbased_always_on',
    help: 'The sampler of OpenTelemetry that selects the traces.',
  },
  OTEL_TRACES_SAMPLER_ARG: {
    group: 'Traces',
    kind: 'number',
    min: 0,
    max: 1,
    default: 1,
    help: 'The share of traces that a sampler by ratio selects.',
  },
} as const satisfies Readonly<Record<string, Setting>>;

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;

/** Names of the settings of a kind. */
export type NameOf<Kind extends Setting['kind']> = {
  [Name in SettingName]: Settings[Name]['kind'] extends Kind ? Name : never;
}[SettingName];

/** The values of a setting with a fixed set of them. */
export type ChoiceOf<Name extends NameOf<'choice' | 'switch'>> = Settings[Name]['allowed'][number];

/** The rule of a value: completes "NAME must …"; null if any text is valid. */
export function ruleOf(setting: Setting): string | null {
  switch (setting.kind) {
    case 'integer':
      return `be a whole number from ${setting.min} to ${setting.max}`;
    case 'number':
      return `be a number from ${setting.min} to ${setting.max}`;
    case 'choice':
    case 'switch':
      return `be one of ${setting.allowed.join(', ')}`;
    default:
      return setting.must ?? null;
  }
}
