import { v2 as cloudinary } from 'cloudinary';
import fc from 'fast-check';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readDatabaseSettings } from '../../src/platform/config/environment.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrateUnderLock } from '../../src/platform/database/migrate.js';
import {
  accessChanged,
  deleted,
  folderMoved,
  moderated,
  moved,
  now,
  renamed,
  send,
  sign,
  notify,
  uploaded,
  type Notification,
} from '../support/notifications.js';
import { createTenant, post, signWith, type Tenant } from '../support/seed.js';
import { API_SECRET, startService, type Service } from '../support/service.js';
import { createTestDatabase } from '../support/test-database.js';
import { waitUntil } from '../support/wait-until.js';
import { problem } from '../support/http.js';

const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

interface Image {
  readonly id: string;
  readonly issuer_id: string;
  readonly public_id: string;
  readonly version: number;
  readonly format: string | null;
  readonly delivery_type: string;
  readonly access: string;
}

let service: Service;
let shop: Tenant;
let other: Tenant;
const issuers = { id: '11111111-1111-4111-8111-111111111111' };

beforeAll(async () => {
  service = await startService({
    CLOUDINARY_REGISTER: `context:pixseal_issuer, metadata:issuer-id, folder:press/:issuer_id, folder:shop=${issuers.id}`,
  });
  shop = await createTenant(service, {
    issuerId: issuers.id,
    publicId: 'first',
    overlayPublicId: 'mark',
  });
  other = await createTenant(service, { publicId: 'of_another', overlayPublicId: 'mark_of_another' });
});
afterAll(() => service.close());

let names = 0;
const fresh = (): string => `asset_${++names}`;

async function imagesOf(publicId: string): Promise<Image[]> {
  const response = await service.admin('GET', `/images?public_id=${encodeURIComponent(publicId)}`);
  return (response.json() as { items: Image[] }).items;
}

async function overlaysOf(publicId: string): Promise<{ id: string }[]> {
  const response = await service.admin('GET', `/overlays?public_id=${encodeURIComponent(publicId)}`);
  return (response.json() as { items: { id: string }[] }).items;
}

interface Retained {
  readonly id: string;
  readonly issuer_id: string;
}

async function retainedOf(publicId: string): Promise<Retained[]> {
  const response = await service.admin(
    'GET',
    `/retained-public-ids?public_id=${encodeURIComponent(publicId)}`,
  );
  return (response.json() as { items: Retained[] }).items;
}

/** Issuers that retain a public id, including one that the list does not filter by. */
async function holdersOf(publicId: string): Promise<string[]> {
  const rows = await service.app
    .get(DataSource)
    .query<{ issuer_id: string }[]>('SELECT issuer_id FROM retained_public_ids WHERE public_id = $1', [
      publicId,
    ]);
  return rows.map(({ issuer_id: issuerId }) => issuerId);
}

async function register(publicId: string, { issuerId }: Tenant): Promise<number> {
  const body = { issuer_id: issuerId, public_id: publicId, version: 1 };
  return (await service.admin('POST', '/images', body)).status;
}

const addImage = (publicId: string, members: object = {}): Promise<Image> =>
  post<Image>(service, '/images', { issuer_id: shop.issuerId, public_id: publicId, version: 1, ...members });

/** An overlay that was registered an hour ago: older than the events in a test. */
async function addOverlay(publicId: string): Promise<{ id: string; public_id: string }> {
  const overlay = await post<{ id: string; public_id: string }>(service, '/overlays', {
    issuer_id: shop.issuerId,
    public_id: publicId,
    delivery_type: 'authenticated',
  });
  await service.app
    .get(DataSource)
    .query(`UPDATE overlays SET updated_at = now() - interval '1 hour' WHERE id = $1`, [overlay.id]);
  return overlay;
}

const statusOf = async (id: string): Promise<number> => (await service.admin('GET', `/images/${id}`)).status;

describe('a notification is Cloudinary’s', () => {
  it('if the SDK’s own signature is correct, with SHA-1 and with SHA-256', async () => {
    for (const algorithm of ['sha1', 'sha256'] as const) {
      const image = await addImage(fresh());
      const body = JSON.stringify(uploaded(image.public_id, now()));
      const timestamp = now();
      const response = await send(service, body, {
        'x-cld-timestamp': String(timestamp),
        'x-cld-signature': cloudinary.utils.webhook_signature(body, timestamp, {
          api_secret: API_SECRET,
          signature_algorithm: algorithm,
        }),
      });
      expect([response.status, response.json()]).toStrictEqual([200, { changed: 1 }]);
    }
  });

  const payload = JSON.stringify(uploaded('first', now()));
  const at = String(now());
  const signature = sign(payload, at);
  it.each([
    ['a body that was changed', payload.replace('first', 'mark'), {}],
    ['a body with a space added', `${payload} `, {}],
    ['a signature that was changed', payload, { 'x-cld-signature': signature.replace(/.$/, 'x') }],
    ['a signature in capitals', payload, { 'x-cld-signature': signature.toUpperCase() }],
    ['a signature that was cut', payload, { 'x-cld-signature': signature.slice(0, 39) }],
    ['a signature of no characters', payload, { 'x-cld-signature': '' }],
    ['a timestamp that was changed', payload, { 'x-cld-timestamp': String(Number(at) + 1) }],
  ])('and not with %s', async (_, body, headers) => {
    const response = await send(service, body, {
      'x-cld-timestamp': at,
      'x-cld-signature': signature,
      ...headers,
    });
    expect(response.status).toBe(401);
  });

  it.each([
    ['late', String(now() - 7_300)],
    ['of the future', String(now() + 3_600)],
    ['of no timestamp', ''],
    ['of a timestamp that is not a number', 'now'],
    ['of a timestamp in milliseconds', String(Date.now())],
    ['of a timestamp with a fraction', `${now()}.5`],
    ['of a timestamp with a sign', `+${now()}`],
  ])('and not %s, although it is signed', async (_, timestamp) => {
    const response = await send(service, payload, {
      'x-cld-timestamp': timestamp,
      'x-cld-signature': sign(payload, timestamp),
    });
    expect([response.status, response.json()]).toStrictEqual([
      401,
      problem(401, 'invalid_notification', expect.stringContaining('X-Cld-Signature') as string),
    ]);
  });

  it('and not with the end of its body signed as the timestamp', async () => {
    // Body and timestamp are signed as one text.
    const timestamp = `${payload.slice(-1)}${at}`;
    const response = await send(service, payload.slice(0, -1), {
      'x-cld-timestamp': timestamp,
      'x-cld-signature': signature,
    });
    expect(response.status).toBe(401);
  });

  it('and SHA-1 is refused if the account does not use it', async () => {
    const modern = await startService({ CLOUDINARY_SIGNATURE: 'sha256' });
    try {
      expect((await send(modern, payload)).status).toBe(401);
      const timestamp = String(now());
      const headers = { 'x-cld-timestamp': timestamp, 'x-cld-signature': sign(payload, timestamp, 'sha256') };
      expect((await send(modern, payload, headers)).status).toBe(200);
    } finally {
      await modern.close();
    }
  });

  it('one that is too large is not read', async () => {
    const response = await send(service, JSON.stringify({ filler: 'x'.repeat(1_100_000) }));
    expect([response.status, (response.json() as Notification)['code']]).toStrictEqual([
      413,
      'body_too_large',
    ]);
  });

  it.each([
    ['that is not JSON', 'notification_type=upload', 'body'],
    ['that is a list', '[]', 'body'],
    ['of nothing', 'null', 'body'],
    ['without a public id', JSON.stringify({ ...uploaded('x', now()), public_id: undefined }), 'public_id'],
    ['with a version in text', JSON.stringify(uploaded('x', now(), { version: '1' })), 'version'],
    [
      'with a version that is too large to increase',
      JSON.stringify(uploaded('x', now(), { version: 1e15 })),
      'version',
    ],
    ['that deletes nothing', JSON.stringify({ notification_type: 'delete' }), 'resources'],
    [
      'that renames nothing',
      JSON.stringify({ notification_type: 'rename', from_public_id: 'x' }),
      'to_public_id',
    ],
    ['that moves nothing', JSON.stringify({ notification_type: 'move', resources: { x: {} } }), 'resources'],
    [
      'that moves a folder nowhere',
      JSON.stringify({ ...folderMoved('a', '', now()), from_path: 'a' }),
      'to_path',
    ],
    ['of a folder with a NUL', JSON.stringify(moved('x', 'a', 'b\0', now())), 'resources'],
    ['of half a character in a folder', JSON.stringify(moved('x', 'a', '\ud800', now())), 'resources'],
    [
      'of a folder of 1,025 characters',
      JSON.stringify(moved('x', 'a', 'b'.repeat(1_025), now())),
      'resources',
    ],
    ['that moves from a folder with a NUL', JSON.stringify(folderMoved('a\0', 'b', now())), 'from_path'],
    ['that moves to half a character', JSON.stringify(folderMoved('a', 'b\udfff', now())), 'to_path'],
    [
      'of a version after tomorrow',
      JSON.stringify(uploaded('x', now(), { version: now() + 90_000 })),
      'version',
    ],
    [
      'that changes the access of an asset without a public id',
      JSON.stringify({ notification_type: 'access_control_changed', resources: [{}] }),
      'resources',
    ],
    [
      'that changes the access of nothing',
      JSON.stringify({ notification_type: 'access_control_changed' }),
      'resources',
    ],
    [
      'that changes the access of text',
      JSON.stringify({ notification_type: 'access_control_changed', resources: 'x' }),
      'resources',
    ],
    ['of no public id', JSON.stringify(uploaded('', now())), 'public_id'],
    ['of a public id with a NUL', JSON.stringify(deleted('x\0', now())), 'public_id'],
    ['of half a character', JSON.stringify(renamed('x', 'x\ud800', now())), 'to_public_id'],
    ['of a name of 256 characters', JSON.stringify(renamed('x'.repeat(256), 'x', now())), 'from_public_id'],
  ])('one %s is 422, although it is signed', async (_, body, key) => {
    const response = await send(service, body);
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({ code: 'invalid_request', errors: [{ key }] });
  });

  // On a server the account is required.
  if (inject('database').kind === 'embedded') {
    it('and nothing is accepted without an account', async () => {
      const alone = await startService({ CLOUDINARY_URL: undefined });
      try {
        const response = await send(alone, payload);
        expect([response.status, (response.json() as Notification)['code']]).toStrictEqual([
          401,
          'invalid_notification',
        ]);
      } finally {
        await alone.close();
      }
    });
  }

  it('and all other JSON is parsed as before', async () => {
    expect((await service.admin('POST', '/images', '{')).status).toBe(400);
    expect((await service.admin('POST', '/issuers', '{"name":"x","__proto__":{}}')).status).toBe(400);
  });

  it.each([
    ['another type', { ...uploaded('first', now()), notification_type: 'eager' }],
    ['no type', { public_id: 'first' }],
    ['a video', uploaded('first', now(), { resource_type: 'video' })],
    ['a fetched image', uploaded('https://example.com/x.jpg', now(), { type: 'fetch' })],
    ['an asset without a row and without a rule', uploaded('unknown', now())],
    ['an asset whose public id cannot be registered', uploaded('shop/50%', now())],
    ['a deletion of an asset without a row', deleted('unknown', now())],
    ['a renaming of an asset without a row', renamed('unknown', 'unknown_too', now())],
    ['a moderation of an asset without a row', moderated('unknown', 'rejected', now())],
    ['a moderation without an outcome', moderated('first', 'pending', now())],
    ['a change of the access of an asset without a row', accessChanged('unknown', [], now())],
    ['a new folder', { notification_type: 'create_folder', folder_name: 'a', folder_path: 'shop/a' }],
    ['a deleted folder', { notification_type: 'delete_folder', folder_name: 'a', folder_path: 'shop/a' }],
    ['a moved folder without assets', folderMoved('empty', 'shop/empty', now())],
  ])('%s is acknowledged and changes nothing', async (_, payload) => {
    expect(await notify(service, payload)).toBe(0);
  });
});

describe('an upload', () => {
  it('changes the Location within a second', async () => {
    const image = await addImage(fresh());
    const path = `/images/${image.id}?token=${shop.sign()}`;
    expect((await service.get(path)).headers.location).toContain('/v1/');
    const at = now();
    await notify(service, uploaded(image.public_id, at, { format: 'webp' }));
    const payload = performance.now();
    await waitUntil('the redirect has the new version', async () =>
      ((await service.get(path)).headers.location ?? '').includes(`/v${at}/`),
    );
    expect(performance.now() - payload).toBeLessThan(5_000);
    expect(await imagesOf(image.public_id)).toMatchObject([{ id: image.id, version: at, format: 'webp' }]);
  });

  it('that is repeated, or is older than the row, changes nothing', async () => {
    const [at, image] = [now() - 60, await addImage(fresh())];
    expect(await notify(service, uploaded(image.public_id, at))).toBe(1);
    expect(await notify(service, uploaded(image.public_id, at))).toBe(0);
    expect(await notify(service, uploaded(image.public_id, at - 30))).toBe(0);
    await service.admin('PATCH', `/images/${image.id}`, { version: at + 20 });
    expect(await notify(service, uploaded(image.public_id, at + 10))).toBe(0);
    expect(await imagesOf(image.public_id)).toMatchObject([{ version: at + 20, format: 'jpg' }]);
  });

  it('of another delivery type is of another asset', async () => {
    const image = await addImage(fresh());
    expect(await notify(service, uploaded(image.public_id, now(), { type: 'upload' }))).toBe(0);
    expect(await imagesOf(image.public_id)).toMatchObject([{ version: 1 }]);
  });

  it('of a new asset registers it by its context, its metadata, an issuer’s folder, or its own folder', async () => {
    const at = now();
    const cases: [string, Notification, string][] = [
      [fresh(), { context: { custom: { pixseal_issuer: other.issuerId.toUpperCase() } } }, other.issuerId],
      [`shop/${fresh()}`, { metadata: { 'issuer-id': other.issuerId } }, other.issuerId],
      [`press/${other.issuerId}/2030/${fresh()}`, {}, other.issuerId],
      [`shop/${fresh()}`, {}, shop.issuerId],
      [`shop/below/${fresh()}`, { context: { custom: { pixseal_issuer: 'nobody' } } }, shop.issuerId],
      [fresh(), { asset_folder: '/shop/summer' }, shop.issuerId],
    ];
    for (const [publicId, members, issuerId] of cases) {
      expect(await notify(service, uploaded(publicId, at, members))).toBe(1);
      expect(await imagesOf(publicId)).toMatchObject([
        {
          issuer_id: issuerId,
          version: at,
          format: 'jpg',
          delivery_type: 'authenticated',
          access: 'token',
        },
      ]);
    }
  });

  it.each([
    ['a folder that begins alike', 'shopping/x', {}],
    ['a folder without an issuer’s id', 'press/release/x', {}],
    ['the folder’s name alone', 'shop', {}],
    ['a folder of the public id that is not the asset’s', 'shop/y', { asset_folder: 'elsewhere' }],
    ['a folder that the database cannot store', 'shop/nul', { asset_folder: 'shop\0' }],
    ['a folder that is too long', 'shop/long', { asset_folder: `shop/${'x'.repeat(1_025)}` }],
    ['a context that is a member of every object', 'z', { context: { custom: { constructor: 1 } } }],
    ['a metadata field of several values', 'z', { metadata: { 'issuer-id': [issuers.id] } }],
    ['a metadata field without an issuer’s id', 'z', { metadata: { 'issuer-id': 'shop' } }],
    [
      'a context key that is named as the metadata field',
      'z',
      { context: { custom: { 'issuer-id': issuers.id } } },
    ],
  ])('of a new asset in %s registers nothing', async (_, publicId, members) => {
    expect(await notify(service, uploaded(publicId, now(), members))).toBe(0);
  });

  it('does not create an image of an overlay’s asset', async () => {
    const publicId = `shop/${fresh()}`;
    await post(service, '/overlays', {
      issuer_id: shop.issuerId,
      public_id: publicId,
      delivery_type: 'authenticated',
    });
    expect(await notify(service, uploaded(publicId, now()))).toBe(0);
    expect(await imagesOf(publicId)).toStrictEqual([]);
  });

  it('of another issuer’s public id is refused with 409, and nothing is stored', async () => {
    const publicId = `shop/${fresh()}`;
    const theirs = await addImage(publicId, { issuer_id: other.issuerId, delivery_type: 'private' });
    const body = JSON.stringify(uploaded(publicId, now()));
    const refused = await send(service, body);
    expect([refused.status, (refused.json() as Notification)['code']]).toStrictEqual([
      409,
      'public_id_taken',
    ]);
    // Without its row the asset is still the other issuer's; repeated once it is released, the notification takes effect.
    await service.admin('DELETE', `/images/${theirs.id}`);
    expect((await send(service, body)).status).toBe(409);
    const [retained] = await retainedOf(publicId);
    await service.admin('DELETE', `/retained-public-ids/${retained?.id ?? ''}`);
    expect((await send(service, body)).json()).toStrictEqual({ changed: 1 });
  });

  it('for an unknown issuer is refused with 404', async () => {
    const response = await send(service, JSON.stringify(uploaded(`press/${UNKNOWN_ID}/x`, now())));
    expect([response.status, (response.json() as Notification)['code']]).toStrictEqual([
      404,
      'issuer_not_found',
    ]);
  });
});

describe('a deletion', () => {
  it('deletes image and overlay as the admin API does: 410 and 404', async () => {
    const image = await addImage(fresh());
    const overlay = await addOverlay(fresh());
    const path = `/images/${image.id}?token=${shop.sign()}`;
    expect((await service.image(path)).status).toBe(302);
    expect(await notify(service, deleted([image.public_id, overlay.public_id, 'unknown'], now()))).toBe(2);
    expect((await service.get(path)).status).toBe(410);
    expect((await service.admin('GET', `/overlays/${overlay.id}`)).status).toBe(404);
  });

  it('that is older than the row’s version changes nothing', async () => {
    const image = await addImage(fresh(), { version: now() });
    expect(await notify(service, deleted(image.public_id, now() - 60))).toBe(0);
    expect(await statusOf(image.id)).toBe(200);
  });

  it('or renaming that is older than the overlay changes nothing', async () => {
    const overlay = await addOverlay(fresh());
    const { public_id: publicId } = overlay;
    expect(await notify(service, deleted(publicId, now() - 7_000))).toBe(0);
    expect(await notify(service, renamed(publicId, fresh(), now() - 7_000))).toBe(0);
    expect(await overlaysOf(publicId)).toMatchObject([{ id: overlay.id }]);
    // A late renaming does not make a deletion after it look older than the overlay.
    const to = fresh();
    expect(await notify(service, renamed(publicId, to, now() - 60))).toBe(1);
    expect(await notify(service, deleted(to, now() - 30))).toBe(1);
    expect(await notify(service, uploaded(to, now() - 20))).toBe(1);
    expect(await notify(service, deleted(to, now() - 10))).toBe(1);
  });

  it('is not undone by an earlier upload that is repeated', async () => {
    const [publicId, at] = [`shop/${fresh()}`, now() - 60];
    const upload = uploaded(publicId, at);
    await notify(service, upload);
    const [image] = await imagesOf(publicId);
    expect(await notify(service, deleted(publicId, at + 10))).toBe(1);
    expect(await notify(service, upload)).toBe(0);
    expect(await imagesOf(publicId)).toStrictEqual([]);
    expect(await statusOf(image?.id ?? '')).toBe(410);
  });

  it('by the admin API is not undone by an earlier upload either', async () => {
    const publicId = `shop/${fresh()}`;
    const upload = uploaded(publicId, now() - 60);
    await notify(service, upload);
    const [image] = await imagesOf(publicId);
    await service.admin('DELETE', `/images/${image?.id ?? ''}`);
    expect(await notify(service, upload)).toBe(0);
    expect(await notify(service, uploaded(publicId, now() - 30))).toBe(0);
    expect(await imagesOf(publicId)).toStrictEqual([]);
  });

  it('is undone by the next upload: image and overlay exist again, with their ids', async () => {
    const [publicId, at] = [fresh(), now() - 60];
    const image = await addImage(publicId);
    const overlay = await addOverlay(publicId);
    expect(await notify(service, deleted(publicId, at))).toBe(2);
    expect(await notify(service, uploaded(publicId, at + 10))).toBe(2);
    expect(await imagesOf(publicId)).toMatchObject([{ id: image.id, version: at + 10 }]);
    expect(await overlaysOf(publicId)).toMatchObject([{ id: overlay.id }]);
  });
});

describe('a public id that was deleted here', () => {
  const retain = async (members: object = {}): Promise<string> => {
    const image = await addImage(fresh(), members);
    await service.admin('DELETE', `/images/${image.id}`);
    expect(await retainedOf(image.public_id)).toMatchObject([{ issuer_id: shop.issuerId }]);
    return image.public_id;
  };

  it('is free once the account has deleted its asset', async () => {
    const publicId = await retain();
    await notify(service, deleted(publicId, now()));
    expect(await retainedOf(publicId)).toStrictEqual([]);
    await addImage(publicId, { issuer_id: other.issuerId });
  });

  it('is free if the account deletes image and overlay', async () => {
    const image = await addImage(fresh());
    const overlay = await addOverlay(fresh());
    const names = [image.public_id, overlay.public_id];
    await notify(service, deleted(names, now()));
    for (const publicId of names) expect(await retainedOf(publicId)).toStrictEqual([]);
  });

  it('stays reserved if an asset of another type is deleted, or one from before this one', async () => {
    const publicId = await retain({ version: now() - 60 });
    await notify(service, deleted(publicId, now(), { type: 'upload' }));
    await notify(service, deleted(publicId, now() - 120));
    expect(await retainedOf(publicId)).toHaveLength(1);
  });

  it('stays reserved if the deletion is older than its overlay', async () => {
    const { id, public_id: publicId } = await addOverlay(fresh());
    await service.admin('DELETE', `/overlays/${id}`);
    await notify(service, deleted(publicId, now() - 7_000));
    await notify(service, renamed(publicId, fresh(), now() - 7_000));
    expect(await retainedOf(publicId)).toMatchObject([{ issuer_id: shop.issuerId }]);
    await notify(service, deleted(publicId, now()));
    expect(await retainedOf(publicId)).toStrictEqual([]);
  });

  it('follows its asset to another name', async () => {
    const [from, to] = [await retain(), fresh()];
    await notify(service, renamed(from, to, now()));
    expect(await retainedOf(from)).toStrictEqual([]);
    expect(await retainedOf(to)).toMatchObject([{ issuer_id: shop.issuerId }]);
    const taken = await service.admin('POST', '/images', {
      issuer_id: other.issuerId,
      public_id: to,
      version: 1,
    });
    expect(taken.status).toBe(409);
  });

  it('is not retained at a name that another issuer’s row has', async () => {
    const [from, theirs] = [await retain(), await addImage(fresh(), { issuer_id: other.issuerId })];
    await notify(service, renamed(from, theirs.public_id, now()));
    expect([await retainedOf(from), await retainedOf(theirs.public_id)]).toStrictEqual([[], []]);
    expect(await statusOf(theirs.id)).toBe(200);
  });

  it('is free if a registered asset was renamed', async () => {
    const image = await addImage(fresh());
    const to = fresh();
    await notify(service, renamed(image.public_id, to, now()));
    expect([await retainedOf(image.public_id), await retainedOf(to)]).toStrictEqual([[], []]);
  });

  it('is reserved for an overlay whose new name no layer can contain', async () => {
    const overlay = await addOverlay(fresh());
    const to = `12:${fresh()}`;
    await notify(service, renamed(overlay.public_id, to, now()));
    expect(await retainedOf(to)).toMatchObject([{ issuer_id: shop.issuerId }]);
  });

  it('is released by Cloudinary in the audit log', async () => {
    const publicId = await retain();
    const [retained] = await retainedOf(publicId);
    await notify(service, deleted(publicId, now()));
    const { items } = (await service.admin('GET', `/audit?row_id=${retained?.id ?? ''}`)).json() as {
      items: object[];
    };
    expect(items).toMatchObject([{ actor: 'cloudinary', action: 'retained_public_id.delete' }]);
  });
});

describe('a renaming', () => {
  it('applies to image and overlay', async () => {
    const [from, to] = [fresh(), fresh()];
    const image = await addImage(from);
    const overlay = await addOverlay(from);
    expect(await notify(service, renamed(from, to, now()))).toBe(2);
    expect(await imagesOf(from)).toStrictEqual([]);
    expect(await imagesOf(to)).toMatchObject([{ id: image.id }]);
    expect(await overlaysOf(to)).toMatchObject([{ id: overlay.id }]);
    const { headers } = await service.get(`/images/${image.id}?token=${shop.sign()}`);
    expect(headers.location).toContain(`/${to}`);
    expect(await notify(service, renamed(from, to, now()))).toBe(0);
  });

  it('replaces an image of the same issuer whose asset was overwritten', async () => {
    const [from, to] = [await addImage(fresh()), await addImage(fresh(), { version: 5 })];
    expect(await notify(service, renamed(from.public_id, to.public_id, now()))).toBe(2);
    expect(await imagesOf(to.public_id)).toMatchObject([{ id: from.id, version: 5 }]);
    expect(await statusOf(to.id)).toBe(410);
  });

  it('to another issuer’s name is refused with 409 and changes neither row', async () => {
    const [ours, theirs] = [await addImage(fresh()), await addImage(fresh(), { issuer_id: other.issuerId })];
    const response = await send(service, JSON.stringify(renamed(ours.public_id, theirs.public_id, now())));
    expect([response.status, (response.json() as Notification)['code']]).toStrictEqual([
      409,
      'public_id_taken',
    ]);
    expect(await imagesOf(ours.public_id)).toMatchObject([{ id: ours.id }]);
    expect(await imagesOf(theirs.public_id)).toMatchObject([{ id: theirs.id }]);
  });

  it('to a name that cannot be signed leaves the image deleted', async () => {
    const image = await addImage(fresh());
    expect(await notify(service, renamed(image.public_id, '50%', now()))).toBe(1);
    expect(await statusOf(image.id)).toBe(410);
  });

  it('of an asset of another type leaves its new name with the owner of its public id', async () => {
    const [from, to] = [(await addImage(fresh())).public_id, fresh()];
    expect(await notify(service, renamed(from, to, now(), { type: 'upload' }))).toBe(0);
    expect(await retainedOf(to)).toMatchObject([{ issuer_id: shop.issuerId, delivery_type: 'upload' }]);
    expect(await register(to, other)).toBe(409);
    expect(await register(to, shop)).toBe(201);
  });
});

describe('a move to another folder', () => {
  it('registers an asset whose upload was received, by the rule of its new folder', async () => {
    const [publicId, at] = [fresh(), now() - 60];
    expect(await notify(service, uploaded(publicId, at, { asset_folder: 'inbox' }))).toBe(0);
    expect(await notify(service, moved(publicId, 'inbox', 'elsewhere', at + 1))).toBe(0);
    expect(await notify(service, moved(publicId, 'elsewhere', '/shop/summer', at + 2))).toBe(1);
    expect(await imagesOf(publicId)).toMatchObject([
      { issuer_id: shop.issuerId, version: at, format: 'jpg', access: 'token' },
    ]);
    expect(await notify(service, moved(publicId, 'elsewhere', '/shop/summer', at + 2))).toBe(0);
  });

  it('registers it too if it is received before the upload, or after a renaming', async () => {
    const [publicId, to, at] = [fresh(), fresh(), now() - 60];
    expect(await notify(service, moved(publicId, 'inbox', 'shop', at + 1))).toBe(0);
    expect(await notify(service, renamed(publicId, to, at + 2))).toBe(0);
    expect(await notify(service, uploaded(publicId, at, { asset_folder: 'inbox' }))).toBe(1);
    expect(await imagesOf(to)).toMatchObject([{ issuer_id: shop.issuerId, version: at }]);
  });

  it('of a folder registers the assets in it and below, and no others', async () => {
    const [inside, below, beside, at] = [fresh(), fresh(), fresh(), now() - 60];
    await notify(service, uploaded(inside, at, { asset_folder: 'draft' }));
    await notify(service, uploaded(below, at, { asset_folder: 'draft/2030' }));
    await notify(service, uploaded(beside, at, { asset_folder: 'drafts' }));
    expect(await notify(service, folderMoved('draft', 'shop/spring', at + 1))).toBe(2);
    expect(await imagesOf(inside)).toMatchObject([{ issuer_id: shop.issuerId }]);
    expect(await imagesOf(below)).toMatchObject([{ issuer_id: shop.issuerId }]);
    expect(await imagesOf(beside)).toStrictEqual([]);
  });

  it('leaves an image with its issuer', async () => {
    const [publicId, at] = [fresh(), now() - 60];
    await notify(service, uploaded(publicId, at, { asset_folder: `press/${other.issuerId}` }));
    expect(await notify(service, moved(publicId, `press/${other.issuerId}`, 'shop', at + 1))).toBe(0);
    expect(await imagesOf(publicId)).toMatchObject([{ issuer_id: other.issuerId }]);
  });

  it('registers no image that was deleted, here or in the account', async () => {
    const at = now() - 60;
    for (const remove of [
      async (publicId: string) => {
        const [image] = await imagesOf(publicId);
        await service.admin('DELETE', `/images/${image?.id ?? ''}`);
      },
      (publicId: string) => notify(service, deleted(publicId, at + 1)),
    ]) {
      const publicId = fresh();
      await notify(service, uploaded(publicId, at, { asset_folder: 'shop' }));
      await remove(publicId);
      expect(await notify(service, moved(publicId, 'shop', 'shop/old', at + 2))).toBe(0);
      expect(await imagesOf(publicId)).toStrictEqual([]);
    }
  });
});

describe('a moderation', () => {
  it('hides a rejected image, and shows it once it is approved', async () => {
    const [image, at] = [await addImage(fresh()), now() - 60];
    const path = `/images/${image.id}?token=${shop.sign()}`;
    expect((await service.image(path)).status).toBe(302);
    expect(await notify(service, moderated(image.public_id, 'rejected', at))).toBe(1);
    const refused = await service.get(path);
    expect([refused.status, refused.json()]).toStrictEqual([
      410,
      problem(410, 'image_rejected', expect.stringContaining('moderation') as string),
    ]);
    expect(await imagesOf(image.public_id)).toMatchObject([
      { id: image.id, rejected_at: new Date(at * 1_000).toISOString() },
    ]);
    expect(await notify(service, moderated(image.public_id, 'pending', at + 1))).toBe(0);
    expect((await service.get(path)).status).toBe(410);
    expect(await notify(service, moderated(image.public_id, 'approved', at + 2))).toBe(1);
    expect((await service.get(path)).status).toBe(302);
  });

  it('hides a rejected public image, and an overlay with every image that has it', async () => {
    const [image, overlay, at] = [
      await addImage(fresh(), { access: 'public' }),
      await addOverlay(fresh()),
      now() - 60,
    ];
    const token = shop.sign({ transformations: [{ overlay: overlay.id }] });
    const paths = [`/images/${image.id}`, `/images/${image.id}?token=${token}`];
    const statuses = async (): Promise<number[]> =>
      Promise.all(paths.map(async (path) => (await service.get(path)).status));
    expect(await statuses()).toStrictEqual([302, 302]);
    expect(await notify(service, moderated(overlay.public_id, 'rejected', at))).toBe(1);
    expect(await statuses()).toStrictEqual([302, 404]);
    expect(await notify(service, moderated(image.public_id, 'rejected', at))).toBe(1);
    expect((await service.get(paths[0] ?? '')).status).toBe(410);
    // Its row is as old as before: a deletion in between still deletes it.
    expect(await notify(service, moderated(overlay.public_id, 'approved', at + 5))).toBe(1);
    expect(await notify(service, deleted(overlay.public_id, at + 2))).toBe(1);
  });

  it('shows the policy’s placeholder instead of a rejected image, unless that is rejected too', async () => {
    const at = now() - 60;
    const issuer = await post<{ id: string; key: { secret: string } }>(service, '/issuers', {
      name: 'Placeholder',
    });
    const [own, theirs] = [fresh(), fresh()];
    const image = await addImage(own, { issuer_id: issuer.id });
    const shown = await addImage(theirs, { issuer_id: issuer.id });
    await service.admin('PATCH', `/issuers/${issuer.id}`, { policy: { placeholder: shown.id } });
    const token = signWith(issuer.key.secret, { iss: issuer.id });
    await notify(service, moderated(own, 'rejected', at));
    const { headers } = await service.get(`/images/${image.id}?token=${token}`);
    expect(headers.location).toContain(`/${theirs}`);
    await notify(service, moderated(theirs, 'rejected', at));
    expect((await service.get(`/images/${image.id}?token=${token}`)).status).toBe(410);
  });

  const upload = (moderation: unknown): Notification => ({ moderation });
  it.each<[string, Notification, boolean]>([
    ['a new original that is approved', upload([{ kind: 'aws_rek', status: 'approved' }]), true],
    ['a new original without moderation', {}, true],
    ['a new original with an empty list', upload([]), true],
    ['a new original that is pending', upload([{ kind: 'manual', status: 'pending' }]), false],
    ['a new original that is rejected', upload([{ kind: 'manual', status: 'rejected' }]), false],
    [
      'a new original that one of two kinds approved',
      upload([
        { kind: 'aws_rek', status: 'approved' },
        { kind: 'manual', status: 'pending' },
      ]),
      false,
    ],
  ])('is followed by %s', async (_, members, isShown) => {
    const [image, at] = [await addImage(fresh()), now() - 60];
    await notify(service, moderated(image.public_id, 'rejected', at));
    await notify(service, uploaded(image.public_id, at + 1, members));
    const { status } = await service.get(`/images/${image.id}?token=${shop.sign()}`);
    expect(status).toBe(isShown ? 302 : 410);
  });

  it.each<[string, (publicId: string, at: number) => Notification]>([
    ['an original that was uploaded before', (id, at) => uploaded(id, at + 5, { version: at - 1 })],
    [
      'an approval of an original that was uploaded before',
      (id, at) => uploaded(id, at + 5, { version: at - 1, ...upload([{ status: 'approved' }]) }),
    ],
    ['an approval without a time', (id, at) => moderated(id, 'approved', at, { moderation_updated_at: 1 })],
    [
      'an older approval whose first time is not text',
      (id, at) => moderated(id, 'approved', at - 1, { notification_context: { triggered_at: at } }),
    ],
    [
      'an outcome of no kind',
      (id, at) => moderated(id, '', at + 1, { moderation_status: null, moderation: [] }),
    ],
    [
      'an approval that a kind contradicts',
      (id, at) => moderated(id, 'approved', at + 1, { moderation: { status: 'Rejected' } }),
    ],
    [
      'an approval while a kind is pending',
      (id, at) => moderated(id, 'approved', at + 1, { moderation: [{ status: 'pending' }] }),
    ],
    [
      'a new original that its status rejects',
      (id, at) => uploaded(id, at + 5, { moderation_status: 'REJECTED' }),
    ],
  ])('of a rejected image is not changed by %s', async (_, eventOf) => {
    const [image, at] = [await addImage(fresh()), now() - 60];
    await notify(service, moderated(image.public_id, 'rejected', at));
    await notify(service, eventOf(image.public_id, at));
    expect((await service.get(`/images/${image.id}?token=${shop.sign()}`)).status).toBe(410);
  });

  it('approves if every kind approved, in whatever case', async () => {
    const [image, at] = [await addImage(fresh()), now() - 60];
    await notify(service, moderated(image.public_id, 'rejected', at));
    const approval = moderated(image.public_id, 'Approved', at + 1, { moderation: { status: 'APPROVED' } });
    expect(await notify(service, approval)).toBe(1);
  });

  it('in the second of a renaming is of the renamed asset', async () => {
    const [image, to, at] = [await addImage(fresh()), fresh(), now() - 60];
    await notify(service, uploaded(to, at, upload([{ kind: 'manual', status: 'rejected' }])));
    await notify(service, renamed(image.public_id, to, at + 0.5));
    expect(await imagesOf(to)).toMatchObject([{ rejected_at: expect.any(String) as string }]);
  });

  it('is not changed by an older approval once the notifications are deleted', async () => {
    const [image, at] = [await addImage(fresh()), now() - 60];
    await notify(service, moderated(image.public_id, 'rejected', at));
    await service.app
      .get(DataSource)
      .query('DELETE FROM cloudinary_assets WHERE public_id = $1', [image.public_id]);
    expect(await notify(service, moderated(image.public_id, 'approved', at - 1))).toBe(0);
    expect(await notify(service, moderated(image.public_id, 'approved', at + 1))).toBe(1);
  });

  it('is kept for an overlay that is deleted after the notifications are', async () => {
    const data = service.app.get(DataSource);
    const [overlay, to, at] = [await addOverlay(fresh()), fresh(), now() - 60];
    await notify(service, moderated(overlay.public_id, 'rejected', at));
    await data.query('DELETE FROM cloudinary_assets WHERE public_id = $1', [overlay.public_id]);
    await notify(service, renamed(overlay.public_id, `v1/${to}`, at + 1));
    await notify(service, renamed(`v1/${to}`, to, at + 2));
    expect(await overlaysOf(to)).toMatchObject([{ rejected_at: expect.any(String) as string }]);
  });

  it('is known however long ago it was, also when the image is deleted and registered again', async () => {
    const [name, image] = [fresh(), await addImage(fresh())];
    for (const id of [name, image.public_id]) await notify(service, moderated(id, 'rejected', now() - 3_600));
    await service.app
      .get(DataSource)
      .query(
        `UPDATE cloudinary_assets SET at = at - interval '2 days', moderated_at = moderated_at - interval '2 days'`,
      );
    await notify(service, uploaded(fresh(), now()));
    await service.admin('DELETE', `/images/${image.id}`);
    for (const publicId of [name, image.public_id]) {
      const { id } = await addImage(publicId);
      expect((await service.get(`/images/${id}?token=${shop.sign()}`)).status).toBe(410);
    }
  });

  it('is known when an image or an overlay is registered, or gets the public id', async () => {
    const [image, overlay, renamed_, at] = [fresh(), fresh(), fresh(), now() - 60];
    for (const name of [image, overlay, renamed_]) await notify(service, moderated(name, 'rejected', at));
    const rejected = { rejected_at: new Date(at * 1_000).toISOString() };
    const { id } = await addImage(image);
    expect(await imagesOf(image)).toMatchObject([{ id, ...rejected }]);
    expect((await service.get(`/images/${id}?token=${shop.sign()}`)).status).toBe(410);
    expect(await addOverlay(overlay)).toMatchObject(rejected);
    const other = await addImage(fresh());
    expect(other).toMatchObject({ rejected_at: null });
    const response = await service.admin('PATCH', `/images/${other.id}`, { public_id: renamed_ });
    expect([response.status, response.json()]).toMatchObject([200, rejected]);
  });

  it('is applied in any order: the latest outcome decides, and of two at once the rejection', async () => {
    const at = now() - 60;
    for (const [events, status] of [
      [(id: string) => [moderated(id, 'approved', at + 1), moderated(id, 'rejected', at)], 302],
      [(id: string) => [moderated(id, 'rejected', at + 1), moderated(id, 'approved', at)], 410],
      [(id: string) => [moderated(id, 'rejected', at), moderated(id, 'approved', at)], 410],
      [(id: string) => [moderated(id, 'approved', at), moderated(id, 'rejected', at)], 410],
      [(id: string) => [moderated(id, 'rejected', at), uploaded(id, at + 0.5)], 410],
      [(id: string) => [uploaded(id, at + 1), moderated(id, 'rejected', at)], 302],
    ] as const) {
      const image = await addImage(fresh());
      for (const event of events(image.public_id)) await notify(service, event);
      expect((await service.get(`/images/${image.id}?token=${shop.sign()}`)).status).toBe(status);
    }
  });

  it('that is received before the upload hides the image that a rule registers', async () => {
    const [publicId, to, at] = [`shop/${fresh()}`, `shop/${fresh()}`, now() - 60];
    await notify(service, moderated(publicId, 'rejected', at + 1));
    expect(await notify(service, uploaded(publicId, at))).toBe(1);
    expect(await imagesOf(publicId)).toMatchObject([{ rejected_at: expect.any(String) as string }]);
    // Also under another name, whether the rejection is received before or after the renaming.
    await notify(service, renamed(publicId, to, at + 2));
    expect(await imagesOf(to)).toMatchObject([{ rejected_at: expect.any(String) as string }]);
    expect(await notify(service, moderated(publicId, 'approved', at + 1.5))).toBe(1);
    expect(await imagesOf(to)).toMatchObject([{ rejected_at: null }]);
  });

  it('keeps an image hidden that was deleted and uploaded again while its moderation is pending', async () => {
    const [image, overlay, at] = [await addImage(fresh()), await addOverlay(fresh()), now() - 60];
    for (const { public_id: publicId } of [image, overlay]) {
      await notify(service, moderated(publicId, 'rejected', at));
      await notify(service, deleted(publicId, at + 1));
      await notify(service, uploaded(publicId, at + 2, upload([{ kind: 'manual', status: 'pending' }])));
    }
    expect(await imagesOf(image.public_id)).toMatchObject([{ rejected_at: expect.any(String) as string }]);
    expect(await overlaysOf(overlay.public_id)).toMatchObject([
      { rejected_at: expect.any(String) as string },
    ]);
  });

  it.each<[string, Notification, number]>([
    ['its type', { secure_url: undefined, type: 'authenticated', resource_type: 'image' }, 1],
    ['its URL', {}, 1],
    ['neither, if it is rejected', { secure_url: undefined }, 1],
    ['the type of another asset', { type: 'upload' }, 0],
    ['the URL of another asset', { secure_url: 'https://res.cloudinary.com/demo/image/upload/x.jpg' }, 0],
    ['the URL of a video', { secure_url: 'https://res.cloudinary.com/demo/video/authenticated/x.mp4' }, 0],
    ['the outcome of each kind', { moderation_status: undefined, moderation: [{ status: 'rejected' }] }, 1],
    ['the summary of all kinds', { notification_type: 'moderation_summary' }, 1],
  ])('is of the asset that is named by %s', async (_, members, changed) => {
    const { public_id: publicId } = await addImage(fresh());
    expect(await notify(service, moderated(publicId, 'rejected', now(), members))).toBe(changed);
  });

  it('shows nothing if it does not name the type of the asset', async () => {
    const { public_id: publicId } = await addImage(fresh());
    await notify(service, moderated(publicId, 'rejected', now() - 60));
    const approval = moderated(publicId, 'approved', now(), { secure_url: undefined });
    expect(await notify(service, approval)).toBe(0);
  });
});

describe('a change of access control', () => {
  const token = [{ access_type: 'token' }];
  const anonymous = [{ access_type: 'anonymous' }];

  it.each<[string, unknown]>([
    ['a token', token],
    ['a time', [{ access_type: 'anonymous', start: '2030-01-01T00:00:00Z' }]],
    ['a token before a time', [...token, { access_type: 'anonymous', end: '2030-01-01T00:00:00Z' }]],
    ['what is not known', undefined],
    ['what is not understood', 'token'],
  ])('that requires %s closes a public image to requests without a token', async (_, rules) => {
    const image = await addImage(fresh(), { access: 'public' });
    expect((await service.get(`/images/${image.id}`)).status).toBe(302);
    expect(await notify(service, accessChanged(image.public_id, rules, now()))).toBe(1);
    expect((await service.get(`/images/${image.id}`)).status).toBe(401);
    expect((await service.get(`/images/${image.id}?token=${shop.sign()}`)).status).toBe(302);
    expect(await notify(service, accessChanged(image.public_id, anonymous, now()))).toBe(0);
    expect(await imagesOf(image.public_id)).toMatchObject([{ access: 'token' }]);
  });

  it.each<[string, unknown]>([
    ['nothing', []],
    ['nothing of anonymous clients', [...token, ...anonymous]],
  ])('that requires %s changes nothing', async (_, rules) => {
    const images = [await addImage(fresh(), { access: 'public' }), await addImage(fresh())];
    for (const { public_id: publicId, access } of images) {
      expect(await notify(service, accessChanged(publicId, rules, now()))).toBe(0);
      expect(await imagesOf(publicId)).toMatchObject([{ access }]);
    }
  });

  it('closes an image by an upload too, and one that is deleted, once it is restored', async () => {
    const [image, at] = [await addImage(fresh(), { access: 'public' }), now() - 60];
    await notify(service, deleted(image.public_id, at));
    expect(await notify(service, accessChanged(image.public_id, token, at + 1))).toBe(1);
    await notify(service, uploaded(image.public_id, at + 2));
    expect(await imagesOf(image.public_id)).toMatchObject([{ id: image.id, access: 'token' }]);
    await service.admin('PATCH', `/images/${image.id}`, { access: 'public' });
    await notify(service, uploaded(image.public_id, at + 3, { access_control: token }));
    expect(await imagesOf(image.public_id)).toMatchObject([{ access: 'token' }]);
  });

  it('is applied in any order with a renaming, and with a deletion', async () => {
    const at = now() - 60;
    for (const [events, end] of [
      [(a: string, b: string) => [accessChanged(b, token, at + 1), renamed(a, b, at)], 'b'],
      [
        (a: string, b: string) => [
          accessChanged(b, token, at + 1),
          renamed(b, `${b}_c`, at + 2),
          renamed(a, b, at),
        ],
        'c',
      ],
      [
        (a: string) => [deleted(a, at + 1), uploaded(a, at, { access_control: token }), uploaded(a, at + 2)],
        'a',
      ],
    ] as const) {
      const [image, to] = [await addImage(fresh(), { access: 'public' }), fresh()];
      for (const event of events(image.public_id, to)) await notify(service, event);
      const name = { a: image.public_id, b: to, c: `${to}_c` }[end];
      expect(await imagesOf(name)).toMatchObject([{ id: image.id, access: 'token' }]);
    }
  });

  it('is known when an image is registered, until an operator shows it', async () => {
    const [publicId, at] = [fresh(), now() - 60];
    await notify(service, accessChanged(publicId, token, at));
    const image = await addImage(publicId, { access: 'public' });
    expect(image).toMatchObject({ access: 'token' });
    const response = await service.admin('PATCH', `/images/${image.id}`, { access: 'public' });
    expect([response.status, response.json()]).toMatchObject([200, { access: 'public' }]);
  });

  it('is read where resources are by public id, or are the notification itself', async () => {
    for (const resources of [
      (publicId: string) => ({
        resources: { [publicId]: { type: 'authenticated', resource_type: 'image', access_control: token } },
      }),
      (publicId: string) => ({ public_id: publicId, access_control: token }),
      (publicId: string) => ({ resources: [publicId] }),
      (publicId: string) => ({ public_ids: [publicId] }),
      (publicId: string) => ({ public_id: publicId, type: null, resource_type: null }),
      (publicId: string) => ({ public_id: publicId, resource_type: 'picture' }),
      (publicId: string) => ({ resources: [publicId, publicId] }),
    ]) {
      const { public_id: publicId } = await addImage(fresh(), { access: 'public' });
      const body = { notification_type: 'access_control_changed', ...resources(publicId) };
      expect(await notify(service, body)).toBe(1);
    }
  });
});

describe('an asset keeps its issuer across a name that cannot be registered', () => {
  // A folder that reads as a version, one that reads as a transformation, characters of Cloudinary's own syntax.
  const unregistrable = ['v1/NAME', 'w_100/NAME', `NAME+${'😀'.repeat(200)}`];

  it.each(unregistrable)('if its image was deleted here: %s', async (pattern) => {
    const { id, public_id: from } = await addImage(fresh());
    await service.admin('DELETE', `/images/${id}`);
    const [between, to, at] = [pattern.replace('NAME', fresh()), fresh(), now() - 60];
    await notify(service, renamed(from, between, at));
    expect([await retainedOf(from), await holdersOf(between)]).toStrictEqual([[], [shop.issuerId]]);
    await notify(service, renamed(between, to, at + 10));
    expect([await holdersOf(between), await retainedOf(to)]).toMatchObject([
      [],
      [{ issuer_id: shop.issuerId }],
    ]);
    expect(await register(to, other)).toBe(409);
    expect(await register(to, shop)).toBe(201);
  });

  it.each(unregistrable)('and its rows return under the next name, with their ids: %s', async (pattern) => {
    const [from, between, to, at] = [fresh(), pattern.replace('NAME', fresh()), fresh(), now() - 60];
    const image = await addImage(from);
    const overlay = await addOverlay(from);
    const path = `/images/${image.id}?token=${shop.sign()}`;
    expect((await service.get(path)).status).toBe(302);
    expect(await notify(service, renamed(from, between, at + 10))).toBe(2);
    expect((await service.get(path)).status).toBe(410);
    expect((await service.admin('GET', `/overlays/${overlay.id}`)).status).toBe(404);
    expect(await holdersOf(between)).toStrictEqual([shop.issuerId]);
    // From now on its name is another asset's.
    expect(await register(from, other)).toBe(201);
    expect(await notify(service, uploaded(between, at + 20))).toBe(2);
    expect(await statusOf(image.id)).toBe(410);

    expect(await notify(service, renamed(between, to, at + 30))).toBe(2);
    expect(await imagesOf(to)).toMatchObject([{ id: image.id, version: at + 20 }]);
    expect(await overlaysOf(to)).toMatchObject([{ id: overlay.id }]);
    expect([await holdersOf(between), await retainedOf(to)]).toStrictEqual([[], []]);
    expect(await register(to, other)).toBe(409);
    expect((await service.get(path)).headers.location).toContain(`/v${at + 20}/${to}`);
  });

  it('and its image returns under its previous name', async () => {
    const image = await addImage(fresh());
    await notify(service, renamed(image.public_id, `v1/${image.public_id}`, now() - 60));
    expect(await notify(service, renamed(`v1/${image.public_id}`, image.public_id, now() - 30))).toBe(1);
    expect(await imagesOf(image.public_id)).toMatchObject([{ id: image.id }]);
  });

  it('if the renamings are received in reverse order', async () => {
    const { id, public_id: from } = await addImage(fresh());
    await service.admin('DELETE', `/images/${id}`);
    const [to, at] = [fresh(), now() - 60];
    await notify(service, renamed(`v1/${to}`, to, at + 10));
    await notify(service, renamed(from, `v1/${to}`, at));
    expect(await retainedOf(to)).toMatchObject([{ issuer_id: shop.issuerId }]);
  });

  it('if its issuer was deleted meanwhile', async () => {
    const { id: issuer_id } = await post<{ id: string }>(service, '/issuers', { name: 'Short-lived' });
    const [image, to] = [await addImage(fresh(), { issuer_id }), fresh()];
    await notify(service, renamed(image.public_id, `v1/${to}`, now() - 60));
    expect((await service.admin('DELETE', `/issuers/${issuer_id}`)).status).toBe(204);
    await notify(service, renamed(`v1/${to}`, to, now() - 30));
    expect(await register(to, other)).toBe(409);
  });

  it('until the account deletes it', async () => {
    const [image, at] = [await addImage(fresh()), now() - 60];
    const between = `v1/${image.public_id}`;
    await notify(service, renamed(image.public_id, between, at));
    await notify(service, deleted(between, at + 10));
    expect(await holdersOf(between)).toStrictEqual([]);
    // The next upload is its issuer's, as under every other name.
    await notify(service, uploaded(between, at + 20));
    expect(await holdersOf(between)).toStrictEqual([shop.issuerId]);
    expect(await statusOf(image.id)).toBe(410);
  });
});

describe('in any order, and with any number of repeats', () => {
  /** The events of an asset: its names change, and are not used again. */
  const history = fc
    .record({
      steps: fc.array(fc.constantFrom('upload', 'delete', 'rename', 'hide', 'reject', 'approve'), {
        minLength: 1,
        maxLength: 6,
      }),
      registered: fc.boolean(),
      ruled: fc.boolean(),
    })
    .chain(({ steps, ...rest }) =>
      fc.record({
        steps: fc.constant(steps),
        registered: fc.constant(rest.registered),
        ruled: fc.constant(rest.ruled),
        order: fc.shuffledSubarray([...steps.keys(), ...steps.keys()], {
          minLength: steps.length * 2,
        }),
      }),
    );

  /** Each at its second, as Cloudinary could send them: a deleted asset is uploaded again before it is renamed. */
  function notifyAll(
    steps: readonly string[],
    prefix: string,
    start: number,
  ): { payload: Notification[]; name: string } {
    const payload: Notification[] = [];
    let [name, there, moves] = [`${prefix}_0`, true, 0];
    steps.forEach((step, index) => {
      const at = start + index * 2;
      if ((step === 'rename' || step === 'hide') && there) {
        // A percent sign cannot be registered.
        const to = `${prefix}_${++moves}${step === 'hide' ? '%' : ''}`;
        payload.push(renamed(name, to, at));
        name = to;
      } else if ((step === 'reject' || step === 'approve') && there) {
        const url = `https://res.cloudinary.com/demo/image/authenticated/${name}.jpg`;
        payload.push(moderated(name, `${step}ed`.replace('ee', 'e'), at, { secure_url: url }));
      } else if (step === 'delete' && there) {
        payload.push(deleted(name, at));
        there = false;
      } else {
        payload.push(uploaded(name, at));
        there = true;
      }
    });
    return { payload, name };
  }

  const rowsBelow = (prefix: string): Promise<object[]> =>
    service.app.get(DataSource).query<object[]>(
      `SELECT replace(public_id, $1, '') AS name, issuer_id, version, format,
              rejected_at IS NOT NULL AS rejected FROM images
          WHERE starts_with(public_id, $1) AND deleted_at IS NULL
        UNION ALL
       SELECT replace(public_id, $1, '') AS name, issuer_id, NULL, 'retained', NULL
         FROM retained_public_ids
          WHERE starts_with(public_id, $1) ORDER BY 1`,
      [prefix],
    );

  it('notifications of one asset lead to the same row as in order', async () => {
    const start = now() - 600;
    await fc.assert(
      fc.asyncProperty(history, async ({ steps, registered, ruled, order }) => {
        const ends: unknown[] = [];
        for (const inOrder of [true, false]) {
          const prefix = `${ruled ? 'shop/' : ''}${fresh()}`;
          if (registered) await addImage(`${prefix}_0`);
          const { payload } = notifyAll(steps, prefix, start);
          const sequence = inOrder ? payload : order.map((index) => payload[index] ?? {});
          for (const one of sequence) await notify(service, one);
          ends.push(await rowsBelow(prefix));
        }
        expect(ends[1]).toStrictEqual(ends[0]);
      }),
      // PGlite takes about ten times as long.
      { numRuns: inject('database').kind === 'embedded' ? 20 : 80 },
    );
  });

  it('sent at once they lead to the same row, and none of them fails', async () => {
    const prefix = `shop/${fresh()}`;
    const { payload, name } = notifyAll(
      ['upload', 'rename', 'upload', 'delete', 'upload', 'rename'],
      prefix,
      now() - 60,
    );
    await Promise.all([...payload, ...payload, ...payload].map((one) => notify(service, one)));
    expect(await imagesOf(name)).toMatchObject([{ version: payload[4]?.['version'] }]);
  });
});

it('every change is in the audit log as Cloudinary’s, with the request’s id', async () => {
  const [publicId, to, at] = [`shop/${fresh()}`, `shop/${fresh()}`, now() - 60];
  await notify(service, uploaded(publicId, at));
  const [image] = await imagesOf(publicId);
  await notify(service, uploaded(publicId, at + 1));
  await notify(service, renamed(publicId, to, at + 2));
  const response = await send(service, JSON.stringify(deleted(to, at + 3)));
  const log = await service.admin('GET', `/audit?row_id=${image?.id ?? ''}`);
  const { items } = log.json() as { items: Notification[] };
  expect(items.map(({ action, actor }) => [action, actor])).toStrictEqual([
    ['image.delete', 'cloudinary'],
    ['image.update', 'cloudinary'],
    ['image.update', 'cloudinary'],
    ['image.create', 'cloudinary'],
  ]);
  expect(items[0]?.['request_id']).toBe(response.headers['x-request-id']);
});

it('notifications are deleted after a day, unless a deleted row depends on them', async () => {
  const data = service.app.get(DataSource);
  const [forgotten, kept] = [fresh(), (await addImage(fresh())).public_id];
  await notify(service, uploaded(forgotten, now()));
  await notify(service, deleted(kept, now()));
  await data.query(
    `UPDATE cloudinary_assets SET at = now() - interval '25 hours', moderated_at = now() - interval '25 hours'
      WHERE public_id IN ($1, $2)`,
    [forgotten, kept],
  );
  await notify(service, uploaded(fresh(), now()));
  const left = await data.query<{ public_id: string }[]>(
    `SELECT public_id FROM cloudinary_assets WHERE public_id IN ($1, $2)`,
    [forgotten, kept],
  );
  expect(left).toStrictEqual([{ public_id: kept }]);
});

it('the migration can be reverted and applied again', async () => {
  const database = await createTestDatabase();
  const dataSource = await createDataSource(readDatabaseSettings(database.variables));
  try {
    await dataSource.initialize();
    const tables = (): Promise<unknown[]> =>
      dataSource.query(
        `SELECT FROM pg_class WHERE relname IN ('cloudinary_assets', 'images_deleted_public_id')`,
      );
    expect(await tables()).toHaveLength(2);
    // Later ones may exist.
    for (let undone = 0; undone < 50 && (await tables()).length > 0; undone += 1) {
      await dataSource.undoLastMigration({ transaction: 'all' });
    }
    expect(await tables()).toHaveLength(0);
    await migrateUnderLock(dataSource);
    expect(await tables()).toHaveLength(2);
  } finally {
    await dataSource.destroy();
    await database.drop();
  }
});
