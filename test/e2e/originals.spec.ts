import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ENVIRONMENT } from '../../src/platform/config/config.module.js';
import { readDatabaseSettings, type Environment } from '../../src/platform/config/environment.js';
import { createDataSource } from '../../src/platform/database/data-source.js';
import { migrateUnderLock } from '../../src/platform/database/migrate.js';
import type { DeliveryType } from '../../src/domain/image.js';
import { MAX_UPLOADS } from '../../src/originals/original-upload.js';
import { OriginalsService } from '../../src/originals/originals.service.js';
import { ENVIRONMENT_ACCOUNT_ID } from '../../src/domain/account.js';
import { OriginalsStore } from '../../src/originals/originals.store.js';
import { REQUEST_LIMITS } from '../../src/platform/http/request-limits.js';
import { sendForm, type FormFields } from '../originals/form.js';
import { HEIC, JXL, makeBmp, makePdf } from '../originals/converted-pictures.js';
import { drawPicture, makeBombPng, makeGif, SVG } from '../originals/pictures.js';
import { startUploadApi, type UploadApi } from '../originals/upload-api.js';
import { createTestDatabase } from '../support/test-database.js';
import { post } from '../support/seed.js';
import {
  ADMIN_KEY,
  API_SECRET,
  CLOUD,
  NO_PRESSURE,
  startService,
  type Service,
  TEST_VARIABLES,
} from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';

let picture: Buffer;
let otherPicture: Buffer;
let count = 0;

beforeAll(async () => {
  picture = await drawPicture(1);
  otherPicture = await drawPicture(2);
});

const NO_IMAGE = Buffer.from('no image');
const newName = (): string => `folder/original-${(count += 1)}`;
const hashOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

async function createIssuer(service: Service): Promise<string> {
  return (await post<{ id: string }>(service, '/issuers', { name: 'Originals' })).id;
}

function folderOf(service: Service): string {
  return join(service.app.get<Environment>(ENVIRONMENT).dataDir, 'originals');
}

/** Every stored file, including temporary ones. */
function filesOf(service: Service): string[] {
  const folder = folderOf(service);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

async function find(
  service: Service,
  name: string,
  type: DeliveryType = 'authenticated',
): Promise<Buffer | null> {
  const store = service.app.get(OriginalsStore, { strict: false });
  const row = await store.findRow({
    accountId: ENVIRONMENT_ACCOUNT_ID,
    deliveryType: type,
    publicId: name,
  });
  return row && (await readFile(store.pathOf(row.sha256)));
}

const formOf = (issuerId: string, more: FormFields): FormFields => ({
  issuer_id: issuerId,
  public_id: newName(),
  file: picture,
  ...more,
});

describe('originals that the service stores', () => {
  let service: Service;
  let issuer: string;

  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.close());
  beforeEach(async () => {
    issuer = await createIssuer(service);
  });
  afterEach(async () => {
    for (const rows of ['images', 'overlays']) {
      const { items } = (await service.admin('GET', `/${rows}?issuer_id=${issuer}&limit=100`)).json() as {
        items: { id: string }[];
      };
      for (const { id } of items) await service.admin('DELETE', `/${rows}/${id}`);
    }
    // After every test: the last file is deleted with the last row.
    expect(filesOf(service)).toStrictEqual([]);
  });

  const form = (more: FormFields = {}): FormFields => formOf(issuer, more);

  it('are uploaded with a new image: its version is the time of the upload, its format that of the content', async () => {
    const name = newName();
    const before = Math.floor(Date.now() / 1_000);
    const response = await sendForm(
      service,
      '/images',
      form({ public_id: name, format: 'jpg', access: 'public' }),
    );
    expect(response.status).toBe(201);
    expect(response.json).toMatchObject({
      issuer_id: issuer,
      public_id: name,
      format: 'png',
      delivery_type: 'authenticated',
      access: 'public',
    });
    expect(response.json['version']).toBeGreaterThanOrEqual(before);
    expect(response.json['version']).toBeLessThanOrEqual(Date.now() / 1_000);
    await expect(find(service, name)).resolves.toStrictEqual(picture);
    await expect(find(service, name, 'upload')).resolves.toBeNull();
    const hash = hashOf(picture);
    expect(filesOf(service)).toStrictEqual([join(hash.slice(0, 2), hash)]);
    const read = await service.admin('GET', `/images/${String(response.json['id'])}`);
    expect(read.json()).toStrictEqual(response.json);
  });

  it('accept the caller’s version and id', async () => {
    const id = randomUUID();
    const response = await sendForm(service, '/images', form({ id, version: '123123' }));
    expect(response.json).toMatchObject({ id, version: 123123 });
  });

  it('are uploaded with a new overlay', async () => {
    const name = newName();
    const response = await sendForm(service, '/overlays', form({ public_id: name }));
    expect(response.status).toBe(201);
    expect(response.json).toMatchObject({ public_id: name, delivery_type: 'private' });
    await expect(find(service, name, 'private')).resolves.toStrictEqual(picture);
  });

  it('are optional: JSON registers a row as before', async () => {
    const name = newName();
    const image = { issuer_id: issuer, public_id: name, version: 5 };
    expect((await service.admin('POST', '/images', image)).status).toBe(201);
    expect((await service.admin('POST', '/overlays', { issuer_id: issuer, public_id: name })).status).toBe(
      201,
    );
    await expect(find(service, name)).resolves.toBeNull();
    const noVersion = await service.admin('POST', '/images', { issuer_id: issuer, public_id: newName() });
    expect(noVersion.status).toBe(422);
    const textVersion = await service.admin('POST', '/images', {
      ...image,
      public_id: newName(),
      version: '5',
    });
    expect(textVersion.status).toBe(422);
  });

  it('are stored once for each content, as long as a row uses it', async () => {
    const names = [newName(), newName()];
    const rows = await Promise.all(
      names.map((name) => sendForm(service, '/images', form({ public_id: name }))),
    );
    expect(filesOf(service)).toHaveLength(1);
    const [first, second] = rows.map((row) => String(row.json['id']));
    await service.admin('DELETE', `/images/${first}`);
    await expect(find(service, names[0] ?? '')).resolves.toBeNull();
    await expect(find(service, names[1] ?? '')).resolves.toStrictEqual(picture);
    await service.admin('DELETE', `/images/${second}`);
    expect(filesOf(service)).toStrictEqual([]);
  });

  it('are kept while an overlay of the same name uses the image’s', async () => {
    const name = newName();
    const image = await sendForm(service, '/images', form({ public_id: name, delivery_type: 'private' }));
    const overlay = await post<{ id: string }>(service, '/overlays', { issuer_id: issuer, public_id: name });
    await service.admin('DELETE', `/images/${String(image.json['id'])}`);
    await expect(find(service, name, 'private')).resolves.toStrictEqual(picture);
    await service.admin('DELETE', `/overlays/${overlay.id}`);
    await expect(find(service, name, 'private')).resolves.toBeNull();
  });

  it('follow their row to a new name', async () => {
    const [before, after] = [newName(), newName()];
    const image = await sendForm(service, '/images', form({ public_id: before }));
    const changed = { public_id: after, delivery_type: 'upload' };
    expect((await service.admin('PATCH', `/images/${String(image.json['id'])}`, changed)).status).toBe(200);
    await expect(find(service, before)).resolves.toBeNull();
    await expect(find(service, after, 'upload')).resolves.toStrictEqual(picture);
  });

  it('are deleted with a row that is deleted by hand: the next owner of the name never gets them', async () => {
    const name = newName();
    const image = await sendForm(service, '/images', form({ public_id: name }));
    await service.app.get(DataSource).query('DELETE FROM images WHERE id = $1', [image.json['id']]);
    await expect(find(service, name)).resolves.toBeNull();
    // The file has no name any more; the next row with the content reuses it.
    const again = await sendForm(service, '/images', form());
    expect(again.status).toBe(201);
  });

  it('are replaced by PUT, with a newer version', async () => {
    const name = newName();
    const image = await sendForm(service, '/images', form({ public_id: name, version: '4000000000' }));
    const path = `/images/${String(image.json['id'])}/original`;
    const photo = await drawPicture(3, 'jpeg');
    const response = await sendForm(service, path, { file: photo }, { method: 'PUT' });
    expect(response.status).toBe(200);
    expect(response.json).toMatchObject({ id: image.json['id'], version: 4_000_000_001, format: 'jpg' });
    await expect(find(service, name)).resolves.toStrictEqual(photo);
    expect(filesOf(service)).toHaveLength(1);

    const last = await sendForm(service, '/images', form({ version: String(Number.MAX_SAFE_INTEGER) }));
    expect([last.status, last.json]).toMatchObject([422, { errors: [{ key: 'version' }] }]);
    const newest = await sendForm(service, '/images', form({ version: '999999999999999' }));
    const newestPath = `/images/${String(newest.json['id'])}/original`;
    expect(await sendForm(service, newestPath, { file: photo }, { method: 'PUT' })).toMatchObject({
      status: 200,
      json: { version: 1_000_000_000_000_000 },
    });

    const overlay = await sendForm(service, '/overlays', form());
    const overlayPath = `/overlays/${String(overlay.json['id'])}/original`;
    expect((await sendForm(service, overlayPath, { file: photo }, { method: 'PUT' })).status).toBe(200);
    await expect(find(service, String(overlay.json['public_id']), 'private')).resolves.toStrictEqual(photo);
  });

  it('are added by PUT to a row without one, and to no unknown row', async () => {
    const name = newName();
    const image = await post<{ id: string }>(service, '/images', {
      issuer_id: issuer,
      public_id: name,
      version: 5,
    });
    const put = (id: string, fields: FormFields): ReturnType<typeof sendForm> =>
      sendForm(service, `/images/${id}/original`, fields, { method: 'PUT' });
    expect((await put(image.id, { file: picture })).status).toBe(200);
    await expect(find(service, name)).resolves.toStrictEqual(picture);
    expect((await put(randomUUID(), { file: picture })).json['code']).toBe('image_not_found');
    expect((await put(image.id, { file: picture, version: '7' })).json).toMatchObject({
      code: 'invalid_request',
      errors: [{ key: 'version' }],
    });
    const json = await service.admin('PUT', `/images/${image.id}/original`, { file: 'x' });
    expect([json.status, json.json()]).toMatchObject([415, { code: 'unsupported_media_type' }]);
    await service.admin('DELETE', `/images/${image.id}`);
    expect((await put(image.id, { file: picture })).json['code']).toBe('image_deleted');
  });

  it('are never overwritten by a new row, of another issuer or of the same', async () => {
    const name = newName();
    expect((await sendForm(service, '/images', form({ public_id: name }))).status).toBe(201);
    const stranger = await createIssuer(service);
    for (const rows of ['/images', '/overlays']) {
      for (const type of ['authenticated', 'private', 'upload']) {
        const theirs = { issuer_id: stranger, public_id: name, delivery_type: type, file: otherPicture };
        const response = await sendForm(service, rows, theirs);
        expect([response.status, response.json['code']]).toStrictEqual([409, 'public_id_taken']);
      }
    }
    const own = form({ public_id: name, delivery_type: 'authenticated', file: otherPicture });
    expect((await sendForm(service, '/images', own)).json['code']).toBe('public_id_taken');
    expect((await sendForm(service, '/overlays', own)).json['code']).toBe('original_exists');
    await expect(find(service, name)).resolves.toStrictEqual(picture);
    expect(filesOf(service)).toHaveLength(1);
    // The same content is not an overwrite.
    expect((await sendForm(service, '/overlays', { ...own, file: picture })).status).toBe(201);
  });

  it('belong to one of ten concurrent creates with different images', async () => {
    const name = newName();
    const pictures = await Promise.all(Array.from({ length: 10 }, (_, seed) => drawPicture(100 + seed)));
    const issuers = await Promise.all(pictures.map(() => createIssuer(service)));
    const responses = await Promise.all(
      pictures.map((file, index) =>
        sendUntilAccepted(service, '/overlays', { issuer_id: issuers[index], public_id: name, file }),
      ),
    );
    const winners = responses.filter(({ status }) => status === 201);
    expect(winners).toHaveLength(1);
    const [winner] = winners;
    const index = winner === undefined ? -1 : responses.indexOf(winner);
    await expect(find(service, name, 'private')).resolves.toStrictEqual(pictures[index]);
    expect(filesOf(service)).toHaveLength(1);
    await service.admin('DELETE', `/overlays/${String(winner?.json['id'])}`);
  });

  it('exist after concurrent creates and deletes of one content, if a row does', async () => {
    for (let round = 0; round < 5; round += 1) {
      const name = newName();
      const old = await sendForm(service, '/images', form());
      const [created] = await Promise.all([
        sendForm(service, '/images', form({ public_id: name })),
        service.admin('DELETE', `/images/${String(old.json['id'])}`),
      ]);
      expect(created.status).toBe(201);
      await expect(find(service, name)).resolves.toStrictEqual(picture);
    }
  });

  it('leave neither file nor row if the row is invalid', async () => {
    const unknown = await sendForm(service, '/images', form({ issuer_id: randomUUID() }));
    expect([unknown.status, unknown.json['code']]).toStrictEqual([404, 'issuer_not_found']);
    const { id } = await post<{ id: string }>(service, '/overlays', {
      issuer_id: issuer,
      public_id: newName(),
    });
    expect((await sendForm(service, '/overlays', form({ id }))).json['code']).toBe('id_taken');
    expect(filesOf(service)).toStrictEqual([]);
  });

  it.each([
    ['svg', SVG, 9, 9],
    ['bmp', makeBmp(), 64, 48],
    ['heic', HEIC, 64, 48],
    ['jxl', JXL, 64, 48],
    ['pdf', makePdf([144, 72]), 300, 150],
  ])('may be a %s, which libvips does not read', async (format, file, width, height) => {
    const name = newName();
    const response = await sendForm(service, '/images', form({ public_id: name, file }));
    expect([response.status, response.json]).toMatchObject([201, { format }]);
    await expect(find(service, name)).resolves.toStrictEqual(file);
    const store = service.app.get(OriginalsStore, { strict: false });
    const row = { accountId: ENVIRONMENT_ACCOUNT_ID, deliveryType: 'authenticated', publicId: name } as const;
    await expect(store.findRow(row)).resolves.toMatchObject({ format, width, height });
  });

  it('are checked by content: names and types of the form are ignored', async () => {
    const name = newName();
    const odd = { fileName: '../../../etc/cron.d/x.svg', fileType: 'image/svg+xml' };
    const response = await sendForm(service, '/images', form({ public_id: name }), odd);
    expect(response.status).toBe(201);
    await expect(find(service, name)).resolves.toStrictEqual(picture);
  });

  it.each<[string, string, () => Buffer]>([
    ['empty', 'integrity', () => Buffer.alloc(0)],
    ['cut off', 'integrity', () => picture.subarray(0, picture.length / 2)],
    ['a PSD with a PNG’s name', 'type', () => Buffer.from('8BPS\0\x01')],
    ['a PDF without pages', 'integrity', () => Buffer.from('%PDF-1.7\n')],
    ['a bomb of 30,000 × 30,000', 'pixels', () => makeBombPng(30_000, 30_000)],
    ['a GIF of very many frames', 'frames', () => makeGif(20_000, 50, 50)],
  ])('are refused if %s, with the limit %s, and the service continues', async (_, limit, create) => {
    for (const rows of ['/images', '/overlays']) {
      const response = await sendForm(service, rows, form({ file: create() }));
      expect(response.status).toBe(422);
      expect(response.json).toMatchObject({ code: 'invalid_original', limit });
      expect(response.headers.get('content-type')).toContain('application/problem+json');
    }
    expect((await service.get('/health/live')).status).toBe(200);
  });

  it.each(['jpeg', 'png', 'gif', 'webp', 'avif', 'tiff'] as const)(
    'are stored without the bytes after the end of a %s',
    async (format) => {
      const image = await drawPicture(4, format);
      const file = Buffer.concat([image, Buffer.from('<?php system($_GET[0]); ?>'), image]);
      const name = newName();
      expect((await sendForm(service, '/images', form({ public_id: name, file }))).status).toBe(201);
      await expect(find(service, name)).resolves.toStrictEqual(image);
      expect(filesOf(service)).toStrictEqual([join(hashOf(image).slice(0, 2), hashOf(image))]);
    },
  );

  it('are refused over their size limit, with or without a length', async () => {
    const large = Buffer.alloc(25 * 2 ** 20 + 1);
    const expected = { code: 'original_too_large', max_bytes: 26_214_400 };
    const justOver = await sendForm(service, '/images', form({ file: large }));
    expect([justOver.status, justOver.json]).toMatchObject([413, expected]);
    const farOver = await sendForm(service, '/images', form({ file: Buffer.alloc(30 * 2 ** 20) }));
    expect([farOver.status, farOver.json]).toMatchObject([413, expected]);
    expect(await sendEndlessForm(service)).toMatch(/^HTTP\/1\.1 413 [\s\S]*original_too_large/);
  });

  it.each<[string, (fields: FormFields) => FormFields, object]>([
    ['no file', (fields) => ({ ...fields, file: undefined }), { key: 'file' }],
    ['a file that is text', (fields) => ({ ...fields, file: 'text' }), { key: 'file' }],
    ['two files', (fields) => ({ ...fields, file: [picture, picture] }), { key: 'file' }],
    [
      'a file of another name',
      (fields) => ({ ...fields, file: undefined, photo: picture }),
      { key: 'photo' },
    ],
    ['an unknown field', (fields) => ({ ...fields, plop: 'x' }), { key: 'plop' }],
    ['a field twice', (fields) => ({ ...fields, access: ['token', 'public'] }), { key: 'access' }],
    ['an invalid version', (fields) => ({ ...fields, version: '1e3' }), { key: 'version' }],
    [
      'a field that is too long',
      (fields) => ({ ...fields, public_id: 'x'.repeat(2_000) }),
      { key: 'public_id' },
    ],
    ['a public id that is a path', (fields) => ({ ...fields, public_id: '../../x' }), { key: 'public_id' }],
    [
      'a field of a prototype',
      (fields) => ({ ...fields, __proto__x: 'x', constructor: 'x' }),
      { key: 'body' },
    ],
    [
      'too many fields',
      (fields) => ({
        ...fields,
        ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`f${index}`, 'x'])),
      }),
      { key: expect.stringMatching(/^(body|file)$/) as string },
    ],
  ])('are refused in a form with %s', async (_, change, fault) => {
    const response = await sendForm(service, '/images', change(form()));
    expect(response.status).toBe(422);
    expect(response.json).toMatchObject({ code: 'invalid_request' });
    expect(response.json['errors']).toContainEqual(expect.objectContaining(fault));
    expect(filesOf(service)).toStrictEqual([]);
  });

  it.each([
    ['without a boundary', 'multipart/form-data', 'x'],
    [
      'without an end',
      'multipart/form-data; boundary=b',
      '--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\nhello',
    ],
    ['without anything', 'multipart/form-data; boundary=b', '\r\n'],
  ])('are refused in a form %s', async (_, type, body) => {
    const response = await service.admin('POST', '/images', body, {
      'content-type': type,
      'content-length': String(body.length),
    });
    expect([response.status, response.json()]).toMatchObject([422, { code: 'invalid_request' }]);
  });

  it('require the admin key before the body is read', async () => {
    const response = await sendForm(service, '/images', form(), { key: 'x'.repeat(40) });
    expect([response.status, response.json['code']]).toStrictEqual([401, 'admin_key_required']);
  });

  it('are accepted on their own routes only', async () => {
    const overlay = await post<{ id: string }>(service, '/overlays', {
      issuer_id: issuer,
      public_id: newName(),
    });
    for (const [method, path] of [
      ['POST', '/issuers'],
      ['PATCH', `/overlays/${overlay.id}`],
    ] as const) {
      const response = await sendForm(service, path, form(), { method });
      expect([response.status, response.json['code']]).toStrictEqual([415, 'unsupported_media_type']);
    }
  });

  it('do not change the limit of JSON bodies', async () => {
    const response = await service.admin('POST', '/images', { public_id: 'x'.repeat(70_000) });
    expect([response.status, response.json()]).toMatchObject([413, { code: 'body_too_large' }]);
  });

  it('can be interrupted a hundred times', async () => {
    await Promise.all(Array.from({ length: 100 }, (_, index) => interrupt(service, picture, index)));
    expect((await sendForm(service, '/images', form())).status).toBe(201);
    expect(filesOf(service)).toHaveLength(1);
  });

  it('are processed a few at a time: the next is not read until one has its response', async () => {
    // Refused for its content if there is capacity for it.
    const isPlace = async (): Promise<boolean> => {
      const { json } = await sendForm(service, '/overlays', form({ file: NO_IMAGE }));
      return json['code'] === 'invalid_original';
    };
    const hanging = Array.from({ length: MAX_UPLOADS }, () => startForm(service));
    await waitUntil('all places are occupied', async () => !(await isPlace()));
    expect(await startForm(service).response).toMatch(
      /^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n[^]*"code":"overloaded"/,
    );
    const json = { issuer_id: issuer, public_id: newName() };
    expect((await service.admin('POST', '/overlays', json)).status).toBe(201);

    const [left, ended, ...others] = hanging;
    left?.socket.destroy();
    await waitUntil('the place of a disconnected client is free', isPlace);
    const another = startForm(service);
    await waitUntil('it is accepted', async () => !(await isPlace()));
    ended?.socket.write('\r\n--b--\r\n');
    expect(await ended?.response).toMatch(/^HTTP\/1\.1 422 /);
    expect(await isPlace()).toBe(true);
    for (const { socket } of [another, ...others]) socket.destroy();
    await waitUntil('no upload is in progress', async () => {
      const probes = Array.from({ length: MAX_UPLOADS }, isPlace);
      return !(await Promise.all(probes)).includes(false);
    });
  });

  it('are processed no longer than a request may take, even if the client never closes its side', async () => {
    const { http, ...limits } = REQUEST_LIMITS;
    const strict = await startService({}, undefined, {
      pressure: NO_PRESSURE,
      requests: {
        ...limits,
        requestTimeout: 1_500,
        http: { ...http, headersTimeout: 1_000, connectionsCheckingInterval: 100 },
      },
    });
    onTestFinished(() => strict.close());
    for (const { response } of Array.from({ length: MAX_UPLOADS }, () => startForm(strict))) {
      expect(await response).toMatch(/^HTTP\/1\.1 408 /);
    }
    await waitUntil('a place is free', async () => {
      const { json } = await sendForm(strict, '/overlays', form({ file: NO_IMAGE }));
      return json['code'] === 'invalid_original';
    });
  });

  it('are replaced during changes of their row, without a deadlock', async () => {
    const { json } = await sendForm(service, '/images', form());
    const path = `/images/${String(json['id'])}`;
    const statuses = new Set<number>();
    let over = false;
    const changes = [true, false].map(async (isPublic) => {
      while (!over) {
        const change = { access: isPublic ? 'public' : 'token' };
        statuses.add((await service.admin('PATCH', path, change)).status);
      }
    });
    for (let round = 0; round < 10; round += 1) {
      const replacements = [picture, otherPicture].map((file) =>
        sendForm(service, `${path}/original`, { file }, { method: 'PUT' }),
      );
      for (const { status } of await Promise.all(replacements)) statuses.add(status);
    }
    over = true;
    await Promise.all(changes);
    expect([...statuses]).toStrictEqual([200]);
  });

  it('are in the OpenAPI document, beside the JSON body', async () => {
    const { paths } = (await service.get('/docs/openapi.json')).json() as {
      paths: Record<string, Record<string, { requestBody: { content: Record<string, unknown> } }>>;
    };
    for (const rows of ['/admin/images', '/admin/overlays']) {
      const { content } = paths[rows]?.['post']?.requestBody ?? { content: {} };
      expect(Object.keys(content)).toStrictEqual(['application/json', 'multipart/form-data']);
      expect(JSON.stringify(content['multipart/form-data'])).toContain('"file"');
      expect(JSON.stringify(content['application/json'])).not.toContain('"file"');
      const put = paths[`${rows}/{id}/original`]?.['put']?.requestBody.content ?? {};
      expect(Object.keys(put)).toStrictEqual(['multipart/form-data']);
    }
  });
});

it('have a migration that can be reverted and applied again', async () => {
  const database = await createTestDatabase();
  const dataSource = await createDataSource(readDatabaseSettings(database.variables));
  await dataSource.initialize();
  const traces = (): Promise<unknown> =>
    dataSource.query(
      `SELECT relname AS name FROM pg_class WHERE relname LIKE 'originals%'
       UNION SELECT proname FROM pg_proc WHERE proname = 'follow_original'
       UNION SELECT tgname FROM pg_trigger WHERE tgname LIKE '%original%' ORDER BY name`,
    );
  const before = await traces();
  expect(before).toHaveLength(11);
  // Later ones are reverted first.
  const name = 'CreateOriginals1766000000000';
  const isRun = async (): Promise<boolean> =>
    (await dataSource.query<unknown[]>('SELECT FROM migrations WHERE name = $1', [name])).length > 0;
  while (await isRun()) await dataSource.undoLastMigration();
  await expect(traces()).resolves.toStrictEqual([]);
  await expect(migrateUnderLock(dataSource)).resolves.toContain(name);
  await expect(traces()).resolves.toStrictEqual(before);
  await dataSource.destroy();
  await database.drop();
});

describe('originals in the Cloudinary account', () => {
  const apiKey = '123456789012345';
  let api: UploadApi;
  let service: Service;
  let issuer: string;

  beforeAll(async () => {
    api = await startUploadApi({ cloudName: CLOUD, apiKey, apiSecret: API_SECRET });
    service = await startService({
      DELIVERY_MODE: 'cloudinary',
      CLOUDINARY_UPLOAD_PREFIX: api.url,
      CLOUDINARY_UPLOAD_TIMEOUT: '1',
    });
    issuer = await createIssuer(service);
  });
  afterAll(async () => {
    await service.close();
    await api.close();
  });
  beforeEach(() => {
    api.failure = null;
    api.beforeAnswer = null;
    api.requests = 0;
    api.taken.length = 0;
  });
  afterEach(() => {
    expect(filesOf(service)).toStrictEqual([]);
  });

  const form = (more: FormFields = {}): FormFields => formOf(issuer, more);

  async function countRows(name: string): Promise<number> {
    const response = await service.admin('GET', `/images?public_id=${encodeURIComponent(name)}`);
    return (response.json() as { items: unknown[] }).items.length;
  }

  it('are uploaded signed, with the row’s name and type; version and format are Cloudinary’s', async () => {
    const name = `${newName()} é`;
    const response = await sendForm(
      service,
      '/images',
      form({ public_id: name, version: '5', format: 'gif' }),
    );
    expect(response.status).toBe(201);
    const asset = api.assets.get(`authenticated/${name}`);
    expect(asset?.content).toStrictEqual(picture);
    expect(response.json).toMatchObject({ public_id: name, version: asset?.version, format: 'png' });
    expect(api.taken).toHaveLength(1);
    expect(Object.keys(api.taken[0] ?? {}).sort()).toStrictEqual(
      ['api_key', 'overwrite', 'public_id', 'signature', 'timestamp', 'type'].sort(),
    );
  });

  it.each([
    ['Été 中.v2.png', 'Été 中.v2'],
    ['C:\\photos\\a"b.jpg', 'a_b'],
    ['blob', 'file'],
  ])('have the name of their file %s there, for downloads', async (fileName, expected) => {
    const name = newName();
    const response = await sendForm(service, '/images', form({ public_id: name }), { fileName });
    expect(response.status).toBe(201);
    expect(api.assets.get(`authenticated/${name}`)?.original_filename).toBe(expected);
  });

  it('are uploaded with overlays of every type, up to the size limit', async () => {
    for (const type of ['private', 'upload', 'authenticated']) {
      const name = newName();
      const response = await sendForm(service, '/overlays', form({ public_id: name, delivery_type: type }));
      expect(response.status).toBe(201);
      expect(api.assets.get(`${type}/${name}`)?.content).toStrictEqual(picture);
    }
    const large = Buffer.concat([picture, Buffer.alloc(20 * 2 ** 20)]);
    const name = newName();
    expect((await sendForm(service, '/images', form({ public_id: name, file: large }))).status).toBe(201);
    expect(api.assets.get(`authenticated/${name}`)?.content.equals(large)).toBe(true);
  });

  it.each<[string, () => Buffer]>([
    ['an SVG', () => SVG],
    ['a PDF', () => Buffer.from('%PDF-1.7\n')],
    ['a HEIC', () => Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1')],
    ['a JPEG XL', () => Buffer.from('\xff\x0a', 'latin1')],
    ['a PSD', () => Buffer.from('8BPS\0\x01')],
    ['a BMP', () => Buffer.from('BM\x3a\0\0\0\0\0\0\0')],
    ['an image that is too large for this service', () => makeBombPng(30_000, 30_000)],
    ['an animation of very many frames', () => makeGif(2_000, 50, 50)],
    ['an image that this service would call cut off', () => picture.subarray(0, 100)],
    ['an image with bytes behind its end', () => Buffer.concat([picture, otherPicture])],
  ])('are passed on unchanged, as Cloudinary decodes them: %s', async (_, create) => {
    const [name, file] = [newName(), create()];
    const { status, json } = await sendForm(service, '/images', form({ public_id: name, file }));
    expect(status, JSON.stringify(json)).toBe(201);
    expect(api.assets.get(`authenticated/${name}`)?.content.equals(file)).toBe(true);
    const replacement = { file: Buffer.concat([file, file]) };
    const path = `/images/${String(json['id'])}/original`;
    expect((await sendForm(service, path, replacement, { method: 'PUT' })).status).toBe(200);
    expect(api.assets.get(`authenticated/${name}`)?.content.equals(replacement.file)).toBe(true);
  });

  it.each<[string, string, Buffer]>([
    ['empty', 'integrity', Buffer.alloc(0)],
    ['text', 'type', Buffer.from('hello')],
    ['a web page', 'type', Buffer.from('<!doctype html><script>1</script>')],
    ['a ZIP archive', 'type', Buffer.from('PK\x03\x04')],
  ])('are not passed on if %s', async (_, limit, file) => {
    const response = await sendForm(service, '/images', form({ file }));
    expect([response.status, response.json]).toMatchObject([422, { code: 'invalid_original', limit }]);
    expect(api.requests).toBe(0);
  });

  it('are replaced by PUT: overwritten, and invalidated at the CDN', async () => {
    const name = newName();
    const image = await sendForm(service, '/images', form({ public_id: name }));
    const path = `/images/${String(image.json['id'])}/original`;
    const response = await sendForm(service, path, { file: otherPicture }, { method: 'PUT' });
    expect(response.status).toBe(200);
    expect(response.json['version']).toBe(api.assets.get(`authenticated/${name}`)?.version);
    expect(response.json['version']).toBeGreaterThan(Number(image.json['version']));
    expect(api.assets.get(`authenticated/${name}`)?.content).toStrictEqual(otherPicture);
    expect(api.taken.at(-1)).toMatchObject({ invalidate: expect.stringMatching(/^(1|true)$/) as string });
  });

  it('are not sent for an invalid row, and never with another issuer’s public id', async () => {
    const name = newName();
    await sendForm(service, '/images', form({ public_id: name }));
    const stranger = await createIssuer(service);
    const requests = api.requests;
    const theirs = form({
      issuer_id: stranger,
      public_id: name,
      delivery_type: 'upload',
      file: otherPicture,
    });
    expect((await sendForm(service, '/images', theirs)).json['code']).toBe('public_id_taken');
    expect((await sendForm(service, '/images', form({ issuer_id: randomUUID() }))).status).toBe(404);
    const text = form({ file: Buffer.from('text') });
    expect((await sendForm(service, '/images', text)).json['code']).toBe('invalid_original');
    expect(api.requests).toBe(requests);
    expect(api.assets.get(`authenticated/${name}`)?.content).toStrictEqual(picture);
  });

  it('never overwrite an asset that became another issuer’s after their row was read', async () => {
    const name = newName();
    const image = await sendForm(service, '/images', form({ public_id: name }));
    const path = `/images/${String(image.json['id'])}`;
    const stranger = await createIssuer(service);
    const originals = service.app.get(OriginalsService, { strict: false });
    const replace = originals.replace.bind(originals);
    vi.spyOn(originals, 'replace').mockImplementationOnce(async (...given) => {
      await service.admin('DELETE', path);
      const { items } = (await service.admin('GET', `/retained-public-ids?public_id=${name}`)).json() as {
        items: { id: string }[];
      };
      await service.admin('DELETE', `/retained-public-ids/${items[0]?.id ?? ''}`);
      await post(service, '/images', { issuer_id: stranger, public_id: name, version: 1 });
      return replace(...given);
    });
    const response = await sendForm(service, `${path}/original`, { file: otherPicture }, { method: 'PUT' });
    expect([response.status, response.json['code']]).toStrictEqual([404, 'image_not_found']);
    expect(api.assets.get(`authenticated/${name}`)?.content).toStrictEqual(picture);
  });

  it('never overwrite an existing asset of the account; the same content is accepted as a retry', async () => {
    const name = newName();
    const asset = {
      public_id: name,
      type: 'authenticated',
      version: 77,
      format: 'png',
      content: otherPicture,
      original_filename: 'other',
    };
    api.assets.set(`authenticated/${name}`, asset);
    const response = await sendForm(service, '/images', form({ public_id: name }));
    expect([response.status, response.json]).toMatchObject([409, { code: 'original_exists', version: 77 }]);
    expect(api.assets.get(`authenticated/${name}`)).toBe(asset);
    await expect(countRows(name)).resolves.toBe(0);
    const retry = await sendForm(service, '/images', form({ public_id: name, file: otherPicture }));
    expect([retry.status, retry.json['version']]).toStrictEqual([201, 77]);
  });

  it('leave no row if another issuer took the name during the upload', async () => {
    const name = newName();
    const stranger = await createIssuer(service);
    api.beforeAnswer = async () => {
      await post(service, '/overlays', { issuer_id: stranger, public_id: name });
    };
    const response = await sendForm(service, '/images', form({ public_id: name }));
    expect([response.status, response.json['code']]).toStrictEqual([409, 'public_id_taken']);
    await expect(countRows(name)).resolves.toBe(0);
  });

  it('hold no database connection during the upload', async () => {
    api.beforeAnswer = async () => {
      expect((await service.admin('GET', '/issuers')).status).toBe(200);
    };
    expect((await sendForm(service, '/images', form())).status).toBe(201);
  });

  it.each<[string, UploadApi['failure'], number, RegExp]>([
    ['refuses the file', { status: 400, body: error('Unsupported ZIP') }, 422, /Unsupported ZIP/],
    [
      'refuses the signature',
      { status: 401, body: error(`Invalid Signature ${API_SECRET}`) },
      502,
      /Invalid/,
    ],
    ['forbids', { status: 403, body: error('Disabled account') }, 502, /403/],
    ['does not know the cloud', { status: 404, body: error('No such cloud') }, 502, /No such cloud/],
    ['returns 420', { status: 420, body: error('Rate limit') }, 503, /Rate limit/],
    ['fails', { status: 500, body: error('Oops') }, 502, /Oops/],
    ['is down', { status: 503, body: '<html>down</html>' }, 502, /503/],
    ['answers what is no JSON', { status: 200, body: '<html>' }, 502, /JSON/],
    [
      'answers something else',
      { status: 200, body: '{"public_id":"else","version":1}' },
      502,
      /does not describe the asset/,
    ],
    ['is silent', 'hang', 504, /in time/],
    ['drips', 'drip', 504, /in time/],
    ['hangs up', 'cut', 502, /failed/],
  ])('are not registered if Cloudinary %s', async (_, failure, status, detail) => {
    const name = newName();
    api.failure = failure;
    const response = await sendForm(service, '/images', form({ public_id: name }));
    expect([response.status, response.json['code']]).toStrictEqual([status, 'upload_failed']);
    expect(response.json['detail']).toMatch(detail);
    expect(response.text).not.toContain(API_SECRET);
    expect(response.headers.get('retry-after')).toBe(status === 503 ? '60' : null);
    await expect(countRows(name)).resolves.toBe(0);
    api.failure = null;
    expect((await sendForm(service, '/images', form({ public_id: name }))).status).toBe(201);
  });

  it('are refused by the account with another secret, and the response contains no secret', async () => {
    const wrong = await startService({
      CLOUDINARY_URL: `cloudinary://${apiKey}:another-secret-0123456789@${CLOUD}`,
      DELIVERY_MODE: 'cloudinary',
      CLOUDINARY_UPLOAD_PREFIX: api.url,
    });
    const response = await sendForm(wrong, '/images', { ...form(), issuer_id: await createIssuer(wrong) });
    await wrong.close();
    expect([response.status, response.json['code']]).toStrictEqual([502, 'upload_failed']);
    expect(response.json['detail']).toMatch(/Invalid Signature/);
    expect(response.text).not.toContain('another-secret');
    expect(api.taken).toStrictEqual([]);
  });

  it.each(['signature_algorithm=sha256', 'long_url_signature=true'])(
    'are uploaded to the region of upload_prefix, with SHA-256 to an account with %s',
    async (option) => {
      const modernApi = await startUploadApi({
        ...{ cloudName: CLOUD, apiKey, apiSecret: API_SECRET },
        algorithm: 'sha256',
      });
      const modern = await startService({
        CLOUDINARY_URL: `${TEST_VARIABLES.CLOUDINARY_URL}?${option}&upload_prefix=${modernApi.url}`,
        DELIVERY_MODE: 'cloudinary',
      });
      const issuerId = await createIssuer(modern);
      const response = await sendForm(modern, '/images', { ...form(), issuer_id: issuerId });
      await Promise.all([modern.close(), modernApi.close()]);
      expect(response.status).toBe(201);
      expect(modernApi.taken).toHaveLength(1);
    },
  );

  it('are not registered if no server listens', async () => {
    const unresponsive = await startService({
      DELIVERY_MODE: 'cloudinary',
      CLOUDINARY_UPLOAD_PREFIX: 'http://127.0.0.1:9',
    });
    const response = await sendForm(unresponsive, '/images', {
      ...form(),
      issuer_id: await createIssuer(unresponsive),
    });
    await unresponsive.close();
    expect([response.status, response.json['code']]).toStrictEqual([502, 'upload_failed']);
  });
});

function error(message: string): string {
  return JSON.stringify({ error: { message } });
}

const FORM_START =
  '--b\r\ncontent-disposition: form-data; name="file"; filename="x.png"\r\ncontent-type: image/png\r\n\r\n';

function formHead(service: Service, length: string): string {
  return (
    `POST /admin/images HTTP/1.1\r\nhost: 127.0.0.1:${service.port}\r\nauthorization: Bearer ${ADMIN_KEY}\r\n` +
    `content-type: multipart/form-data; boundary=b\r\n${length}\r\n\r\n`
  );
}

/** As a client does that gets 503 because the service is busy. */
async function sendUntilAccepted(...given: Parameters<typeof sendForm>): ReturnType<typeof sendForm> {
  for (;;) {
    const response = await sendForm(...given);
    if (response.json['code'] !== 'overloaded') return response;
    await sleep(20);
  }
}

/** A form that stalls in the middle of its file, until the test ends it. */
function startForm(service: Service): { readonly socket: Socket; readonly response: Promise<string> } {
  const socket = connect({ port: service.port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.write(formHead(service, `content-length: ${FORM_START.length + '\r\n--b--\r\n'.length}`));
  socket.write(FORM_START);
  return {
    socket,
    response: new Promise((resolve) =>
      socket.once('data', (data) => {
        resolve(String(data));
      }),
    ),
  };
}

/** A form that never ends, in chunks; resolves with the response meanwhile. */
function sendEndlessForm(service: Service): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(service.port, '127.0.0.1');
    const block = Buffer.alloc(1 << 20, 0x61);
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), block, Buffer.from('\r\n')]);
    socket.write(formHead(service, 'transfer-encoding: chunked'));
    socket.write(`${FORM_START.length.toString(16)}\r\n${FORM_START}\r\n`);
    const pump = setInterval(() => socket.write(chunk), 5);
    let response = '';
    socket.on('data', (data: Buffer) => {
      response += data.toString();
      if (!response.includes('original_too_large')) return;
      clearInterval(pump);
      socket.destroy();
      resolve(response);
    });
    socket.on('error', (failure) => {
      clearInterval(pump);
      reject(failure);
    });
  });
}

/** A client that disconnects in the middle of a form. */
function interrupt(service: Service, picture: Buffer, index: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(service.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.once('close', () => {
      resolve();
    });
    socket.write(formHead(service, `content-length: ${picture.length + 500}`));
    socket.write(FORM_START);
    socket.write(picture.subarray(0, (picture.length * index) / 100));
    setTimeout(() => socket.destroy(), 20 + index);
  });
}
