import { beforeEach, describe, expect, it } from 'vitest';
import { type DeliveryKey, DeliveryKeys } from '../../src/renderer/delivery-keys.js';
import { readDeliveryPath } from '../../src/renderer/delivery-path.js';

const CHANGE = { id: 'an id', issuer_id: 'an issuer' };

let contents: Map<string, string>;
let originalFilename: string | null;
let queries: string[];
/** Resolves look-ups; by default at once. */
let gate: Promise<void>;
let keys: DeliveryKeys;
beforeEach(() => {
  contents = new Map([
    ['photo', 'first'],
    ['badge', 'badge'],
  ]);
  originalFilename = null;
  queries = [];
  gate = Promise.resolve();
  keys = new DeliveryKeys(
    {
      findRow: async ({ publicId }) => {
        queries.push(publicId);
        const sha256 = contents.get(publicId);
        await gate;
        return sha256 === undefined ? null : { sha256, originalFilename, format: 'jpg', width: 3, height: 2 };
      },
    },
    'edition',
  );
  keys.onConnectionChange(true);
});

const get = (path: string, accept?: string, accountId = 'account'): Promise<DeliveryKey> =>
  keys.get({ accountId, path, delivery: readDeliveryPath(path), accept });
const PHOTO = '/cloud/image/upload/c_fit,w_9/v1/photo.jpg';
const LAYERED = '/cloud/image/upload/l_badge/v1/photo.jpg';

describe('the key of a path', () => {
  it('is computed once, with one query for each original', async () => {
    const first = await get(LAYERED);
    expect(await get(LAYERED)).toStrictEqual(first);
    expect(queries).toStrictEqual(['photo', 'badge']);
  });

  it('comes with what the renderer reads, by type and public id', async () => {
    contents.delete('badge');
    expect((await get(LAYERED)).originals).toStrictEqual(
      new Map([
        ['upload/photo', { sha256: 'first', originalFilename: null, format: 'jpg', width: 3, height: 2 }],
        ['upload/badge', null],
      ]),
    );
  });

  it('changes with the name of the uploaded file: a download has it', async () => {
    const { key } = await get(PHOTO);
    originalFilename = 'rose';
    keys.rowChanged({ table: 'images', ...CHANGE });
    expect((await get(PHOTO)).key).not.toBe(key);
  });

  it.each([
    ['another version', () => get(PHOTO.replace('v1', 'v2'))],
    ['another account', () => get(PHOTO, undefined, 'other')],
    ['another delivery type', () => get(PHOTO.replace('upload', 'private'))],
  ])('reads rows again for %s', async (_, request) => {
    await get(PHOTO);
    await request();
    expect(queries).toStrictEqual(['photo', 'photo']);
  });

  it.each([
    ['another Accept', () => get(PHOTO, 'image/webp')],
    ['a very long Accept', () => get(PHOTO, 'image/webp,'.repeat(50))],
    ['another chain', () => get(PHOTO.replace('w_9', 'w_8'))],
  ])('has the same rows for %s', async (_, request) => {
    await get(PHOTO);
    await request();
    expect(queries).toStrictEqual(['photo']);
  });

  it.each(['images', 'overlays'] as const)(
    'changes with an original whose row in %s changed',
    async (table) => {
      const { key } = await get(PHOTO);
      contents.set('photo', 'second');
      keys.rowChanged({ table, ...CHANGE });
      expect((await get(PHOTO)).key).not.toBe(key);
    },
  );

  it('stays when a row of another table changes', async () => {
    await get(PHOTO);
    keys.rowChanged({ table: 'revocations', ...CHANGE });
    await get(PHOTO);
    expect(queries).toHaveLength(1);
  });

  it('is not cached if a row changed while it was computed', async () => {
    let open = (): void => undefined;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const stale = get(PHOTO);
    contents.set('photo', 'second');
    keys.rowChanged({ table: 'images', ...CHANGE });
    open();
    const { key } = await stale;
    expect((await get(PHOTO)).key).not.toBe(key);
  });

  it('is computed each time while the change feed is disconnected', async () => {
    await get(PHOTO);
    keys.onConnectionChange(false);
    await get(PHOTO);
    await get(PHOTO);
    expect(queries).toHaveLength(3);
  });
});
