import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENVIRONMENT_ACCOUNT_ID } from '../../src/domain/account.js';
import { OriginalsStore } from '../../src/originals/originals.store.js';
import { sendForm } from '../originals/form.js';
import { drawPicture } from '../originals/pictures.js';
import { createAdminKey } from '../support/admin-keys.js';
import { request } from '../support/http.js';
import { createTenant, post, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

let service: Service;
let owner: Tenant;
let neighbour: Tenant;

beforeAll(async () => {
  service = await startService();
  owner = await createTenant(service, { publicId: 'own', overlayPublicId: 'own_mark' });
  neighbour = await createTenant(service, { publicId: 'foreign', overlayPublicId: 'foreign_mark' });
});
afterAll(() => service.close());

let names = 0;
const fresh = (): string => `retained_${++names}`;

interface Row {
  readonly id: string;
}
interface Retained extends Row {
  readonly public_id: string;
  readonly issuer_id: string;
}

const add = (kind: string, publicId: string, members: object = {}): Promise<Row> =>
  post<Row>(service, `/${kind}`, {
    issuer_id: owner.issuerId,
    public_id: publicId,
    ...(kind === 'images' ? { version: 1 } : {}),
    ...members,
  });

async function retainedOf(publicId: string, headers?: Readonly<Record<string, string>>): Promise<Retained[]> {
  const path = `/admin/retained-public-ids?public_id=${publicId}`;
  const response =
    headers === undefined
      ? await service.admin('GET', path.slice(6))
      : await service.get(path, { ...headers });
  expect(response.status).toBe(200);
  return (response.json() as { items: Retained[] }).items;
}

const register = async (kind: string, publicId: string, issuerId: string): Promise<number> => {
  const body = { issuer_id: issuerId, public_id: publicId, ...(kind === 'images' ? { version: 1 } : {}) };
  return (await service.admin('POST', `/${kind}`, body)).status;
};

const WAYS: readonly [what: string, kind: string, leave: (id: string) => Promise<unknown>][] = [
  ['a deleted image', 'images', (id) => service.admin('DELETE', `/images/${id}`)],
  ['a deleted overlay', 'overlays', (id) => service.admin('DELETE', `/overlays/${id}`)],
  ['a renamed image', 'images', (id) => service.admin('PATCH', `/images/${id}`, { public_id: fresh() })],
  [
    'a renamed overlay',
    'overlays',
    (id) => service.admin('PATCH', `/overlays/${id}`, { public_id: fresh() }),
  ],
  [
    'an image of another type now',
    'images',
    (id) => service.admin('PATCH', `/images/${id}`, { delivery_type: 'upload' }),
  ],
];

describe.each(WAYS)('the public id of %s', (_, kind, leave) => {
  async function leaveOne(): Promise<string> {
    const publicId = fresh();
    await leave((await add(kind, publicId)).id);
    return publicId;
  }

  it('is retained, and no other issuer can register it', async () => {
    const publicId = await leaveOne();
    expect(await retainedOf(publicId)).toStrictEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        issuer_id: owner.issuerId,
        public_id: publicId,
        delivery_type: kind === 'images' ? 'authenticated' : 'private',
        retained_at: expect.stringMatching(/^\d{4}-/) as string,
      },
    ]);
    for (const other of ['images', 'overlays']) {
      expect(await register(other, publicId, neighbour.issuerId)).toBe(409);
    }
    const response = await service.admin('PATCH', `/images/${neighbour.imageId}`, { public_id: publicId });
    expect([response.status, (response.json() as { code: string }).code]).toStrictEqual([
      409,
      'public_id_taken',
    ]);
  });

  it('can be registered again by its issuer, and is then no longer retained', async () => {
    const publicId = await leaveOne();
    expect(await register(kind, publicId, owner.issuerId)).toBe(201);
    expect(await retainedOf(publicId)).toStrictEqual([]);
    expect(await register('images', publicId, neighbour.issuerId)).toBe(409);
  });
});

describe('a retained public id', () => {
  async function retain(): Promise<Retained> {
    const publicId = fresh();
    await service.admin('DELETE', `/images/${(await add('images', publicId)).id}`);
    const [retained] = await retainedOf(publicId);
    if (retained === undefined) throw new Error('nothing is retained');
    return retained;
  }

  it('is released by an operator, and recorded', async () => {
    const { id, public_id: publicId } = await retain();
    expect((await service.admin('DELETE', `/retained-public-ids/${id}`)).status).toBe(204);
    expect(await retainedOf(publicId)).toStrictEqual([]);
    expect(await register('images', publicId, neighbour.issuerId)).toBe(201);
    const { items } = (await service.admin('GET', `/audit?row_id=${id}`)).json() as { items: object[] };
    expect(items).toMatchObject([
      {
        action: 'retained_public_id.delete',
        actor: expect.stringMatching(/./) as string,
        issuer_id: owner.issuerId,
        before: { public_id: publicId, delivery_type: 'authenticated' },
        after: null,
      },
    ]);
  });

  it('is neither recorded nor released twice', async () => {
    const { id } = await retain();
    await service.admin('DELETE', `/retained-public-ids/${id}`);
    for (const unknownId of [id, randomUUID(), 'x', '%00']) {
      const response = await service.admin('DELETE', `/retained-public-ids/${unknownId}`);
      expect([response.status, (response.json() as { code: string }).code]).toStrictEqual([
        404,
        'public_id_not_retained',
      ]);
    }
  });

  it('is shown to a key bound to its issuer, which cannot release it', async () => {
    const { id, public_id: publicId } = await retain();
    const own = await createAdminKey(service, { issuer_id: owner.issuerId });
    const foreign = await createAdminKey(service, { issuer_id: neighbour.issuerId });
    expect(await retainedOf(publicId, own.headers)).toHaveLength(1);
    expect(await retainedOf(publicId, foreign.headers)).toStrictEqual([]);
    for (const key of [own, foreign, await createAdminKey(service, { scopes: ['read'] })]) {
      const response = await request({
        port: service.port,
        path: `/admin/retained-public-ids/${id}`,
        method: 'DELETE',
        headers: key.headers,
      });
      expect([response.status, (response.json() as { code: string }).code]).toStrictEqual([
        403,
        'insufficient_scope',
      ]);
    }
    expect(await retainedOf(publicId)).toHaveLength(1);
  });

  it('is kept after its issuer is deleted', async () => {
    const { id } = await post<Row>(service, '/issuers', { name: 'Short-lived' });
    const [image, overlay] = [fresh(), fresh()];
    await service.admin('DELETE', `/images/${(await add('images', image, { issuer_id: id })).id}`);
    await service.admin('DELETE', `/overlays/${(await add('overlays', overlay, { issuer_id: id })).id}`);
    expect((await service.admin('DELETE', `/issuers/${id}`)).status).toBe(204);
    expect(await register('images', image, neighbour.issuerId)).toBe(409);
    expect(await register('overlays', overlay, neighbour.issuerId)).toBe(409);
    const { items } = (await service.admin('GET', `/retained-public-ids?issuer_id=${id}`)).json() as {
      items: Retained[];
    };
    expect(items.map((row) => row.public_id).sort()).toStrictEqual([image, overlay].sort());
  });

  it('is shown to a key that may release it, and to no key of another issuer', async () => {
    const { id, public_id: publicId } = await retain();
    const body = { issuer_id: neighbour.issuerId, public_id: publicId, version: 1 };
    const problem = { type: 'about:blank', title: 'Conflict', status: 409, code: 'public_id_taken' };
    expect((await service.admin('POST', '/images', body)).json()).toStrictEqual({
      ...problem,
      detail: `The public id is retained for the issuer ${owner.issuerId}, whose image or overlay was deleted or renamed. Register it for that issuer, or release it with DELETE /admin/retained-public-ids/${id}.`,
      key: 'public_id',
      taken_by: 'retained_public_id',
      row_id: id,
    });
    const foreign = await createAdminKey(service, { issuer_id: neighbour.issuerId });
    const own = await createAdminKey(service, { issuer_id: owner.issuerId });
    const send = async ({ headers }: typeof own, path: string, members: object): Promise<object> =>
      (await service.admin('POST', path, members, { ...headers })).json() as object;
    const other = {
      ...problem,
      detail:
        'Another issuer has the public id: in an account a public id has one issuer. Use another one, or register a copy of the asset.',
      key: 'public_id',
      taken_by: 'other_issuer',
    };
    // Retained, registered as an image or as an overlay: another issuer's key gets the same response.
    for (const public_id of [publicId, 'own', 'own_mark']) {
      expect(await send(foreign, '/images', { ...body, public_id })).toStrictEqual(other);
      const overlay = { issuer_id: neighbour.issuerId, public_id };
      expect(await send(foreign, '/overlays', overlay)).toStrictEqual(other);
    }
    const taken = { issuer_id: owner.issuerId, public_id: 'own', version: 1 };
    expect(await send(own, '/images', { ...taken, delivery_type: 'authenticated' })).toMatchObject({
      taken_by: 'image',
      row_id: owner.imageId,
    });
    expect(await send(own, '/images', { ...body, issuer_id: owner.issuerId })).toMatchObject({
      public_id: publicId,
    });
  });

  it('accepts an upload of its issuer, and stores nothing of another’s', async () => {
    const publicId = fresh();
    const upload = async (issuerId: string): Promise<number> => {
      const fields = { issuer_id: issuerId, public_id: publicId, file: await drawPicture(1) };
      return (await sendForm(service, '/images', fields)).status;
    };
    expect(await upload(owner.issuerId)).toBe(201);
    const { items } = (await service.admin('GET', `/images?public_id=${publicId}`)).json() as {
      items: Row[];
    };
    await service.admin('DELETE', `/images/${items[0]?.id ?? ''}`);
    const find = (): Promise<unknown> =>
      service.app
        .get(OriginalsStore, { strict: false })
        .findRow({ accountId: ENVIRONMENT_ACCOUNT_ID, deliveryType: 'authenticated', publicId });
    expect(await upload(neighbour.issuerId)).toBe(409);
    expect(await find()).toBeNull();
    expect(await upload(owner.issuerId)).toBe(201);
    expect(await find()).not.toBeNull();
  });

  it('is not retained while another row of its issuer has the name', async () => {
    const publicId = fresh();
    const image = await add('images', publicId, { delivery_type: 'private' });
    const overlay = await add('overlays', publicId, { delivery_type: 'private' });
    await service.admin('DELETE', `/images/${image.id}`);
    expect(await retainedOf(publicId)).toStrictEqual([]);
    await service.admin('DELETE', `/overlays/${overlay.id}`);
    expect(await retainedOf(publicId)).toHaveLength(1);
  });
});
