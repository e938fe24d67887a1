import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type DescribedOperation,
  type Operation,
  operationsOf,
} from '../../src/platform/openapi/operations.js';
import { drawPicture } from '../originals/pictures.js';
import { responsesOf, readApiDocument, type Schema, type Schemas } from '../support/api-document.js';
import { PROBLEMS } from '../../src/domain/problems.js';
import { request, type HttpResponse } from '../support/http.js';
import { deleted, now, renamed, sign, uploaded } from '../support/notifications.js';
import { ownSeed } from '../support/own-seed.js';
import { hostile, jsonOf, nearlyOf, valuesOf } from '../support/schema.arbitrary.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, API_SECRET, startService, type Service } from '../support/service.js';
import { PUBLIC_KEY_ALGORITHMS } from '../../src/tokens/signing-key.js';
import { makeKeyPair } from '../tokens/public-key-fixtures.js';

/** Requests of each operation. */
const RUNS = Number(process.env['PIXSEAL_ADMIN_FUZZ_RUNS'] ?? 25);
/** Rounds of as many requests, until one gets a 2xx. */
const ROUNDS = 20;
/** Statuses that any path may return: with an empty id, or one with a slash, it is another path. */
const OF_PATHS = ['not_found', 'method_not_allowed', 'uri_too_long'];

const document = await readApiDocument();
const schemas = (document.components?.schemas ?? {}) as Schemas;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let service: Service;
let tenant: Tenant;
let publicImage: Tenant;
let picture: Buffer;
/** Keys with fewer rights. */
let weakKeys: string[];
/** Console sessions of the unrestricted key, and of those. */
let cookies: readonly [all: string, ...weak: string[]];

beforeAll(async () => {
  service = await startService({ CONSOLE: 'on' });
  tenant = await createTenant(service, { publicId: 'fuzzed', overlayPublicId: 'fuzzed_layer' });
  account = (await createAccount()).id;
  publicImage = await createTenant(service, {
    publicId: 'fuzzed_by_all',
    overlayPublicId: 'fuzzed_by_none',
    access: 'public',
  });
  picture = await drawPicture(1);
  weakKeys = await Promise.all(
    [{ scopes: ['read'] }, { scopes: ['read', 'write'], issuer_id: tenant.issuerId }].map(async (rights) => {
      const { key } = await post<{ key: string }>(service, '/admin-keys', { name: 'Weak', ...rights });
      return key;
    }),
  );
  const [all = '', ...weak] = await Promise.all([ADMIN_KEY, ...weakKeys].map(signIn));
  cookies = [all, ...weak];
});
afterAll(async () => {
  agent.destroy();
  await service.close();
});

/** Headers of the console's own requests. */
const OWN = { 'x-pixseal-console': '1', 'sec-fetch-site': 'same-origin' };

/** @returns the session's cookie, as a browser sends it */
async function signIn(key: string): Promise<string> {
  const { headers } = await request({
    port: service.port,
    path: '/console/session',
    method: 'POST',
    headers: OWN,
    body: { key },
  });
  return headers['set-cookie']?.[0]?.split(';', 1).join() ?? '';
}

const problems = (...codes: string[]): object => ({
  content: { 'application/problem+json': { schema: { allOf: [{ properties: { code: { enum: codes } } }] } } },
});
const SESSION: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['session', 'oidc'],
  properties: {
    oidc: { type: 'boolean' },
    session: {
      type: 'object',
      nullable: true,
      additionalProperties: false,
      required: ['actor', 'scopes', 'issuer_id', 'is_user', 'expires_at', 'new_issuer_policy'],
      properties: {
        actor: { type: 'string', pattern: '^(environment|admin_key):' },
        scopes: { type: 'array', items: { enum: ['read', 'write'] }, minItems: 1 },
        issuer_id: { type: 'string', format: 'uuid', nullable: true },
        is_user: { enum: [false] },
        expires_at: { type: 'string', format: 'date-time' },
        new_issuer_policy: { type: 'object' },
      },
    },
  },
};
const session = { content: { 'application/json': { schema: SESSION } } };
const KEY: Schema = {
  type: 'object',
  required: ['key'],
  properties: { key: { type: 'string', pattern: '^[\\x21-\\x7e]{1,512}$' } },
};
/** The pages' own routes, which are not in the API's document. */
const OF_CONSOLE = (
  [
    ['get', { 200: session, 403: problems('cross_site_request') }],
    [
      'post',
      {
        201: session,
        400: problems('bad_request'),
        401: problems('wrong_admin_key'),
        403: problems('cross_site_request'),
        413: problems('body_too_large'),
        415: problems('unsupported_media_type'),
        422: problems('invalid_request'),
      },
    ],
    ['delete', { 204: {}, 403: problems('cross_site_request') }],
  ] as const
).map(([method, responses]) => {
  const requestBody = method === 'post' ? { content: { 'application/json': { schema: KEY } } } : undefined;
  const operation = { security: [{ cookie: [] }], responses, requestBody } as unknown as Operation;
  return { path: '/console/session', method, operation };
});

/** Ids for paths, by the path segment before them; created when the list is empty. */
const rows = new Map<string, string[]>();
const createAccount = (): Promise<{ id: string; secrets: [{ id: string }] }> =>
  post(service, '/accounts', {
    ...{ name: 'Fuzzed', cloud_name: randomUUID(), api_key: '1', api_secret: API_SECRET },
  });
/** The account of the secrets. */
let account: string;
const creators: Readonly<Record<string, () => Promise<{ id: string }>>> = {
  accounts: createAccount,
  'admin-keys': () => post(service, '/admin-keys', { name: 'Fuzzed', scopes: ['read'] }),
  images: () => post(service, '/images', { issuer_id: tenant.issuerId, public_id: randomUUID(), version: 1 }),
  issuers: () => post(service, '/issuers', { name: 'Fuzzed' }),
  keys: () => post(service, `/issuers/${tenant.issuerId}/keys`, {}),
  // By the account's id.
  notifications: createAccount,
  overlays: () => post(service, '/overlays', { issuer_id: tenant.issuerId, public_id: randomUUID() }),
  'retained-public-ids': async () => {
    const publicId = randomUUID();
    const members = { issuer_id: tenant.issuerId, public_id: publicId };
    const { id } = await post<{ id: string }>(service, '/overlays', members);
    await service.admin('DELETE', `/overlays/${id}`);
    const { items } = (await service.admin('GET', `/retained-public-ids?public_id=${publicId}`)).json() as {
      items: [{ id: string }];
    };
    return items[0];
  },
  secrets: () => post(service, `/accounts/${account}/secrets`, { api_key: randomUUID(), api_secret: 'x' }),
  revocations: () => post(service, `/issuers/${tenant.issuerId}/revocations`, { jti: randomUUID() }),
};

async function rowOf(path: string, kind: string, index: number): Promise<string> {
  if (path.startsWith('/images')) return publicImage.imageId;
  const there = rows.get(kind) ?? [];
  rows.set(kind, there);
  while (there.length < 3) {
    const created = await creators[kind]?.();
    if (created === undefined) throw new Error(`No create for ${kind}`);
    there.push(created.id);
  }
  return there[index % there.length] ?? '';
}

/** One request, as plain data so that a counterexample can be read. */
interface Fuzzed {
  /** A value for each id of the path: a number selects an existing row. */
  readonly ids: Readonly<Record<string, number | string>>;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body | null;
}

interface Body {
  readonly type: string;
  /** Fields and files of a form, or raw text. */
  readonly content: string | readonly (readonly [name: string, value: string | Buffer])[];
}

const mostly = <T>(good: fc.Arbitrary<T>, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 9, arbitrary: good }, { weight: 1, arbitrary: other });
/** As sent on the wire; an object whose `toString` is not a function is sent as JSON. */
const asText = (value: unknown): string =>
  typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value);
const hostileText = hostile.map(asText);
/** Characters that Node's client can send in a header. */
const asHeader = (text: string): string => text.replaceAll(/[^\x20-\x7e\t]/g, '\u00e9').slice(0, 1_000);
const headerText = fc.string({ unit: 'binary-ascii', maxLength: 300 }).map(asHeader);

/** Values that no schema describes: names of rows, and values checked by another part of Pixseal. */
function knownMembers(): Record<string, fc.Arbitrary<unknown>> {
  const id = (...ids: string[]): fc.Arbitrary<string> =>
    mostly(fc.constantFrom(...ids, ...ids.map((each) => each.toUpperCase())), fc.uuid());
  const steps = fc.array(
    fc.constantFrom<unknown>(
      { width: 200, crop: 'fit' },
      { overlay: tenant.overlayId, flags: 'tiled' },
      { overlay: publicImage.overlayId },
      { effect: 'sepia:50' },
      { width: 0 },
      { preset: 'card' },
    ),
    { minLength: 1, maxLength: 3 },
  );
  const policies = {
    base_chain: fc.subarray(['c_fit,h_10,w_10', 'fl_attachment', 'q_auto', 'l_x']),
    mandatory_steps: steps,
    presets: fc.dictionary(fc.constantFrom('card', 'Wide_1', '__proto__', ''), steps, { maxKeys: 2 }),
    placeholder: id(tenant.imageId),
  };
  const publicKeys = PUBLIC_KEY_ALGORITHMS.map((algorithm) => makeKeyPair(algorithm));
  return {
    // An admin key of the console's session, or the first key of an issuer.
    key: fc.oneof(
      fc.constantFrom(ADMIN_KEY, ...weakKeys),
      fc.stringMatching(/^[\x21-\x7e]{1,512}$/),
      fc.constantFrom({}, ...publicKeys.map(({ algorithm, pem }) => ({ algorithm, public_key: pem })), {
        algorithm: 'EdDSA',
      }),
    ),
    public_key: fc.oneof(
      fc.constantFrom<unknown>(
        ...publicKeys.flatMap(({ pem, publicKey }) => [pem, publicKey.export({ format: 'jwk' })]),
        ...publicKeys.map(({ privateKey }) => privateKey.export({ format: 'jwk' })),
      ),
      hostile,
    ),
    jwks_url: fc.oneof(
      fc.constantFrom('https://idp.example/jwks.json', 'https://127.0.0.1/', 'http://idp.example/'),
      fc.webUrl(),
    ),
    issuer_id: id(tenant.issuerId),
    image_id: id(tenant.imageId, publicImage.imageId),
    // Unknown names would make most requests fail.
    public_id: fc.oneof(
      fc.stringMatching(/^[a-z]{1,8}(\/[a-z0-9 ]{0,6}[a-z0-9]){0,3}$/),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 255 }),
      fc.constantFrom(
        'ж'.repeat(255),
        'a'.repeat(255),
        'a/'.repeat(127) + 'a',
        '\u{20000}'.repeat(127),
        'v1/a',
        'a,b/c',
      ),
    ),
    token: fc.constantFrom(
      tenant.sign(),
      tenant.sign({ transformations: [{ width: 100 }] }),
      tenant.sign({ transformations: [{ width: -1 }] }),
      publicImage.sign(),
      'a.b.c',
    ),
    cursor: fc.oneof(
      fc
        .constantFrom(tenant.imageId, '1', '999999999999999999', '9'.repeat(19), '\0')
        .map((text) => Buffer.from(text).toString('base64url')),
      fc.stringMatching(/^[\w-]{1,64}$/),
    ),
    policy: fc.oneof(
      fc.constantFrom<unknown>({}, { max_width: 100, strict: true }),
      valuesOf({ $ref: '#/components/schemas/PolicyDto' }, schemas, policies),
    ),
    file: fc.constantFrom(picture, picture.subarray(0, 60), Buffer.alloc(0), Buffer.from('<svg/>')),
  };
}

function requestsOf({ path, operation }: DescribedOperation): fc.Arbitrary<Fuzzed> {
  const known = knownMembers();
  const parameters = (operation.parameters ?? []).flatMap((each) => ('in' in each ? [each] : []));
  const inPlace = (place: string): [name: string, values: fc.Arbitrary<unknown>][] =>
    parameters
      .filter((each) => each.in === place)
      .map(({ name, schema }) => [
        name.toLowerCase() === 'idempotency-key' ? 'idempotency-key' : name,
        known[name] ?? valuesOf((schema ?? {}) as Schema, schemas),
      ]);
  const id = fc.oneof(
    { weight: 12, arbitrary: fc.nat({ max: 5 }) },
    {
      weight: 3,
      arbitrary: fc.oneof(
        fc.uuid(),
        hostileText
          .filter((text) => text !== '' && text.length < 2_000)
          .map((text) => encodeURIComponent(text)),
        fc.constantFrom('%zz', '%00', '%ff', '%2e%2e', '..', '%c0%af', "'"),
      ),
    },
  );
  const ids = fc.record(Object.fromEntries(inPlace('path').map(([name]) => [name, id])));
  const queries = inPlace('query').map(([name, values]) =>
    fc.tuple(
      mostly(fc.constant(name), fc.constantFrom(`${name}[]`, `${name}[a]`, name.toUpperCase())),
      mostly(values.map(asText), hostileText),
    ),
  );
  const query = fc
    .tuple(
      ...queries.map((pair) => fc.option(pair, { freq: 2 })),
      mostly<[string, string] | null>(fc.constant(null), fc.tuple(headerText, headerText)),
    )
    .map((pairs) => pairs.filter((pair) => pair !== null));
  const bearer = fc
    .oneof(
      { weight: 14, arbitrary: fc.constant(`Bearer ${ADMIN_KEY}`) },
      { weight: 2, arbitrary: fc.constantFrom(...weakKeys).map((key) => `Bearer ${key}`) },
      { weight: 1, arbitrary: fc.oneof(fc.constantFrom('', 'Bearer ', 'Basic YTpi'), headerText) },
    )
    .map((authorization): Fuzzed['headers'] => ({ authorization }));
  const [all, ...weak] = cookies;
  const cookie = fc.oneof(
    { weight: 14, arbitrary: fc.constant(all) },
    { weight: 2, arbitrary: fc.constantFrom(...weak) },
    { weight: 1, arbitrary: headerText },
    { weight: 1, arbitrary: fc.nat().map((at) => all.slice(0, at % all.length)) },
    { weight: 1, arbitrary: headerText.map((text) => `pixseal_console=${text}`) },
  );
  const fromPage = mostly<Fuzzed['headers']>(
    fc.constant(OWN),
    fc.record({
      'x-pixseal-console': fc.oneof(fc.constantFrom('1', '0', ''), headerText),
      'sec-fetch-site': fc.oneof(fc.constantFrom('none', 'same-site', 'cross-site', ''), headerText),
    }),
  );
  const signedIn = fc
    .tuple(cookie, fromPage)
    .map(([cookieHeader, page]) => ({ ...page, cookie: cookieHeader }));
  const credentials = ((): fc.Arbitrary<Fuzzed['headers']> => {
    if ((operation.security ?? []).length === 0) return fc.constant({});
    if (path === '/console/session') return signedIn;
    return fc.oneof({ weight: 3, arbitrary: bearer }, { weight: 1, arbitrary: signedIn });
  })();
  const own = Object.fromEntries(
    inPlace('header').map(([name, values]) => [
      name,
      fc.option(
        fc.oneof(
          values.map((value) => asHeader(asText(value))),
          fc.constantFrom('first', 'second'),
          headerText,
          fc.constant('a'.repeat(256)),
        ),
      ),
    ]),
  );
  const headers = fc
    .tuple(credentials, fc.record(own))
    .map(([cookieHeader, generated]) =>
      Object.fromEntries(
        Object.entries({ ...generated, ...cookieHeader }).filter(
          (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '',
        ),
      ),
    );
  const content =
    operation.requestBody !== undefined && 'content' in operation.requestBody
      ? operation.requestBody.content
      : {};
  const bodies = Object.entries(content).map(([type, { schema = {} }]) =>
    type === 'multipart/form-data' ? forms(schema as Schema, known) : texts(path, schema as Schema, known),
  );
  const body =
    bodies.length === 0 ? fc.constant(null) : mostly<Body | null>(fc.oneof(...bodies), fc.constant(null));
  return fc.record({ ids, query, headers, body });
}

/** JSON bodies, and text that is almost JSON. */
function texts(
  path: string,
  schema: Schema,
  known: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Body> {
  const values = path.startsWith('/cloudinary/notifications')
    ? notifications()
    : valuesOf(schema, schemas, known);
  const text = fc.oneof(
    { weight: 8, arbitrary: values.map(jsonOf) },
    { weight: 5, arbitrary: nearlyOf(schema, schemas, known).map(jsonOf) },
    { weight: 1, arbitrary: hostile.map(jsonOf) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(values, fc.nat(), fc.string({ unit: 'binary', maxLength: 3 }))
        .map(([value, at, put]) => {
          const whole = JSON.stringify(value);
          return (
            whole.slice(0, at % whole.length) + put.toWellFormed() + whole.slice((at % whole.length) + 1)
          );
        }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ...['', '{', '\ufeff{}', '{"name":1e400}', '{"name":"\\ud800"}', '{"__proto__":{"name":"x"}}'],
        ...['{"name":"a","name":"b"}', '{"constructor":{"prototype":{}}}', '['.repeat(30_000)],
        ...['{"policy":'.repeat(6_000) + '1' + '}'.repeat(6_000), `"${'x'.repeat(70_000)}"`],
      ),
    },
  );
  const type = mostly(
    fc.constant('application/json'),
    fc.constantFrom(
      'application/json; charset=utf-16',
      'text/plain',
      'application/x-www-form-urlencoded',
      'x',
      'multipart/form-data',
    ),
  );
  return fc.record({ type, content: text });
}

/** Notifications of Cloudinary, some of them malformed. */
function notifications(): fc.Arbitrary<unknown> {
  const name = fc.constantFrom('fuzzed', 'fuzzed_by_all', 'shoes/red', 'v1/x', '\0', 'ж'.repeat(255));
  const at = fc.constantFrom(now() - 5, now(), 0);
  const odd = fc.dictionary(
    fc.constantFrom(
      'version',
      'type',
      'resource_type',
      'timestamp',
      'notification_context',
      'context',
      'asset_folder',
    ),
    fc.oneof(
      hostile,
      fc.constantFrom<unknown>(
        ...[
          'upload',
          '0001-01-01T00:00:00Z',
          '-271821-04-20T00:00:00Z',
          '+275760-09-13T00:00:00Z',
          2 ** 53 - 1,
        ],
        { triggered_at: '-100000-01-01T00:00:00Z' },
      ),
    ),
    { maxKeys: 2 },
  );
  return fc.oneof(
    fc.constant(
      uploaded('fuzzed', now(), { notification_context: { triggered_at: '-100000-01-01T00:00:00Z' } }),
    ),
    fc.tuple(name, at, odd).map(([each, when, more]) => uploaded(each, when, more)),
    fc
      .tuple(fc.array(name, { maxLength: 3 }), at, odd)
      .map(([names, when, more]) => deleted(names, when, more)),
    fc.tuple(name, name, at, odd).map(([from, to, when, more]) => renamed(from, to, when, more)),
  );
}

/** Forms, some of them broken. */
function forms(schema: Schema, known: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Body> {
  const filed = fc
    .oneof(
      { weight: 3, arbitrary: valuesOf(schema, schemas, known) },
      { weight: 1, arbitrary: nearlyOf(schema, schemas, known) },
    )
    .map((fields) =>
      Object.entries(fields as Record<string, unknown>)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, Buffer.isBuffer(value) ? value : asText(value)] as const),
    );
  const content = fc
    .tuple(filed, mostly(fc.constant(1), fc.constantFrom(0, 2, 30)))
    .map(([fields, times]) => Array.from({ length: times }, () => fields).flat());
  const type = mostly(
    fc.constant('multipart/form-data; boundary=fuzz'),
    fc.constantFrom(
      'multipart/form-data',
      'multipart/form-data; boundary=other',
      'multipart/mixed; boundary=fuzz',
    ),
  );
  return fc.record({ type, content });
}

function bytesOf({ content }: Body): string | Buffer {
  if (typeof content === 'string') return content;
  const parts = content.flatMap(([name, value]) => [
    `--fuzz\r\nContent-Disposition: form-data; name="${name.replaceAll(/["\r\n]/g, '_')}"`,
    Buffer.isBuffer(value) ? '; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' : '\r\n\r\n',
    value,
    '\r\n',
  ]);
  return Buffer.concat([...parts, '--fuzz--\r\n'].map((part) => Buffer.from(part)));
}

/** Sends a request. A row that it deletes is not used again. */
async function send({ path, method }: DescribedOperation, fuzzed: Fuzzed): Promise<HttpResponse> {
  const places = [...path.matchAll(/([^/]+)\/\{(\w+)\}/g)];
  let where = path;
  let row: string | null = null;
  for (const [index, [, kind = '', name = '']] of places.entries()) {
    const id = fuzzed.ids[name] ?? '';
    const last = index === places.length - 1;
    // An issuer's rows belong to the tenant, and an account's secrets to the account.
    const owner = kind === 'accounts' ? account : tenant.issuerId;
    row = typeof id === 'string' ? null : last ? await rowOf(path, kind, id) : owner;
    where = where.replace(`{${name}}`, row ?? String(id));
  }
  const query = fuzzed.query.map((pair) => pair.map((text) => encodeURIComponent(text)).join('='));
  const { body, headers } = fuzzed;
  const bytes = body === null ? undefined : bytesOf(body);
  const timestamp = String(now());
  const signed = path.startsWith('/cloudinary/notifications')
    ? { 'x-cld-timestamp': timestamp, 'x-cld-signature': sign(String(bytes ?? ''), timestamp) }
    : {};
  const response = await request({
    port: service.port,
    path: query.length === 0 ? where : `${where}?${query.join('&')}`,
    method: method.toUpperCase(),
    headers: { ...signed, ...headers, ...(body === null ? {} : { 'content-type': body.type }) },
    ...(bytes === undefined ? {} : { body: bytes }),
    agent,
  });
  if (method === 'delete' && response.status === 204) {
    for (const [kind, there] of rows)
      rows.set(
        kind,
        there.filter((each) => each !== row),
      );
  }
  return response;
}

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({
  $id: 'api',
  components: {
    // Routes outside of the document are not called.
    schemas: Object.fromEntries(
      Object.entries(schemas).map(([name, schema]) => [
        name,
        name.endsWith('View') ? { ...schema, additionalProperties: false } : schema,
      ]),
    ),
  },
});

/** Describes what is wrong with the body of a response. */
function validatorOf(schema: Schema): ValidateFunction {
  return ajv.compile(schema.$ref === undefined ? schema : { $ref: `api${schema.$ref}` });
}

it.each(
  [...operationsOf(document), ...OF_CONSOLE].map((described) => ({
    ...described,
    name: `${described.method.toUpperCase()} ${described.path}`,
  })),
)('$name responds to any input as the document says, and never with 5xx', async (described) => {
  const received = new Map(responsesOf(document, described).map((response) => [response.status, response]));
  const validators = new Map(
    [...received].flatMap(([status, { schema, codes }]) =>
      schema === undefined || codes.length > 0 ? [] : [[status, validatorOf(schema)] as const],
    ),
  );
  let good = 0;
  const sendRequest = fc.asyncProperty(requestsOf(described), async (fuzzed) => {
    const response = await send(described, fuzzed);
    const { status, text, headers } = response;
    const summary = `${status} ${text.slice(0, 500)}`;
    if (status >= 500) throw new Error(summary);
    const expected = received.get(String(status));
    if (status >= 400) {
      if (headers['content-type'] !== 'application/problem+json; charset=utf-8')
        throw new Error(`not a problem: ${summary}`);
      const { code } = response.json() as { readonly code: string };
      if (!(code in PROBLEMS)) throw new Error(`not in the table of problems: ${summary}`);
      if (!(expected?.codes ?? []).includes(code) && !OF_PATHS.includes(code))
        throw new Error(`not described: ${summary}`);
      return;
    }
    if (expected === undefined) throw new Error(`not described: ${summary}`);
    good += 1;
    const validate = validators.get(String(status));
    if (validate === undefined) {
      if (status === 204 && text !== '') throw new Error(`a body that is not described: ${summary}`);
      if (status === 302) expect(headers.location).toMatch(/^(http|\/)/);
    } else {
      const body = headers['content-type']?.startsWith('application/json') ? response.json() : text;
      if (!validate(body)) throw new Error(`${ajv.errorsText(validate.errors)}: ${summary}`);
    }
  });
  // By chance all of a few requests may be refused: then more are sent.
  for (let round = 0; round < ROUNDS && (round === 0 || good === 0); round += 1) {
    await fc.assert(sendRequest, { numRuns: RUNS, ...ownSeed(round) });
  }
  expect(good).toBeGreaterThan(0);
});
