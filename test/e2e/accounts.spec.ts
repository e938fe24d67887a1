import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import sharp from 'sharp';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { DatabaseLookups } from '../../src/directory/database-lookups.service.js';
import { DirectoryService } from '../../src/directory/directory.service.js';
import { sendForm } from '../originals/form.js';
import { drawPicture } from '../originals/pictures.js';
import { startUploadApi } from '../originals/upload-api.js';
import { type AccountFixture, createAccount, createTenantOf, notifyAccount } from '../support/accounts.js';
import { createAdminKey } from '../support/admin-keys.js';
import { logOutput } from '../../src/platform/observability/json.logger.js';
import { comparable, type HttpResponse, request } from '../support/http.js';
import { type AllowedLocation, assertLocation, type ParsedLocation } from '../support/location-parser.js';
import { deleted, now, renamed, uploaded } from '../support/notifications.js';
import { post, type Tenant } from '../support/seed.js';
import { API_SECRET, CLOUD, type Service, startService } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';

const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';
const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string;
const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string;

let service: Service;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

let names = 0;
const fresh = (): string => `name_${++names}`;
const codeOf = (response: HttpResponse): unknown[] => [
  response.status,
  (response.json() as { code: string }).code,
];
const sql = <T>(text: string, values: unknown[] = [], on = service): Promise<T[]> =>
  on.app.get(DataSource).query<T[]>(text, values);

interface Secret {
  readonly id: string;
  readonly api_key: string;
  readonly signs: boolean;
}

const secretsOf = async (id: string): Promise<Secret[]> =>
  ((await service.admin('GET', `/accounts/${id}`)).json() as { secrets: Secret[] }).secrets;

/** The response to a tenant's request, whose Location must be of this account. */
async function show(
  { cloudName, apiSecret }: Pick<AccountFixture, 'cloudName' | 'apiSecret'>,
  path: string,
  allowed: Pick<AllowedLocation, 'layers' | 'images'> & Partial<AllowedLocation>,
  on = service,
): Promise<ParsedLocation> {
  const { status, headers } = await request({ port: on.port, path });
  expect(status).toBe(302);
  return assertLocation(headers.location ?? '', { cloudName, apiSecret, ...allowed });
}

const ENVIRONMENT = { id: null, cloudName: CLOUD, apiSecret: API_SECRET };

describe('an account', () => {
  it('is created with its first secret, listed, shown, changed and deleted, and shows no secret', async () => {
    const key = 'ab'.repeat(16);
    const created = await service.admin('POST', '/accounts', {
      ...{ name: 'Agency', cloud_name: 'agency', api_key: '1234', api_secret: 'canary-of-the-secret' },
      ...{ host: 'img.agency.example', private_cdn: true, upload_prefix: 'https://api-eu.cloudinary.com' },
      ...{ signature: 'long', auth_token_key: key },
    });
    const row = {
      id: UUID,
      name: 'Agency',
      cloud_name: 'agency',
      host: 'img.agency.example',
      private_cdn: true,
      upload_prefix: 'https://api-eu.cloudinary.com',
      signature: 'long',
      has_auth_token_key: true,
      disabled: false,
      created_at: INSTANT,
      updated_at: INSTANT,
    };
    const secrets = [{ id: UUID, api_key: '1234', signs: true, not_after: null, created_at: INSTANT }];
    expect([created.status, created.json()]).toStrictEqual([201, { ...row, secrets }]);
    const { id } = created.json() as { id: string };
    const shown = await service.admin('GET', `/accounts/${id}`);
    expect(shown.json()).toStrictEqual({ ...row, secrets });
    const listed = await service.admin('GET', '/accounts?cloud_name=agency');
    expect(listed.json()).toStrictEqual({ items: [row], next_cursor: null });
    const changed = await service.admin('PATCH', `/accounts/${id}`, {
      ...{ name: 'Studio', host: null, private_cdn: false, auth_token_key: null, disabled: true },
    });
    expect(changed.json()).toStrictEqual({
      ...row,
      ...{ name: 'Studio', host: null, private_cdn: false, has_auth_token_key: false, disabled: true },
    });
    const log = await service.admin('GET', `/audit?row_id=${id}`);
    for (const { text } of [created, shown, listed, changed, log]) {
      expect(text).not.toContain('canary-of-the-secret');
      expect(text).not.toContain(key);
    }
    expect((log.json() as { items: { action: string }[] }).items.map(({ action }) => action)).toStrictEqual([
      'account.update',
      'account.create',
    ]);
    expect((await service.admin('DELETE', `/accounts/${id}`)).status).toBe(204);
    expect(codeOf(await service.admin('GET', `/accounts/${id}`))).toStrictEqual([404, 'account_not_found']);
  });

  it('has defaults for all but its name, cloud and secret', async () => {
    const { id } = await createAccount(service, fresh());
    expect((await service.admin('GET', `/accounts/${id}`)).json()).toMatchObject({
      ...{ host: null, private_cdn: false, upload_prefix: 'https://api.cloudinary.com', signature: 'sha1' },
      ...{ has_auth_token_key: false, disabled: false },
    });
  });

  it.each<[member: string, accepted: unknown[], rejected: unknown[]]>([
    ['cloud_name', ['a', 'A-b_9', 'x'.repeat(64)], ['', 'x'.repeat(65), 'a.b', 'a/b', null, 1]],
    ['api_key', ['1', 'x'.repeat(64)], ['', 'a b', 'x'.repeat(65), null]],
    ['api_secret', ['s', 'x'.repeat(128)], ['', 'a:b', 'x'.repeat(129), null]],
    [
      'host',
      [null, 'a.example', 'img-1.shop.example'],
      ['', 'localhost', 'a.example:443', 'A.example', 'https://a.example', '127.0.0.1', 'a_b.example', 1],
    ],
    ['private_cdn', [true, false], ['true', null]],
    [
      'upload_prefix',
      ['https://api-ap.cloudinary.com', 'http://127.0.0.1:9'],
      ['http://a.example', 'https://a.example/v1', 'x', null],
    ],
    ['signature', ['sha1', 'sha256', 'long'], ['md5', null]],
    [
      'auth_token_key',
      [null, 'ab'.repeat(16)],
      ['ab', 'ab'.repeat(15), `${'ab'.repeat(16)}a`, 'xy'.repeat(16)],
    ],
    ['disabled', [true, false], [null, 0]],
  ])('checks its %s', async (member, accepted, rejected) => {
    const body = (value: unknown): object => ({
      ...{ name: 'x', cloud_name: fresh(), api_key: '1', api_secret: '2', [member]: value },
    });
    for (const value of accepted) {
      expect([value, (await service.admin('POST', '/accounts', body(value))).status]).toStrictEqual([
        value,
        201,
      ]);
    }
    for (const value of rejected) {
      const response = await service.admin('POST', '/accounts', body(value));
      expect([value, response.status, response.json()]).toMatchObject([
        value,
        422,
        { code: 'invalid_request', errors: [{ key: member }] },
      ]);
    }
  });

  it('cannot have the nil UUID, which stands for the environment’s', async () => {
    const cloud = fresh();
    const body = { id: '00000000-0000-0000-0000-000000000000', name: 'A', cloud_name: cloud };
    const response = await service.admin('POST', '/accounts', { ...body, api_key: cloud, api_secret: 's' });
    expect([response.status, response.json()]).toMatchObject([422, { errors: [{ key: 'id' }] }]);
  });

  it('has a cloud of its own: neither that of another account nor that of the environment', async () => {
    const taken = fresh();
    await createAccount(service, taken);
    for (const cloudName of [taken, taken.toUpperCase(), CLOUD, CLOUD.toUpperCase()]) {
      const response = await service.admin('POST', '/accounts', {
        ...{ name: 'x', cloud_name: cloudName, api_key: '1', api_secret: '2' },
      });
      expect(codeOf(response)).toStrictEqual([409, 'cloud_name_taken']);
    }
  });

  it('cannot be deleted while it has issuers', async () => {
    const account = await createAccount(service, fresh());
    const issuer = await post<{ id: string }>(service, '/issuers', { name: 'x', account_id: account.id });
    const remove = (): Promise<HttpResponse> => service.admin('DELETE', `/accounts/${account.id}`);
    expect(codeOf(await remove())).toStrictEqual([409, 'account_not_empty']);
    await service.admin('DELETE', `/issuers/${issuer.id}`);
    expect((await remove()).status).toBe(204);
  });

  it('is hidden from admin keys that are bound to an issuer, with all its routes', async () => {
    const account = await createAccount(service, fresh());
    const tenant = await createTenantOf(service, account.id, fresh(), fresh());
    const bound = await createAdminKey(service, { issuer_id: tenant.issuerId });
    const [secret] = await secretsOf(account.id);
    const path = `/accounts/${account.id}`;
    for (const [method, route, body] of [
      ['GET', '/accounts'],
      ['POST', '/accounts', {}],
      ['GET', path],
      ['PATCH', path, {}],
      ['DELETE', path],
      ['POST', `${path}/secrets`, {}],
      ['PATCH', `${path}/secrets/${secret?.id}`, {}],
      ['DELETE', `${path}/secrets/${secret?.id}`],
    ] as const) {
      const response = await service.admin(method, route, body, bound.headers);
      expect(codeOf(response)).toStrictEqual([403, 'insufficient_scope']);
    }
    const log = await service.admin('GET', '/audit?limit=100', undefined, bound.headers);
    expect(log.text).not.toContain(account.cloudName);
  });
});

describe('the secrets of an account', () => {
  it('are four at most, each with an API key of its own, and exactly one signs', async () => {
    const { id, apiKey } = await createAccount(service, fresh());
    const add = (body: object): Promise<HttpResponse> =>
      service.admin('POST', `/accounts/${id}/secrets`, body);
    const next = { api_key: '2', api_secret: 'canary-of-the-second' };
    const added = await add({ ...next, not_after: '2035-01-01T00:00:00Z' });
    expect([added.status, added.json()]).toStrictEqual([
      201,
      { id: UUID, api_key: '2', signs: false, not_after: '2035-01-01T00:00:00.000Z', created_at: INSTANT },
    ]);
    expect(codeOf(await add(next))).toStrictEqual([409, 'api_key_taken']);
    await add({ api_key: '3', api_secret: 's', signs: true });
    await add({ api_key: '4', api_secret: 's' });
    expect(codeOf(await add({ api_key: '5', api_secret: 's' }))).toStrictEqual([
      409,
      'too_many_account_secrets',
    ]);
    expect((await secretsOf(id)).map(({ api_key, signs }) => [api_key, signs]).sort()).toStrictEqual([
      ['2', false],
      ['3', true],
      ['4', false],
      [apiKey, false],
    ]);
  });

  it('are changed so that one always signs and never expires', async () => {
    const { id } = await createAccount(service, fresh());
    const [first] = await secretsOf(id);
    const second = await post<Secret>(service, `/accounts/${id}/secrets`, {
      ...{ api_key: '2', api_secret: 's', not_after: '2035-01-01T00:00:00Z' },
    });
    const path = (secret?: Secret): string => `/accounts/${id}/secrets/${secret?.id ?? UNKNOWN_ID}`;
    for (const body of [{ signs: false }, { not_after: '2035-01-01T00:00:00Z' }]) {
      expect(codeOf(await service.admin('PATCH', path(first), body))).toStrictEqual([
        409,
        'signing_secret_required',
      ]);
    }
    expect(codeOf(await service.admin('DELETE', path(first)))).toStrictEqual([
      409,
      'signing_secret_required',
    ]);
    const both = { signs: true, not_after: '2035-01-01T00:00:00Z' };
    expect(codeOf(await service.admin('PATCH', path(second), both))).toStrictEqual([422, 'invalid_request']);
    expect((await service.admin('PATCH', path(second), { signs: true })).json()).toMatchObject({
      ...{ signs: true, not_after: null },
    });
    expect((await service.admin('DELETE', path(first))).status).toBe(204);
    for (const method of ['PATCH', 'DELETE']) {
      expect(codeOf(await service.admin(method, path(first), {}))).toStrictEqual([
        404,
        'account_secret_not_found',
      ]);
    }
    expect(await secretsOf(id)).toMatchObject([{ id: second.id, signs: true }]);
  });

  it('are stored encrypted, each for its row', async () => {
    const { id } = await createAccount(service, fresh());
    const rows = await sql<{ secret: Buffer }>('SELECT secret FROM account_secrets WHERE account_id = $1', [
      id,
    ]);
    expect(rows.map(({ secret }) => secret.toString('latin1').includes('secret'))).toStrictEqual([false]);
  });
});

describe('an issuer’s account', () => {
  it('is set when the issuer is created or changed, and must exist', async () => {
    const account = await createAccount(service, fresh());
    const issuer = await post<{ id: string; account_id: string }>(service, '/issuers', {
      ...{ name: 'x', account_id: account.id.toUpperCase() },
    });
    expect(issuer.account_id).toBe(account.id);
    const change = (accountId: unknown): Promise<HttpResponse> =>
      service.admin('PATCH', `/issuers/${issuer.id}`, { account_id: accountId });
    for (const accountId of [null, account.id]) {
      expect((await change(accountId)).json()).toMatchObject({ account_id: accountId });
    }
    expect(codeOf(await change(UNKNOWN_ID))).toStrictEqual([404, 'account_not_found']);
    expect(codeOf(await change('x'))).toStrictEqual([422, 'invalid_request']);
    const unknown = await service.admin('POST', '/issuers', { name: 'x', account_id: UNKNOWN_ID });
    expect(codeOf(unknown)).toStrictEqual([404, 'account_not_found']);
  });

  it('cannot be changed while it has images or overlays there, deleted images included', async () => {
    const account = await createAccount(service, fresh());
    const { issuerId, imageId, overlayId } = await createTenantOf(service, null, fresh(), fresh());
    const change = async (accountId: string | null): Promise<HttpResponse> =>
      service.admin('PATCH', `/issuers/${issuerId}`, { account_id: accountId });
    expect(codeOf(await change(account.id))).toStrictEqual([409, 'issuer_not_empty']);
    expect((await change(null)).status).toBe(200);
    await service.admin('DELETE', `/images/${imageId}`);
    await service.admin('DELETE', `/overlays/${overlayId}`);
    expect(codeOf(await change(account.id))).toStrictEqual([409, 'issuer_not_empty']);
    await expect(
      sql('UPDATE issuers SET account_id = $1 WHERE id = $2', [account.id, issuerId]),
    ).rejects.toThrow('the issuer has images or overlays in its account');
  });
});

describe('of two accounts with two issuers each, beside the environment’s', () => {
  interface Party {
    readonly account: { readonly id: string | null; readonly cloudName: string; readonly apiSecret: string };
    readonly tenant: Tenant;
    readonly publicId: string;
    readonly overlayPublicId: string;
  }
  let parties: Party[];

  beforeAll(async () => {
    const [a, b] = [await createAccount(service, 'cloud_a'), await createAccount(service, 'cloud_b')];
    parties = [];
    // The same public ids in each account.
    for (const account of [a, b, ENVIRONMENT]) {
      for (const number of [1, 2]) {
        const [publicId, overlayPublicId] = [`shared_image_${number}`, `shared_layer_${number}`];
        const tenant = await createTenantOf(service, account.id, publicId, overlayPublicId);
        parties.push({ account, tenant, publicId, overlayPublicId });
      }
    }
  });

  it('each gets URLs, layers and placeholders of its own account', async () => {
    for (const { account, tenant, publicId, overlayPublicId } of parties) {
      const allowed = { images: [publicId], layers: [`private:${overlayPublicId}`] };
      for (const steps of [[], [{ overlay: tenant.overlayId }], [{ underlay: tenant.overlayId }]]) {
        await show(account, tenant.steps(...steps), allowed);
      }
      const placeholder = await post<{ id: string }>(service, '/images', {
        ...{ issuer_id: tenant.issuerId, public_id: `placeholder_of_${publicId}`, version: 1 },
      });
      const gone = await post<{ id: string }>(service, '/images', {
        ...{ issuer_id: tenant.issuerId, public_id: `gone_${publicId}`, version: 1 },
      });
      await service.admin('PATCH', `/issuers/${tenant.issuerId}`, {
        policy: { placeholder: placeholder.id },
      });
      await service.admin('DELETE', `/images/${gone.id}`);
      const path = `/images/${gone.id}?token=${tenant.sign()}`;
      await show(account, path, { images: [`placeholder_of_${publicId}`], layers: [] });
      const explained = await service.get(path.replace('?', '/explain?'));
      const { url } = explained.json() as { url: string };
      assertLocation(url, { ...account, images: [`placeholder_of_${publicId}`], layers: [] });
      const preview = await service.admin('GET', `/overlays/${tenant.overlayId}/preview`);
      assertLocation(preview.headers.location ?? '', { ...account, images: [overlayPublicId], layers: [] });
    }
  });

  it('none opens anything of another by id: the response is that for unknown ids', async () => {
    const unknown = { imageId: randomUUID(), overlayId: randomUUID() };
    type Ids = Readonly<Record<keyof typeof unknown, string>>;
    const reaches: ((own: Tenant, other: Ids) => string)[] = [
      (own, other) => `/images/${other.imageId}?token=${own.sign()}`,
      (own, other) => own.path({ image_id: other.imageId }),
      (own, other) => own.steps({ overlay: other.overlayId }),
      (own, other) => own.steps({ underlay: other.overlayId }),
      (own, other) => own.steps({ overlay: other.imageId }),
      (own, other) => own.steps({ default_image: other.overlayId }),
    ];
    for (const { tenant: own } of parties) {
      for (const { tenant: other } of parties) {
        if (own === other) continue;
        for (const reach of reaches) {
          for (const explain of [false, true]) {
            const pathOf = (ids: Ids): string =>
              explain ? reach(own, ids).replace('?', '/explain?') : reach(own, ids);
            const [foreign, nobodys] = [await service.get(pathOf(other)), await service.get(pathOf(unknown))];
            expect(foreign.status).toBeGreaterThanOrEqual(400);
            expect(comparable(foreign)).toStrictEqual(comparable(nobodys));
          }
        }
        for (const policy of [
          { placeholder: other.imageId },
          { mandatory_steps: [{ overlay: other.overlayId }] },
          { presets: { x: [{ overlay: other.overlayId }] } },
        ]) {
          const response = await service.admin('PATCH', `/issuers/${own.issuerId}`, { policy });
          expect(codeOf(response)).toStrictEqual([422, 'invalid_request']);
        }
      }
    }
  });

  it('a public id has one owner in each account', async () => {
    for (const { account, tenant } of parties) {
      for (const other of parties) {
        if (other.tenant === tenant) continue;
        // The image of an issuer of the same account, or of another one.
        const taken = other.account === account;
        const publicId = fresh();
        await post(service, '/images', { issuer_id: tenant.issuerId, public_id: publicId, version: 1 });
        for (const kind of ['images', 'overlays']) {
          const response = await service.admin('POST', `/${kind}`, {
            ...{ issuer_id: other.tenant.issuerId, public_id: publicId },
            ...(kind === 'images' ? { version: 1 } : {}),
          });
          expect([kind, response.status]).toStrictEqual([kind, taken ? 409 : 201]);
          if (taken) {
            expect(response.json()).toMatchObject({ code: 'public_id_taken', taken_by: 'image' });
          }
        }
      }
    }
  });

  it('a public id is retained in the account that had it', async () => {
    const [a, sameAccount, b] = parties;
    const publicId = fresh();
    const image = { public_id: publicId, version: 1 };
    const { id } = await post<{ id: string }>(service, '/images', {
      issuer_id: a?.tenant.issuerId,
      ...image,
    });
    await service.admin('DELETE', `/images/${id}`);
    const statusFor = async (party?: Party): Promise<number> =>
      (await service.admin('POST', '/images', { issuer_id: party?.tenant.issuerId, ...image })).status;
    expect([await statusFor(sameAccount), await statusFor(b), await statusFor(a)]).toStrictEqual([
      409, 201, 201,
    ]);
  });

  describe('a notification', () => {
    /** An image of this public id for an issuer of each account. */
    const registerEverywhere = async (): Promise<{ publicId: string; ids: string[] }> => {
      const publicId = fresh();
      const ids: string[] = [];
      for (const party of [parties[0], parties[2], parties[4]]) {
        const image = { issuer_id: party?.tenant.issuerId, public_id: publicId, version: 1 };
        ids.push((await post<{ id: string }>(service, '/images', image)).id);
      }
      return { publicId, ids };
    };
    const rowsOf = async (ids: string[]): Promise<unknown[]> =>
      Promise.all(
        ids.map(async (id) => {
          const [row] = await sql(
            'SELECT public_id, version::int, deleted_at IS NULL AS live FROM images WHERE id = $1',
            [id],
          );
          return row;
        }),
      );

    it('changes only rows of its account: upload, rename and delete', async () => {
      for (const index of [0, 1, 2]) {
        const { account } = parties[2 * index] ?? { account: ENVIRONMENT };
        const { publicId, ids } = await registerEverywhere();
        const expected = ids.map(() => ({ public_id: publicId, version: 1, live: true }));
        const at = now() - 30;
        const send = async (notification: Readonly<Record<string, unknown>>): Promise<void> => {
          const response = await notifyAccount(service, account.id, notification, account.apiSecret);
          expect([response.status, response.json()]).toStrictEqual([200, { changed: 1 }]);
        };
        await send(uploaded(publicId, at));
        expected[index] = { public_id: publicId, version: at, live: true };
        expect(await rowsOf(ids)).toStrictEqual(expected);
        const renamedTo = fresh();
        await send(renamed(publicId, renamedTo, at + 1));
        expected[index] = { public_id: renamedTo, version: at, live: true };
        expect(await rowsOf(ids)).toStrictEqual(expected);
        await send(deleted(renamedTo, at + 2));
        expected[index] = { public_id: renamedTo, version: at, live: false };
        expect(await rowsOf(ids)).toStrictEqual(expected);
        await send(uploaded(renamedTo, at + 3));
        expected[index] = { public_id: renamedTo, version: at + 3, live: true };
        expect(await rowsOf(ids)).toStrictEqual(expected);
      }
    });

    it('is refused if another account signed it, or for an unknown account', async () => {
      const { publicId, ids } = await registerEverywhere();
      const before = await rowsOf(ids);
      const accounts = [parties[0]?.account, parties[2]?.account, ENVIRONMENT];
      for (const signer of accounts) {
        for (const receiver of [...accounts, { id: UNKNOWN_ID }, { id: 'x' }]) {
          if (receiver === signer || receiver === undefined) continue;
          const response = await notifyAccount(
            service,
            receiver.id,
            deleted(publicId, now()),
            signer?.apiSecret,
          );
          expect(codeOf(response)).toStrictEqual([401, 'invalid_notification']);
        }
      }
      expect(await rowsOf(ids)).toStrictEqual(before);
    });

    it('without a signature of the right form, or of another day, looks up no account', async () => {
      const look = vi.spyOn(service.app.get(DirectoryService), 'findAccount');
      const signature = '0'.repeat(40);
      for (const [at, hex] of [
        [now(), 'x'],
        [now(), '0'.repeat(41)],
        [now() - 90_000, signature],
        ['', signature],
      ] as const) {
        const headers = { 'x-cld-timestamp': String(at), 'x-cld-signature': hex };
        const path = `/cloudinary/notifications/${parties[0]?.account.id ?? ''}`;
        const response = await request({ port: service.port, method: 'POST', path, body: '{}', headers });
        expect(codeOf(response)).toStrictEqual([401, 'invalid_notification']);
      }
      expect(look).not.toHaveBeenCalled();
      look.mockRestore();
    });

    /** With a signature of the right form. */
    const forge = (accountId: string): Promise<HttpResponse> =>
      notifyAccount(service, accountId, deleted('any', now()), 'forged');

    it('with forged signatures, queries for unknown accounts together and for a known one once', async () => {
      const lookups = service.app.get(DatabaseLookups);
      const original = lookups.run.bind(lookups);
      let [running, most, queries] = [0, 0, 0];
      // Each query lasts until further requests wait.
      const run = vi.spyOn(lookups, 'run').mockImplementation(async (...args) => {
        queries += 1;
        running += 1;
        most = Math.max(most, running);
        try {
          await setTimeout(50);
          return await original(...args);
        } finally {
          running -= 1;
        }
      });
      onTestFinished(() => {
        run.mockRestore();
      });
      const unknown = await Promise.all(Array.from({ length: 60 }, () => forge(randomUUID())));
      expect(new Set(unknown.map(({ status }) => status))).toStrictEqual(new Set([401]));
      expect(most).toBeLessThanOrEqual(2);
      queries = 0;
      const account = await createAccount(service, fresh());
      for (let count = 0; count < 20; count += 1) expect((await forge(account.id)).status).toBe(401);
      expect(queries).toBe(1);
    });

    it('with a forged signature, gets the response of an unknown account for a disabled one, and one line in the log', async () => {
      const account = await createAccount(service, fresh());
      const tenant = await createTenantOf(service, account.id, fresh(), fresh());
      const error = vi.spyOn(Logger.prototype, 'error');
      onTestFinished(() => {
        error.mockRestore();
      });
      await service.admin('PATCH', `/accounts/${account.id}`, { disabled: true });
      const withoutId = ({ status, text }: HttpResponse): unknown => [
        status,
        text.replaceAll(/[0-9a-f-]{36}/g, ''),
      ];
      const unknown = withoutId(await forge(randomUUID()));
      for (let count = 0; count < 3; count += 1) {
        expect(withoutId(await forge(account.id))).toStrictEqual(unknown);
        expect((await service.get(tenant.path())).status).toBe(503);
      }
      const lines = error.mock.calls.filter(([line]) => String(line).includes(account.id));
      expect(lines).toStrictEqual([[`Account ${account.id} cannot be used: it is disabled`]]);
    });

    it('registers no image for an issuer of another account', async () => {
      const registering = await startService({ CLOUDINARY_REGISTER: 'folder:tenants/:issuer_id' });
      onTestFinished(() => registering.close());
      const account = await createAccount(registering, 'registering');
      const own = await createTenantOf(registering, account.id, 'own', 'own_layer');
      const others = await createTenantOf(registering, null, 'own', 'own_layer');
      const send = (issuerId: string): Promise<HttpResponse> =>
        notifyAccount(registering, account.id, uploaded(`tenants/${issuerId}/a`, now()), account.apiSecret);
      expect(codeOf(await send(others.issuerId))).toStrictEqual([404, 'issuer_not_found']);
      expect((await send(own.issuerId)).json()).toStrictEqual({ changed: 1 });
    });
  });
});

describe('an account that cannot be used', () => {
  const spoil = (id: string, bit: number): Promise<unknown> =>
    sql(
      `UPDATE account_secrets SET secret = set_byte(secret, length(secret) - 1, get_byte(secret, length(secret) - 1) # $2)
        WHERE account_id = $1`,
      [id, bit],
    );
  const WAYS: readonly [
    what: string,
    close: (id: string) => Promise<unknown>,
    open: (id: string) => Promise<unknown>,
  ][] = [
    [
      'that is disabled',
      (id) => service.admin('PATCH', `/accounts/${id}`, { disabled: true }),
      (id) => service.admin('PATCH', `/accounts/${id}`, { disabled: false }),
    ],
    ['with a secret that was altered', (id) => spoil(id, 1), (id) => spoil(id, 1)],
    [
      'without a secret that signs',
      (id) => sql('UPDATE account_secrets SET signs = false WHERE account_id = $1', [id]),
      (id) => sql('UPDATE account_secrets SET signs = true WHERE account_id = $1', [id]),
    ],
  ];

  it.each(WAYS)(
    '%s closes its issuers alone, with 503, until it can be used again',
    async (_, close, open) => {
      const [account, other] = [await createAccount(service, fresh()), await createAccount(service, fresh())];
      const tenant = await createTenantOf(service, account.id, 'of_closed', 'of_closed_layer');
      const neighbour = await createTenantOf(service, other.id, 'of_closed', 'of_closed_layer');
      const isOpen = async (): Promise<boolean> => (await service.get(tenant.path())).status === 302;
      for (let cached = 0; cached < 3; cached += 1) expect(await isOpen()).toBe(true);
      await close(account.id);
      await waitUntil('it is closed', async () => !(await isOpen()));
      const closed = [503, 'account_unavailable'];
      expect(codeOf(await service.get(tenant.path()))).toStrictEqual(closed);
      expect(codeOf(await service.get(tenant.path().replace('?', '/explain?')))).toStrictEqual(closed);
      const delivery = { image_id: tenant.imageId, token: tenant.sign() };
      const bulk = await request({
        ...{ port: service.port, path: '/deliveries', method: 'POST' },
        body: { deliveries: [delivery] },
      });
      expect(bulk.json()).toMatchObject({
        deliveries: [{ problem: { status: 503, code: 'account_unavailable' } }],
      });
      expect(codeOf(await service.admin('GET', `/overlays/${tenant.overlayId}/preview`))).toStrictEqual(
        closed,
      );
      const file = await drawPicture(1);
      const form = { issuer_id: tenant.issuerId, public_id: fresh(), file };
      const upload = await sendForm(service, '/images', form);
      expect([upload.status, upload.json['code']]).toStrictEqual(closed);
      const replaced = await sendForm(
        service,
        `/images/${tenant.imageId}/original`,
        { file },
        { method: 'PUT' },
      );
      expect([replaced.status, replaced.json['code']]).toStrictEqual(closed);
      const notified = await notifyAccount(
        service,
        account.id,
        deleted('of_closed', now()),
        account.apiSecret,
      );
      expect(codeOf(notified)).toStrictEqual([401, 'invalid_notification']);
      expect((await service.get(neighbour.path())).status).toBe(302);
      await open(account.id);
      await waitUntil('it is open', isOpen);
    },
  );
});

describe('the settings of an account', () => {
  it('take effect at once, in every process', async () => {
    const database = await createTestDatabase();
    const first = await startService({}, database);
    onTestFinished(async () => {
      await first.close();
      await database.drop();
    });
    const account = await createAccount(first, 'changing');
    const tenant = await createTenantOf(first, account.id, 'one', 'layer');
    const allowed = { images: ['one'], layers: [] };
    await show(account, tenant.path(), allowed, first);
    const change = (body: object): Promise<HttpResponse> =>
      first.admin('PATCH', `/accounts/${account.id}`, body);
    await change({ host: 'img.changing.example', private_cdn: true, signature: 'long' });
    const host = { private_cdn: true, secure_distribution: 'img.changing.example' };
    await show(account, tenant.path(), { ...allowed, host, signature: 'long' }, first);
    const authTokenKey = 'ab'.repeat(16);
    await change({ auth_token_key: authTokenKey });
    const exp = now() + 600;
    await show(account, tenant.path({ exp }), { ...allowed, host, signature: 'long', authTokenKey }, first);
    // By hand in psql too.
    await sql('UPDATE accounts SET host = NULL, private_cdn = false, auth_token_key = NULL', [], first);
    await waitUntil('the feed has delivered it', async () => {
      const { headers } = await first.get(tenant.path());
      return headers.location?.includes('res.cloudinary.com/changing/') === true;
    });
  });
});

describe('at the start', () => {
  it('accounts are named whose tokens Cloudinary does not document', async () => {
    const database = await createTestDatabase();
    const services: Service[] = [];
    onTestFinished(async () => {
      for (const each of services) await each.close();
      await database.drop();
    });
    const lines: string[] = [];
    const write = vi.spyOn(logOutput, 'write').mockImplementation((line) => {
      lines.push(line);
    });
    onTestFinished(() => {
      write.mockRestore();
    });
    const first = await startService({ LOG_LEVEL: 'warn' }, database);
    const ids: string[] = [];
    const key = { auth_token_key: 'ab'.repeat(16) };
    for (const members of [key, {}, { ...key, private_cdn: true }, { ...key, host: 'a.example' }, key])
      ids.push((await createAccount(first, fresh(), members)).id);
    await first.close();
    expect(lines.splice(0)).toStrictEqual([]);
    services.push(await startService({ LOG_LEVEL: 'warn' }, database));
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      {
        accounts: [ids[4], ids[0]],
        msg:
          'These accounts have an auth_token_key, and neither private_cdn nor a host: ' +
          'Cloudinary documents __cld_token__ for private CDNs only, so test that URLs open and expire',
      },
    ]);
  });
});

describe('a rotation under load', () => {
  it('fails no redirect and loses no notification, in any process', async () => {
    const database = await createTestDatabase();
    const first = await startService({}, database);
    // The embedded database has one process.
    const replicas =
      inject('database').kind === 'embedded' ? [first] : [first, await startService({}, database)];
    onTestFinished(async () => {
      for (const replica of replicas) await replica.close();
      await database.drop();
    });
    const account = await createAccount(first, 'rotating');
    const tenant = await createTenantOf(first, account.id, 'one', 'layer');
    const next = { ...account, apiKey: 'next-key', apiSecret: 'next-secret' };
    const allowed = { images: ['one'], layers: [] };
    const isSignedBy = (location: string, { apiSecret }: AccountFixture): boolean => {
      try {
        assertLocation(location, { ...allowed, cloudName: account.cloudName, apiSecret });
        return true;
      } catch {
        return false;
      }
    };
    let [over, isNextKnown] = [false, false];
    const statuses = new Set<number>();
    const signers = new Set<string>();
    const load = replicas.flatMap((replica) =>
      [account, next].map(async (signer) => {
        for (let count = 0; !over; count += 1) {
          // A cached redirect, and one of a new token.
          for (const claims of [{}, { n: count }]) {
            const response = await replica.get(tenant.path(claims));
            statuses.add(response.status);
            const { location = '' } = response.headers;
            const [by] = [account, next].filter((each) => isSignedBy(location, each));
            signers.add(by?.apiKey ?? location);
          }
          // Cloudinary signs with the new secret once it exists.
          if (signer === next && !isNextKnown) continue;
          const event = uploaded('one', now(), { signature_key: signer.apiKey });
          statuses.add((await notifyAccount(replica, account.id, event, signer.apiSecret)).status);
        }
      }),
    );
    const { id } = await post<Secret>(first, `/accounts/${account.id}/secrets`, {
      ...{ api_key: next.apiKey, api_secret: next.apiSecret },
    });
    isNextKnown = true;
    await waitUntil('both sign notifications', () => statuses.has(200));
    await first.admin('PATCH', `/accounts/${account.id}/secrets/${id}`, { signs: true });
    await waitUntil('every process signs with the new secret', async () => {
      const responses = await Promise.all(replicas.map((replica) => replica.get(tenant.path())));
      return responses.every(({ headers }) => isSignedBy(headers.location ?? '', next));
    });
    over = true;
    await Promise.all(load);
    expect([...statuses].sort()).toStrictEqual([200, 302]);
    expect([...signers].sort()).toStrictEqual([account.apiKey, next.apiKey].sort());
    // The former secret is deleted: its notifications are refused.
    const former = (
      (await first.admin('GET', `/accounts/${account.id}`)).json() as { secrets: Secret[] }
    ).secrets.find(({ signs }) => !signs);
    await first.admin('DELETE', `/accounts/${account.id}/secrets/${former?.id}`);
    for (const replica of replicas) {
      const sendSigned = ({ apiSecret }: AccountFixture): Promise<HttpResponse> =>
        notifyAccount(replica, account.id, uploaded('one', now()), apiSecret);
      expect(codeOf(await sendSigned(account))).toStrictEqual([401, 'invalid_notification']);
      expect((await sendSigned(next)).status).toBe(200);
    }
  });

  it('refuses notifications of a secret from its not_after on', async () => {
    const account = await createAccount(service, fresh());
    for (const [year, status] of [
      [2035, 200],
      [2020, 401],
    ] as const) {
      const apiSecret = `secret-of-${year}`;
      await post(service, `/accounts/${account.id}/secrets`, {
        ...{ api_key: `key-${year}`, api_secret: apiSecret, not_after: `${year}-01-01T00:00:00Z` },
      });
      const event = uploaded('x', now(), { signature_key: `key-${year}` });
      expect((await notifyAccount(service, account.id, event, apiSecret)).status).toBe(status);
    }
  });

  it('of the environment’s account accepts CLOUDINARY_PREVIOUS_SECRETS, and signs with none of them', async () => {
    const rotating = await startService({ CLOUDINARY_PREVIOUS_SECRETS: 'old-1:secret-1,old-2:secret-2' });
    onTestFinished(() => rotating.close());
    const tenant = await createTenantOf(rotating, null, 'one', 'layer');
    await show(ENVIRONMENT, tenant.path(), { images: ['one'], layers: [] }, rotating);
    for (const [key, secret, status] of [
      ['123456789012345', API_SECRET, 200],
      ['old-1', 'secret-1', 200],
      ['old-2', 'secret-2', 200],
      // A hint that is wrong, or of no key.
      ['old-1', 'secret-2', 200],
      ['unknown', 'secret-1', 200],
      ['old-1', 'secret-3', 401],
    ] as const) {
      const event = uploaded('one', now(), { signature_key: key });
      expect([key, (await notifyAccount(rotating, null, event, secret)).status]).toStrictEqual([key, status]);
    }
  });
});

describe('originals', () => {
  it('are uploaded to the account of their issuer', async () => {
    const apis = await Promise.all(
      ['uploads_a', 'uploads_b'].map((cloudName) =>
        startUploadApi({ cloudName, apiKey: `${cloudName}-key`, apiSecret: `${cloudName}-secret` }),
      ),
    );
    const uploading = await startService({ DELIVERY_MODE: 'cloudinary' });
    onTestFinished(async () => {
      await uploading.close();
      for (const api of apis) await api.close();
    });
    for (const [index, api] of apis.entries()) {
      const cloudName = index === 0 ? 'uploads_a' : 'uploads_b';
      const account = await createAccount(uploading, cloudName, { upload_prefix: api.url });
      const tenant = await createTenantOf(uploading, account.id, 'other', 'other_layer');
      const file = await drawPicture(index);
      const form = { issuer_id: tenant.issuerId, public_id: 'same', file };
      expect((await sendForm(uploading, '/images', form)).status).toBe(201);
      expect([...api.assets.keys()]).toStrictEqual(['authenticated/same']);
    }
  });

  it('are rendered in mode local from the account that the path names', async () => {
    const local = await startService({ DELIVERY_MODE: 'local' });
    onTestFinished(() => local.close());
    // Scaled to 1,920 pixels: the height identifies the picture.
    const widths = { first: 30, second: 60, [CLOUD]: 90 };
    const locations: string[] = [];
    for (const [cloudName, width] of Object.entries(widths)) {
      const account = cloudName === CLOUD ? ENVIRONMENT : await createAccount(local, cloudName);
      const tenant = await createTenantOf(local, account.id, 'other', 'other_layer');
      const file = await drawPicture(width, 'png', { width, height: 30 });
      const form = { issuer_id: tenant.issuerId, public_id: 'same', file };
      const { json } = await sendForm(local, '/images', form);
      const { headers } = await local.get(`/images/${String(json['id'])}?token=${tenant.sign()}`);
      const location = headers.location ?? '';
      locations.push(location);
      assertLocation(location.replace(local.url, 'https://res.cloudinary.com'), {
        ...{ ...account, images: ['same'], layers: [] },
      });
      const image = await fetch(location, { headers: { accept: 'image/png' } });
      expect(image.status).toBe(200);
      const { height } = await sharp(Buffer.from(await image.arrayBuffer())).metadata();
      expect(height).toBe((1_920 * 30) / width);
    }
    // A signature of one account opens nothing of another.
    const [first = '', second = ''] = locations;
    const { status } = await fetch(second.replace('/second/', '/first/'));
    expect([status, (await fetch(first.replace('/first/', '/nobodys/'))).status]).toStrictEqual([401, 401]);
  });
});
