import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminKey } from '../support/admin-keys.js';
import { post } from '../support/seed.js';
import { type Service, startService } from '../support/service.js';

describe('a search for a part of a name', () => {
  let service: Service;
  let issuerId: string;
  let otherId: string;

  beforeAll(async () => {
    service = await startService();
    ({ id: issuerId } = await post<{ id: string }>(service, '/issuers', { name: 'Galerie Zürich' }));
    ({ id: otherId } = await post<{ id: string }>(service, '/issuers', { name: '100% C:\\pictures_old' }));
    for (const [owner, name] of [
      [issuerId, 'shop/Cat_1'],
      [issuerId, 'shop/catalogue'],
      [issuerId, 'shop/dog'],
      [otherId, 'other/CAT'],
    ] as const) {
      await post(service, '/images', { issuer_id: owner, public_id: name, version: 1 });
      await post(service, '/overlays', { issuer_id: owner, public_id: `${name}_mark` });
    }
  });
  afterAll(() => service.close());

  const find = async (path: string, search: string, more = '', headers = {}): Promise<string[]> => {
    const query = `search=${encodeURIComponent(search)}${more}`;
    const response = await service.admin('GET', `/${path}?${query}`, undefined, headers);
    expect(response.status).toBe(200);
    const { items } = response.json() as { items: { name?: string; public_id?: string }[] };
    return items.map(({ name, public_id: publicId }) => name ?? publicId ?? '').sort();
  };

  it.each([
    ['zürich', ['Galerie Zürich']],
    ['ALERIE', ['Galerie Zürich']],
    ['0%', ['100% C:\\pictures_old']],
    ['%', ['100% C:\\pictures_old']],
    ['_', ['100% C:\\pictures_old']],
    ['\\p', ['100% C:\\pictures_old']],
    ['\\', ['100% C:\\pictures_old']],
    ["'", []],
  ])('finds the issuers of %s', async (search, names) => {
    expect(await find('issuers', search)).toStrictEqual(names);
  });

  it('finds images and overlays, of all issuers or of one, in pages', async () => {
    expect(await find('images', 'cat')).toStrictEqual(['other/CAT', 'shop/Cat_1', 'shop/catalogue']);
    expect(await find('images', 't_')).toStrictEqual(['shop/Cat_1']);
    expect(await find('images', 'cat', `&issuer_id=${otherId}`)).toStrictEqual(['other/CAT']);
    expect(await find('overlays', 'DOG_')).toStrictEqual(['shop/dog_mark']);
    const first = await service.admin('GET', '/images?search=cat&limit=2');
    const { items, next_cursor: cursor } = first.json() as { items: unknown[]; next_cursor: string };
    expect(items).toHaveLength(2);
    expect(await find('images', 'cat', `&limit=2&cursor=${cursor}`)).toHaveLength(1);
  });

  it('finds only the rows of a bound key’s issuer', async () => {
    const { key } = await createAdminKey(service, { issuer_id: otherId });
    const headers = { authorization: `Bearer ${key}` };
    expect(await find('images', 'cat', '', headers)).toStrictEqual(['other/CAT']);
    expect(await find('images', 'cat', `&issuer_id=${issuerId}`, headers)).toStrictEqual([]);
    expect(await find('issuers', 'i', '', headers)).toStrictEqual(['100% C:\\pictures_old']);
  });

  it.each([
    ['images', 'x'.repeat(256)],
    ['images', ''],
    ['issuers', 'x'.repeat(201)],
    ['issuers', 'a\0b'],
  ])('is refused of %s for a text that no name contains', async (path, search) => {
    const response = await service.admin('GET', `/${path}?search=${encodeURIComponent(search)}`);
    expect(response.json()).toMatchObject({ code: 'invalid_request', errors: [{ key: 'search' }] });
  });
});
