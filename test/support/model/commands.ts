import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { HttpResponse } from '../http.js';
import { type ExpectedResponse, type AdminModel, UNKNOWN_ID, type PlannedRequest } from './admin-model.js';
import { type ModelRequest, predict, type Prediction, signModelToken } from './predict.js';
import {
  type Algorithm,
  ALGORITHMS,
  type ModelKey,
  type ModelPolicy,
  type ModelStep,
  TIMES,
} from './rows.js';

/** The service that is compared with the model. */
export interface Real {
  /** Statuses and codes of responses to requests for images so far. */
  readonly seen: Set<string>;
  /** The part of a Location before the signed URL. */
  readonly prefix: string;
  send(method: string, path: string, body?: unknown): Promise<HttpResponse>;
  admin(method: string, path: string, body?: unknown): Promise<HttpResponse>;
}

export type ModelCommand = fc.AsyncCommand<AdminModel, Real>;

/** A write whose rows are chosen when it runs: an arbitrary has no access to rows. */
interface Write {
  readonly name: string;
  readonly input: unknown;
  readonly plan: (model: AdminModel) => PlannedRequest;
}

// Numbers that select an existing row; rarely one of another issuer, or an unknown id.
const choice = fc.nat({ max: 999 });
const FOREIGN = 940;
const UNKNOWN = 980;

function choose<T>(number: number, own: readonly T[], all: readonly T[]): T | undefined {
  if (number >= UNKNOWN) return undefined;
  const rows = number >= FOREIGN || own.length === 0 ? all : own;
  return rows[number % Math.max(1, rows.length)];
}

const chooseIssuer = (model: AdminModel, number: number): string => {
  const all = [...model.known.issuers];
  return choose(number, [...model.issuers.keys()], all) ?? UNKNOWN_ID;
};
const chooseKey = (model: AdminModel, issuerId: string, number: number): ModelKey | undefined => {
  const all = [...model.known.keys];
  const own = all.filter((key) => key.issuer_id === issuerId);
  return choose(number, number % 5 === 0 ? own : model.keysOf(issuerId), all);
};
const chooseImage = (model: AdminModel, issuerId: string | null, number: number): string => {
  const deleted = [...model.deletedImages.values()];
  const own = [...model.images.values(), ...deleted].filter((row) => row.issuer_id === issuerId);
  return choose(number, own.map(idOf), [...model.known.images]) ?? UNKNOWN_ID;
};
const chooseOverlay = (model: AdminModel, issuerId: string | null, number: number): string =>
  choose(number, issuerId === null ? [...model.overlays.keys()] : model.overlaysOf(issuerId).map(idOf), [
    ...model.known.overlays,
  ]) ?? UNKNOWN_ID;
const choosePublic = (model: AdminModel, number: number): string => {
  const all = [...model.images.values(), ...model.deletedImages.values()];
  const open = all.filter(({ access }) => access === 'public').map(idOf);
  return choose(number, open, [...model.known.images]) ?? UNKNOWN_ID;
};
const idOf = ({ id }: { readonly id: string }): string => id;

const usually = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
/** Each member is optional. */
const change = <T>(members: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(members, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;

const deliveryType = fc.constantFrom('authenticated', 'private', 'upload');
const algorithm = usually<Algorithm>('HS256', 'HS384', 'HS512');
const publicId = fc.constantFrom('a', 'b', 'c', 'd/e');
const shared = usually(false, true);
/** Secrets of the caller: two issuers may have the same one. */
const secret = fc.constantFrom(undefined, undefined, 'x'.repeat(32), 'y'.repeat(40));
const notBefore = usually(null, TIMES.longAgo, TIMES.past, TIMES.future);
const keyStart = usually(null, TIMES.longAgo, TIMES.past, TIMES.future);
const keyExpiry = usually(null, TIMES.past, TIMES.future);

/** A step before its overlay is chosen. */
type StepInput = ModelStep & { readonly layer?: number };

const layerStep = choice.map((layer): StepInput => ({ layer }));
const ownStep: fc.Arbitrary<StepInput> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<StepInput>(
      { width: 200, height: 100, crop: 'fill' },
      { width: 900, height: 350, crop: 'fill' },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<StepInput>({ effect: 'sepia' }, { effect: 'gen_background_replace' }),
  },
  { weight: 3, arbitrary: layerStep },
  { weight: 2, arbitrary: fc.constantFrom<StepInput>({ preset: 'card' }, { miaim: 'hey hey !' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<StepInput>({ preset: 'none' }, { width: -1 }, { effects: 'sepia' }),
  },
);

function chooseStep(model: AdminModel, issuerId: string, { layer, ...step }: StepInput): ModelStep {
  if (layer === undefined) return step;
  return { overlay: chooseOverlay(model, issuerId, layer), flags: 'no_overflow' };
}

/** A policy before its rows are chosen. */
interface PolicyInput extends Omit<ModelPolicy, 'mandatory_steps' | 'presets' | 'placeholder'> {
  readonly watermark?: number;
  readonly tint?: true;
  readonly card?: number;
  readonly placeholder?: number;
}

const policyMember: fc.Arbitrary<PolicyInput> = fc.oneof(
  fc.constantFrom<PolicyInput>({ base_chain: [] }, { base_chain: ['c_limit,h_400,w_400', 'fl_attachment'] }),
  choice.map((watermark) => ({ watermark })),
  choice.map((card) => ({ card })),
  choice.map((card) => ({ card, presets_only: true })),
  choice.map((placeholder) => ({ placeholder })),
  fc.constant<PolicyInput>({ tint: true }),
  fc.constantFrom<PolicyInput>(
    { allowed_keys: ['effect', 'overlay', 'flags'] },
    { denied_keys: ['overlay'] },
    { denied_keys: ['width', 'effect'] },
  ),
  fc.constantFrom<PolicyInput>(
    { max_width: 500 },
    { max_height: 300 },
    { max_width: 1920, max_height: 1920 },
  ),
  fc.constantFrom<PolicyInput>({ max_layers: 0 }, { max_layers: 1 }, { max_steps: 0 }, { max_steps: 2 }),
  fc.constantFrom<PolicyInput>({ require_exp: true }, { max_token_age: 5_000 }, { require_image_id: true }),
  fc.constantFrom<PolicyInput>({ strict: true }, { lenient: true }, { claims: 'sharinpix' }),
  fc.constantFrom<PolicyInput>(
    { deny_generative_effects: true },
    { denied_effects: ['generative'] },
    { denied_effects: ['sepia', 'addon'] },
    { allowed_effects: ['sepia'] },
    { allowed_effects: [] },
  ),
  fc.constantFrom<PolicyInput>({ original: 'no' }, { original: 'url' }),
  fc.constantFrom<PolicyInput>(
    { redirect_cache: 'private' },
    { redirect_cache: 'private', redirect_max_age: 60 },
    { redirect_max_age: 60 },
  ),
);
const policy: fc.Arbitrary<PolicyInput> = fc
  .array(policyMember, { maxLength: 3 })
  .map((members) => Object.assign({}, ...members) as PolicyInput);

function choosePolicy(model: AdminModel, issuerId: string, input: PolicyInput): ModelPolicy {
  const { watermark, tint, card, placeholder, ...rest } = input;
  const sharedIds = [...model.overlays.values()].filter((row) => row.shared).map(idOf);
  // Every third layer of a policy is one that is shared, if there is any.
  const layer = (number: number): ModelStep => {
    const id = number % 3 === 0 ? sharedIds[number % Math.max(1, sharedIds.length)] : undefined;
    return id === undefined
      ? chooseStep(model, issuerId, { layer: number })
      : { overlay: id, flags: 'no_overflow' };
  };
  const mandatory = [
    ...(watermark === undefined ? [] : [layer(watermark)]),
    ...(tint === undefined ? [] : [{ effect: 'grayscale' }]),
  ];
  return {
    ...rest,
    ...(mandatory.length === 0 ? {} : { mandatory_steps: mandatory }),
    ...(card === undefined
      ? {}
      : {
          presets: { card: [{ effect: card % 2 === 0 ? 'sepia' : 'gen_background_replace' }, layer(card)] },
        }),
    ...(placeholder === undefined ? {} : { placeholder: chooseImage(model, issuerId, placeholder) }),
  };
}

const write = <T>(
  name: string,
  members: { [K in keyof T]: fc.Arbitrary<T[K]> },
  plan: (model: AdminModel, input: T) => PlannedRequest,
): fc.Arbitrary<Write> =>
  fc.record<T>(members).map((input) => ({ name, input, plan: (model) => plan(model, input) }));

/** A new id, or rarely one that was used before. */
const idFor = (number: number, known: Iterable<string>): string =>
  (number >= FOREIGN ? [...known][number % 7] : undefined) ?? randomUUID();
const assetOf = (model: AdminModel, name: string): string => `${model.name}/${name}`;
const omitUndefined = <T extends object>(body: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

const issuerWrites = fc.oneof(
  write(
    'createIssuer',
    { id: choice, disabled: usually(false, true), delivery_format: usually('jpg', 'png', 'original') },
    (model, { id, ...row }) => model.createIssuer({ ...row, id: idFor(id, model.known.issuers), policy: {} }),
  ),
  {
    weight: 3,
    arbitrary: write(
      'updateIssuer',
      {
        issuer: choice,
        change: change({
          disabled: usually(false, true),
          delivery_format: fc.constantFrom('jpg', 'png', 'original'),
          not_before: notBefore,
        }),
      },
      (model, { issuer, change }) => model.updateIssuer(chooseIssuer(model, issuer), change),
    ),
  },
  {
    weight: 4,
    arbitrary: write('setPolicy', { issuer: choice, policy }, (model, { issuer, policy }) => {
      const id = chooseIssuer(model, issuer);
      return model.updateIssuer(id, { policy: choosePolicy(model, id, policy) });
    }),
  },
  write('deleteIssuer', { issuer: choice }, (model, { issuer }) =>
    model.deleteIssuer(chooseIssuer(model, issuer)),
  ),
);

const keyWrites = fc.oneof(
  {
    weight: 2,
    arbitrary: write(
      'createKey',
      { issuer: choice, algorithm, secret, not_before: keyStart, not_after: keyExpiry },
      (model, { issuer, ...fields }) => model.createKey(chooseIssuer(model, issuer), omitUndefined(fields)),
    ),
  },
  write(
    'updateKey',
    { issuer: choice, key: choice, change: change({ not_before: keyStart, not_after: keyExpiry }) },
    (model, { issuer, key, change }) => {
      const id = chooseIssuer(model, issuer);
      return model.updateKey(id, chooseKey(model, id, key)?.id ?? UNKNOWN_ID, change);
    },
  ),
  write('revokeKey', { issuer: choice, key: choice }, (model, { issuer, key }) => {
    const id = chooseIssuer(model, issuer);
    return model.revokeKey(id, chooseKey(model, id, key)?.id ?? UNKNOWN_ID);
  }),
);

const version = fc.integer({ min: 1, max: 3 });
const access = usually('token', 'public');
const format = fc.constantFrom('png', 'tif', undefined);
const imageWrites = fc.oneof(
  {
    weight: 3,
    arbitrary: write(
      'createImage',
      {
        id: choice,
        issuer: choice,
        public_id: publicId,
        version,
        format,
        delivery_type: deliveryType,
        access,
      },
      (model, { id, issuer, public_id, ...row }) =>
        model.createImage({
          id: idFor(id, model.known.images),
          issuer_id: chooseIssuer(model, issuer),
          public_id: assetOf(model, public_id),
          ...row,
        }),
    ),
  },
  {
    weight: 2,
    arbitrary: write(
      'updateImage',
      {
        image: choice,
        public_id: fc.option(publicId),
        change: change({
          version,
          format: fc.constantFrom('png', 'tif'),
          delivery_type: deliveryType,
          access,
          not_before: notBefore,
        }),
      },
      (model, { image, public_id, change }) =>
        model.updateImage(chooseImage(model, null, image), {
          ...change,
          ...(public_id === null ? {} : { public_id: assetOf(model, public_id) }),
        }),
    ),
  },
  write('deleteImage', { image: choice }, (model, { image }) =>
    model.deleteImage(chooseImage(model, null, image)),
  ),
);

const overlayWrites = fc.oneof(
  {
    weight: 2,
    arbitrary: write(
      'createOverlay',
      { id: choice, issuer: choice, public_id: publicId, delivery_type: deliveryType, shared },
      (model, { id, issuer, public_id, ...row }) =>
        model.createOverlay({
          id: idFor(id, model.known.overlays),
          issuer_id: chooseIssuer(model, issuer),
          public_id: assetOf(model, public_id),
          ...row,
        }),
    ),
  },
  write(
    'updateOverlay',
    { overlay: choice, public_id: publicId, delivery_type: deliveryType, shared },
    (model, { overlay, public_id, ...change }) =>
      model.updateOverlay(chooseOverlay(model, null, overlay), {
        ...change,
        public_id: assetOf(model, public_id),
      }),
  ),
  write('deleteOverlay', { overlay: choice }, (model, { overlay }) =>
    model.deleteOverlay(chooseOverlay(model, null, overlay)),
  ),
);

const name = fc.constantFrom('one', 'two');
const revocationWrites = fc.oneof(
  {
    weight: 2,
    arbitrary: write(
      'revoke',
      {
        issuer: choice,
        name: fc.oneof(fc.record({ jti: name }), fc.record({ session_id: name })),
        until: fc.constantFrom(null, TIMES.future, TIMES.future + 60),
      },
      (model, { issuer, name, until }) => model.revoke(chooseIssuer(model, issuer), name, until),
    ),
  },
  write('restore', { issuer: choice, revocation: choice }, (model, { issuer, revocation }) => {
    const id = chooseIssuer(model, issuer);
    const own = model.revocationsOf(id).map(idOf);
    return model.restore(id, choose(revocation, own, [...model.known.revocations]) ?? UNKNOWN_ID);
  }),
);

const writes = fc.oneof(
  { weight: 6, arbitrary: issuerWrites },
  { weight: 3, arbitrary: keyWrites },
  { weight: 4, arbitrary: imageWrites },
  { weight: 3, arbitrary: overlayWrites },
  { weight: 3, arbitrary: revocationWrites },
);

/** A request for an image before its rows are chosen. */
const requestInput = fc.record({
  image: choice,
  width: fc.constantFrom(null, 120),
  token: fc.option(
    fc.record({
      issuer: choice,
      key: choice,
      kid: fc.constantFrom('none', 'none', 'own', 'other'),
      algorithm: usually<Algorithm | null>(null, ...ALGORITHMS),
      binding: usually('path', 'claim', 'claim and name', 'list', 'others', 'name', 'id', 'imageId'),
      exp: usually<number | undefined>(TIMES.future, undefined, TIMES.past),
      iat: usually<number | undefined>(TIMES.recent, undefined, TIMES.early),
      jti: usually(undefined, 'one', 'two'),
      session_id: usually(undefined, 'one', 'two'),
      steps: fc.array(ownStep, { maxLength: 3 }),
      sharinpix: fc.constantFrom({}, {}, { download: false }, { original: true }),
    }),
    { freq: 6 },
  ),
});
type RequestInput = typeof requestInput extends fc.Arbitrary<infer T> ? T : never;

function chooseRequest(model: AdminModel, { image, width, token }: RequestInput): ModelRequest {
  if (token === null) return { pathId: choosePublic(model, image), token: null, width };
  const issuerId = chooseIssuer(model, token.issuer);
  const key = chooseKey(model, issuerId, token.key);
  const imageId = chooseImage(model, issuerId, image);
  const other = chooseKey(model, issuerId, token.key + 1);
  const kid = { none: undefined, own: key?.id, other: other?.id }[token.kid];
  const bound = {
    claim: imageId,
    'claim and name': imageId,
    list: [UNKNOWN_ID, imageId],
    others: [UNKNOWN_ID],
  };
  const { exp, iat, jti, session_id, steps, sharinpix } = token;
  return {
    pathId: token.binding.endsWith('name') ? 'photo.jpg' : imageId,
    width,
    token: {
      key: key ?? { secret: 'nobody’s secret' },
      algorithm: token.algorithm ?? key?.algorithm ?? 'HS256',
      ...(kid === undefined ? {} : { kid }),
      claims: omitUndefined({
        iss: issuerId,
        image_id: (bound as Record<string, string | string[] | undefined>)[token.binding],
        id: token.binding === 'id' ? imageId : undefined,
        imageId: token.binding === 'imageId' ? imageId : undefined,
        exp,
        iat,
        jti,
        session_id,
        transformations: steps.map((step) => chooseStep(model, issuerId, step)),
        sharinpix,
      }),
    },
  };
}

function pathOf({ pathId, token, width }: ModelRequest, what = ''): string {
  const query = new URLSearchParams({
    ...(token === null ? {} : { token: signModelToken(token) }),
    ...(width === null ? {} : { width: String(width) }),
  });
  return `/images/${pathId}${what}?${query.toString()}`;
}

const VOLATILE = new Set(
  ['created_at', 'updated_at', 'revoked_at', 'uses', 'last_used_at', 'key', 'secret', 'dsn'],
); // prettier-ignore

/** A row without the members that the service generates. */
function withoutVolatile(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutVolatile);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([member]) => !VOLATILE.has(member))
      .map(([member, each]: [string, unknown]) => [member, withoutVolatile(each)]),
  );
}

function checkResponse(response: HttpResponse, { status, code, body }: ExpectedResponse): void {
  const read = response.text === '' ? undefined : response.json();
  const got = { status: response.status, code: (read as { code?: string } | undefined)?.code };
  expect(got).toStrictEqual({ status, code });
  // The service generates the id of a new revocation.
  if (body !== undefined)
    expect(withoutVolatile(read)).toStrictEqual({ id: (read as { id: string }).id, ...body });
}

/** Sends a request over HTTP and compares the response with the model's. */
export async function sendAndCheck(
  real: Real,
  { method, path, body, expected, learn }: PlannedRequest,
): Promise<void> {
  const response = await real.admin(method, path, body);
  checkResponse(response, expected);
  if (response.status === 201) learn?.(response.json());
}

/** The response to a request for an image, in the form of a prediction. */
function readRedirect({ seen }: Real, response: HttpResponse): object {
  const { status, headers } = response;
  if (status === 302) {
    seen.add('302');
    return { status, location: headers.location, cacheControl: headers['cache-control'] };
  }
  const { code, rule } = response.json() as { code: string; rule?: string };
  seen.add(`${status} ${code}`);
  return { status, code, ...(rule === undefined ? {} : { rule }) };
}

function redirectOf(real: Real, prediction: Prediction): object {
  if (!('url' in prediction)) return prediction;
  const { url, cacheControl } = prediction;
  return { status: 302, location: `${real.prefix}${url}`, cacheControl };
}

function checkExplanation(real: Real, response: HttpResponse, prediction: Prediction): void {
  if (!('url' in prediction)) {
    expect(readRedirect(real, response)).toStrictEqual(prediction);
    return;
  }
  const { imageId, placeholderId, issuerId, keyIds, url } = prediction;
  expect([response.status, response.json()]).toMatchObject([
    200,
    {
      image_id: imageId,
      placeholder_id: placeholderId,
      issuer_id: issuerId,
      key_id: keyIds.length === 0 ? null : (expect.toBeOneOf([...keyIds]) as string),
      url,
      location: `${real.prefix}${url}`,
    },
  ]);
}

/** All pages of a list. */
async function readList(real: Real, path: string): Promise<unknown[]> {
  const items: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const response = await real.admin('GET', `${path}limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(response.status).toBe(200);
    const page = response.json() as { items: unknown[]; next_cursor: string | null };
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}

const command = <T>(
  title: string,
  input: fc.Arbitrary<T>,
  run: (model: AdminModel, real: Real, input: T) => Promise<void>,
): fc.Arbitrary<ModelCommand> =>
  input.map((value) => ({
    check: () => true,
    run: (model, real) => run(model, real, value),
    toString: () => `${title} ${JSON.stringify(value)}`,
  }));

const writing = command('write', writes, (model, real, { plan }) => sendAndCheck(real, plan(model)));

const redirect = command('redirect', requestInput, async (model, real, input) => {
  const request = chooseRequest(model, input);
  const response = await real.send('GET', pathOf(request));
  expect(readRedirect(real, response)).toStrictEqual(redirectOf(real, predict(model, request)));
});

const explain = command('explain', requestInput, async (model, real, input) => {
  const request = chooseRequest(model, input);
  const response = await real.send('GET', pathOf(request, '/explain'));
  checkExplanation(real, response, predict(model, request));
});

const deliver = command(
  'deliver',
  fc.array(requestInput, { minLength: 1, maxLength: 3 }),
  async (model, real, inputs) => {
    const requests = inputs.map((input) => ({ ...chooseRequest(model, input), width: null }));
    const response = await real.send('POST', '/deliveries', {
      deliveries: requests.map(({ pathId, token }) => ({
        image_id: pathId,
        ...(token === null ? {} : { token: signModelToken(token) }),
      })),
    });
    expect([response.status, response.json()]).toMatchObject([
      200,
      {
        deliveries: requests.map((request) => {
          const predicted = predict(model, request);
          return 'url' in predicted
            ? { url: predicted.url, image_id: predicted.imageId }
            : { problem: predicted };
        }),
      },
    ]);
  },
);

/** Redirects during a write show the rows before or after it; later ones, those after it. */
const race = command(
  'race',
  fc.record({ write: writes, request: requestInput, times: fc.integer({ min: 1, max: 4 }) }),
  async (model, real, { write: { plan }, request: input, times }) => {
    const request = chooseRequest(model, input);
    const before = predict(model, request);
    const pending = Array.from({ length: times }, () => real.send('GET', pathOf(request)));
    await sendAndCheck(real, plan(model));
    const after = predict(model, request);
    const either = [before, after].map((prediction) => redirectOf(real, prediction));
    for (const response of await Promise.all(pending))
      expect(either).toContainEqual(readRedirect(real, response));
    expect(readRedirect(real, await real.send('GET', pathOf(request)))).toStrictEqual(either[1]);
  },
);

/** Parts of names: of some, of all, of none; wildcards of LIKE and other case. Null: no search. */
const searchText = fc.constantFrom(null, null, '/a', 'D/E', '/', 'model-', 'MARK', '_', '%', '\\', 'no such');

const list = command(
  'list',
  fc.record({
    rows: fc.constantFrom('issuers', 'images', 'overlays', 'revocations'),
    issuer: choice,
    search: searchText,
  }),
  async (model, real, { rows, issuer, search }) => {
    const id = chooseIssuer(model, issuer);
    // An unknown issuer has no list of revocations.
    if (rows === 'revocations' && !model.issuers.has(id)) return;
    const found = search === null ? '' : `search=${encodeURIComponent(search)}&`;
    const path = {
      issuers: `/issuers?name=${model.name}&${found}`,
      images: `/images?issuer_id=${id}&${found}`,
      overlays: `/overlays?issuer_id=${id}&${found}`,
      revocations: `/issuers/${id}/revocations?`,
    }[rows];
    expect(withoutVolatile(await readList(real, path))).toStrictEqual(model.listed(rows, id, search));
  },
);

const read = command(
  'read',
  fc.record({ row: fc.constantFrom('issuer', 'image', 'overlay'), number: choice }),
  async (model, real, { row, number }) => {
    const planned = {
      issuer: () => model.getIssuer(chooseIssuer(model, number)),
      image: () => model.getImage(chooseImage(model, null, number)),
      overlay: () => model.getOverlay(chooseOverlay(model, null, number)),
    }[row]();
    await sendAndCheck(real, planned);
  },
);

const weighted: readonly (readonly [number, fc.Arbitrary<ModelCommand>])[] = [
  [9, writing],
  [12, redirect],
  [2, explain],
  [1, deliver],
  [3, race],
  [1, list],
  [1, read],
];

/** Every command repeated by its weight: fast-check selects each entry with the same probability. */
export const MODEL_COMMANDS: readonly fc.Arbitrary<ModelCommand>[] = weighted.flatMap(([weight, each]) =>
  Array.from({ length: weight }, () => each),
);
