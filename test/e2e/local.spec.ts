import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v2 as cloudinary } from 'cloudinary';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import '../support/built.js';
import { DerivedCache } from '../../src/renderer/derived-cache.js';
import { HEIC, JXL, makeBmp, makeIco, makePdf, makeSvg } from '../originals/converted-pictures.js';
import { sendForm } from '../originals/form.js';
import { assertLocation, signWithSdk } from '../support/location-parser.js';
import {
  getPicture,
  type ImageResponse,
  measure,
  photo,
  uploadPictures,
  uploadSeed,
} from '../support/pictures.js';
import { post, signWith, SEED } from '../support/seed.js';
import { API_SECRET, CLOUD, startService, TEST_VARIABLES, type Service } from '../support/service.js';

const CLOUDINARY = 'https://res.cloudinary.com';
const ICON = await sharp({ create: { width: 32, height: 32, channels: 3, background: 'red' } })
  .png()
  .toBuffer();

let service: Service;
let secret: string;
let dataDir: string;
let overlayId: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'local-'));
  await mkdir(join(dataDir, 'transformations'));
  await writeFile(
    join(dataDir, 'transformations', 'thumb.json'),
    '{"transformation":"c_fill,h_30,w_40/f_png"}',
  );
  service = await startService({ DELIVERY_MODE: 'local', DATA_DIR: dataDir });
  secret = await uploadSeed(service);
  overlayId = SEED.overlayId;
});
afterAll(async () => {
  await service.close();
  await rm(dataDir, { recursive: true });
});

/** The target of the redirect for a token with these claims, checked. */
async function locationOf(claims: Record<string, unknown>): Promise<string> {
  const token = signWith(secret, { iss: SEED.issuerId, ...claims });
  const response = await service.get(`/images/${SEED.imageId}?token=${token}`);
  const location = response.headers.location ?? '';
  expect(location.startsWith(`${service.url}/${CLOUD}/image/`)).toBe(true);
  assertLocation(location.replace(service.url, CLOUDINARY), {
    layers: [`private:${SEED.overlayPublicId}`],
    images: [SEED.publicId],
  });
  return location;
}

/** A path of this service as the SDK signs it. */
function sign(
  chain: string,
  options: Record<string, unknown> = {},
  publicId: string = SEED.publicId,
): string {
  const parts = {
    publicId,
    deliveryType: 'authenticated',
    version: SEED.version,
    format: 'jpg',
    components: [chain],
  };
  return signWithSdk(parts, options).replace(CLOUDINARY, service.url);
}

describe('a signed image in mode local', () => {
  it('is the seed’s chain, watermarked, in the size of the token', async () => {
    const location = await locationOf({ transformations: SEED.transformations, sharinpix: {} });
    const response = await getPicture(location);
    expect(response.status).toBe(200);
    expect(await measure(response.body)).toStrictEqual({ width: 101, height: 67, format: 'jpeg' });
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${SEED.publicId}.jpg"`);
  });

  it.each([
    [
      'C:\\photos\\Été 中.v2.png',
      `filename="_t_ _.v2.jpg"; filename*=UTF-8''%C3%89t%C3%A9%20%E4%B8%AD.v2.jpg`,
    ],
    ['a\u202egpj.exe', 'filename="agpj.jpg"'],
    ['.jpg', 'filename=".jpg.jpg"'],
    ['blob', 'filename="photo.jpg"'],
  ])('is downloaded under the name of its file %s', async (fileName, disposition) => {
    const fields = { issuer_id: SEED.issuerId, public_id: 'downloads/photo', file: await photo() };
    const uploaded = await sendForm(service, '/images', fields, { fileName });
    expect(uploaded.status).toBe(201);
    const url = sign('fl_attachment,w_20', {}, 'downloads/photo');
    const response = await getPicture(url);
    expect(response.headers.get('content-disposition')).toBe(`attachment; ${disposition}`);
    await service.admin('DELETE', `/images/${String(uploaded.json['id'])}`);
  });

  it.each([
    ['svg', Buffer.from(makeSvg('<rect width="64" height="48" fill="#f00"/>')), 64, 48],
    ['bmp', makeBmp(), 64, 48],
    ['ico', makeIco([32, ICON]), 32, 32],
    ['heic', HEIC, 64, 48],
    ['jxl', JXL, 64, 48],
    ['pdf', makePdf([144, 72]), 300, 150],
  ])('is rendered of an original that is %s', async (format, file, width, height) => {
    const publicId = `converted/${format}`;
    const uploaded = await sendForm(service, '/images', {
      issuer_id: SEED.issuerId,
      public_id: publicId,
      file,
    });
    expect([uploaded.status, uploaded.json['format']]).toStrictEqual([201, format]);
    const { body } = await getPicture(sign('q_90', {}, publicId));
    expect(await measure(body)).toStrictEqual({ width, height, format: 'jpeg' });
  });

  it('is rendered by the file of a named transformation, under the signature of its name', async () => {
    const response = await getPicture(sign('t_thumb'));
    expect(response.status).toBe(200);
    expect(await measure(response.body)).toStrictEqual({ width: 40, height: 30, format: 'png' });
    const unknown = await getPicture(sign('t_other'));
    expect([unknown.status, unknown.headers.get('x-cld-error')]).toEqual([
      400,
      'Parameter t is not supported in component t_other: no file in DATA_DIR/transformations had that name when the service started, or the component has other parameters',
    ]);
  });

  it('is described in JSON with getinfo', async () => {
    const response = await getPicture(sign('fl_getinfo,w_40'));
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(JSON.parse(response.body.toString())).toMatchObject({ output: { width: 40, format: 'jpg' } });
  });

  it('differs everywhere from the image without the watermark', async () => {
    const size = { width: 600, crop: 'fit' };
    const pixelsUnder = async (
      transformations: unknown[],
    ): Promise<{ data: Buffer; info: { width: number; height: number } }> => {
      const { body } = await getPicture(await locationOf({ transformations }));
      return sharp(body).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    };
    const a = await pixelsUnder([size, { overlay: overlayId, width: 100, flags: 'tiled' }]);
    const b = await pixelsUnder([size]);
    const { width, height } = a.info;
    // The mark must be in each cell of a 6 × 8 grid (100 × 50 pixels, one tile).
    for (let row = 0; row < 8; row += 1) {
      for (let column = 0; column < 6; column += 1) {
        let changed = 0;
        for (let y = Math.floor((row * height) / 8); y < Math.floor(((row + 1) * height) / 8); y += 1) {
          for (let x = Math.floor((column * width) / 6); x < Math.floor(((column + 1) * width) / 6); x += 1) {
            const at = (y * width + x) * 3;
            if (Math.abs((a.data[at] ?? 0) - (b.data[at] ?? 0)) > 24) changed += 1;
          }
        }
        expect(changed, `cell ${row},${column}`).toBeGreaterThan(20);
      }
    }
  });

  it.each([
    ['avif', 'image/avif,image/webp,image/*', 'heif', 'image/avif'],
    ['webp', 'image/webp,*/*', 'webp', 'image/webp'],
    ['jpeg', '*/*', 'jpeg', 'image/jpeg'],
  ])('is %s for a client that takes %s', async (_, accept, format, type) => {
    const response = await getPicture(await locationOf({ transformations: [{ width: 64, crop: 'fit' }] }), {
      accept,
    });
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('vary')).toBe('Accept');
    expect((await measure(response.body)).format).toBe(format);
  });

  it('is not sent again to a client that has it', async () => {
    const location = await locationOf({ transformations: [{ width: 50, crop: 'fit' }] });
    const first = await getPicture(location);
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect(first.headers.get('cache-control')).toBe('private, no-transform, immutable, max-age=2592000');
    const second = await getPicture(location, { 'if-none-match': etag });
    expect([second.status, second.body.length, second.headers.get('etag')]).toStrictEqual([304, 0, etag]);
    for (const header of [`W/${etag}`, `"other", ${etag}`]) {
      expect((await getPicture(location, { 'if-none-match': header })).status).toBe(304);
    }
    expect((await getPicture(location, { 'if-none-match': '*' })).status).toBe(200);
    expect((await getPicture(location, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('returns for HEAD the headers of GET, without the image', async () => {
    const location = await locationOf({ transformations: [{ width: 50, crop: 'fit' }] });
    const response = await fetch(location, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('image/jpeg');
    expect((await response.arrayBuffer()).byteLength).toBe(0);
  });

  it('is rendered once for concurrent requests', async () => {
    const location = await locationOf({
      transformations: [{ width: 333, crop: 'fit' }, { effect: 'blur:200' }],
    });
    const responses = await Promise.all(Array.from({ length: 12 }, () => getPicture(location)));
    expect(new Set(responses.map(({ status }) => status))).toStrictEqual(new Set([200]));
    expect(new Set(responses.map(({ body }) => body.toString('base64'))).size).toBe(1);
  });
});

describe('a signed URL in mode local', () => {
  const refused = (response: ImageResponse, status: number, reason: RegExp): void => {
    expect(response.status).toBe(status);
    expect(response.headers.get('x-cld-error')).toMatch(reason);
    expect(response.body.toString()).toMatch(reason);
  };

  it.each([
    ['SHA-1', {}],
    ['SHA-256, long', { long_url_signature: true }],
  ])('is accepted as the SDK signs it: %s', async (_, options) => {
    expect((await getPicture(sign('c_fit,w_20', options))).status).toBe(200);
  });

  it('is refused with any one character changed', async () => {
    const url = sign('c_fit,h_20,w_20');
    const from = url.indexOf('s--');
    for (let at = from; at < url.length; at += 1) {
      const other = url[at] === 'a' ? 'b' : 'a';
      const response = await getPicture(url.slice(0, at) + other + url.slice(at + 1));
      // The version is not signed: another one is the same image.
      const inVersion = at > url.indexOf('/v123123/') + 1 && at < url.indexOf('/v123123/') + 8;
      if (!inVersion) expect(response.status, `at ${url.slice(at)}`).toBeGreaterThanOrEqual(400);
    }
  });

  it('is refused without its signature', async () => {
    refused(await getPicture(sign('c_fit,w_20').replace(/s--.*?--\//, '')), 401, /signed URL/);
  });

  it('is required for an original, even if it is a layer of a public one', async () => {
    const issuer = await post<{ id: string }>(service, '/issuers', { name: 'Open' });
    await uploadPictures(service, issuer.id, { image: { public_id: 'open', delivery_type: 'upload' } });
    const open = `${service.url}/${CLOUD}/image/upload`;
    expect((await getPicture(`${open}/c_fit,w_20/v1/open.jpg`)).status).toBe(200);
    for (const layer of [`l_authenticated:${SEED.publicId}`, `u_private:${SEED.overlayPublicId},w_10`]) {
      for (const chain of [layer, `c_fit,w_20/${layer}/fl_layer_apply`]) {
        refused(await getPicture(`${open}/${chain}/v1/open.jpg`), 401, /signed URL/);
      }
      const signed = cloudinary.url('open', {
        ...{ raw_transformation: layer, version: '1', format: 'jpg', sign_url: true, secure: true },
        ...{ cloud_name: CLOUD, api_secret: API_SECRET, urlAnalytics: false },
      });
      expect((await getPicture(signed.replace(CLOUDINARY, service.url))).status).toBe(200);
    }
  });

  it('is refused for another cloud, another type and another chain', async () => {
    const url = sign('c_fit,w_20');
    refused(await getPicture(url.replace(CLOUD, 'other')), 401, /cloud/i);
    refused(await getPicture(url.replace('w_20', 'w_2000')), 401, /Invalid Signature/);
    refused(await getPicture(url.replace('/authenticated/', '/fetch/')), 404, /fetch/);
  });

  it('names the invalid parameter of a chain whose signature is valid', async () => {
    refused(await getPicture(sign('c_fit,w_20/w_abc')), 400, /w_abc/);
    refused(await getPicture(sign('e_vectorize')), 400, /vectorize/);
  });

  it('returns 404 without an original', async () => {
    const url = cloudinary
      .url('nothing', {
        type: 'authenticated',
        format: 'jpg',
        version: '1',
        sign_url: true,
        secure: true,
        cloud_name: CLOUD,
        api_secret: API_SECRET,
        urlAnalytics: false,
      })
      .replace(CLOUDINARY, service.url);
    refused(await getPicture(url), 404, /Resource not found - nothing/);
  });

  it('has no control character in its public id', async () => {
    for (const path of ['a%00b.jpg', 'w_10/%00.jpg', 'v1/a%0ab.jpg']) {
      refused(await getPicture(`${service.url}/${CLOUD}/image/upload/${path}`), 400, /Invalid character/);
    }
  });

  it('shows an image that could not be stored', async () => {
    const set = vi.spyOn(service.app.get(DerivedCache), 'set').mockRejectedValue(new Error('ENOSPC'));
    expect((await getPicture(sign('c_fit,w_33'))).status).toBe(200);
    expect(set).toHaveBeenCalledOnce();
    set.mockRestore();
  });

  it('does not leave the folder', async () => {
    for (const id of ['..%2f..%2fsecrets', '../../secrets', '%2e%2e/secrets', '..%5csecrets']) {
      const response = await service.get(`/${CLOUD}/image/upload/v1/${id}.json`);
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.status).toBeLessThan(500);
      expect(response.text).not.toContain('admin_api_key');
    }
  });
});

describe('an original that changes', () => {
  it('changes the image at once, despite caches', async () => {
    const { id: issuerId, key } = await post<{ id: string; key: { secret: string } }>(service, '/issuers', {
      name: 'Changing',
    });
    const { imageId } = await uploadPictures(service, issuerId, { image: { public_id: 'changing' } });
    const request = async (): Promise<ImageResponse> => {
      const token = signWith(key.secret, { iss: issuerId, transformations: [{ width: 30, crop: 'fit' }] });
      const response = await service.get(`/images/${imageId}?token=${token}`);
      return getPicture(response.headers.location ?? '');
    };
    const before = await request();
    const red = await sharp({ create: { width: 90, height: 90, channels: 3, background: '#f00' } })
      .png()
      .toBuffer();
    const form = new FormData();
    form.set('file', new Blob([new Uint8Array(red)]), 'red.png');
    const put = await fetch(`${service.url}/admin/images/${imageId}/original`, {
      method: 'PUT',
      headers: { authorization: 'Bearer an-admin-key-of-the-test-suite-0123456789' },
      body: form,
    });
    expect(put.status).toBe(200);
    const after = await request();
    expect(after.headers.get('etag')).not.toBe(before.headers.get('etag'));
    expect(await measure(after.body)).toMatchObject({ width: 30, height: 30 });
  });
});

describe('Cloudinary’s authentication token in mode local', () => {
  const AUTH_TOKEN_KEY = '00112233445566778899aabbccddeeff';
  let expiring: Service;
  let expiringSecret: string;

  beforeAll(async () => {
    expiring = await startService({ DELIVERY_MODE: 'local', CLOUDINARY_AUTH_TOKEN_KEY: AUTH_TOKEN_KEY });
    const issuer = await post<{ key: { secret: string } }>(expiring, '/issuers', {
      id: SEED.issuerId,
      name: 'Seed',
    });
    expiringSecret = issuer.key.secret;
    await uploadPictures(expiring, SEED.issuerId, { image: { id: SEED.imageId, public_id: SEED.publicId } });
  });
  afterAll(() => expiring.close());

  it('opens the image until it expires, for its own path only', async () => {
    const exp = Math.floor(Date.now() / 1000) + 600;
    const token = signWith(expiringSecret, {
      iss: SEED.issuerId,
      exp,
      transformations: [{ width: 20, crop: 'fit' }],
    });
    const response = await expiring.get(`/images/${SEED.imageId}?token=${token}`);
    const location = response.headers.location ?? '';
    expect(location).toContain(`?__cld_token__=exp=${exp + 60}~hmac=`);
    expect((await getPicture(location)).status).toBe(200);
    expect((await getPicture(location.replace('w_20', 'w_2000'))).status).toBe(401);
    expect((await getPicture(location.replace(`exp=${exp + 60}`, `exp=${exp + 69}`))).status).toBe(401);
    expect((await getPicture(location.replace(/\?.*/, ''))).status).toBe(401);
  });

  it('opens no image before it starts', async () => {
    const nbf = Math.floor(Date.now() / 1000) + 20;
    const token = signWith(expiringSecret, { iss: SEED.issuerId, nbf, transformations: [{ width: 20 }] });
    const { headers } = await expiring.get(`/images/${SEED.imageId}?token=${token}`);
    const location = headers.location ?? '';
    expect(location).toContain(`?__cld_token__=st=${nbf - 30}~exp=`);
    expect((await getPicture(location)).status).toBe(200);
    expect((await getPicture(location.replace(`st=${nbf - 30}`, `st=${nbf - 3000}`))).status).toBe(401);
  });

  it.each([
    ['of a private CDN', '?private_cdn=true', {}],
    ['of a private CDN with a host', '?private_cdn=true&secure_distribution=img.example.com', {}],
    ['of a host', '?secure_distribution=img.example.com', {}],
    ['beside a signature', '?private_cdn=true', { CLOUDINARY_AUTH_TOKEN_SIGNATURE: 'on' }],
  ])('opens the image at the path of the cloud: %s', async (_, options, variables) => {
    const own = await startService({
      DELIVERY_MODE: 'local',
      CLOUDINARY_AUTH_TOKEN_KEY: AUTH_TOKEN_KEY,
      CLOUDINARY_URL: TEST_VARIABLES.CLOUDINARY_URL + options,
      ...variables,
    });
    try {
      const ownSecret = await uploadSeed(own);
      const token = signWith(ownSecret, { iss: SEED.issuerId, transformations: [{ width: 20 }] });
      const { headers } = await own.get(`/images/${SEED.imageId}?token=${token}`);
      const location = headers.location ?? '';
      expect(location.startsWith(`${own.url}/${CLOUD}/image/authenticated/`)).toBe(true);
      expect(location.includes('/s--')).toBe('CLOUDINARY_AUTH_TOKEN_SIGNATURE' in variables);
      expect((await getPicture(location)).status).toBe(200);
      for (const other of [
        location.replace('w_20', 'w_2000'),
        location.replace(CLOUD, 'other'),
        location.replace(`/${CLOUD}/`, '/'),
        location.replace(/hmac=./, 'hmac=x'),
        // A signature alone would never expire.
        location.replace(/\?.*/, ''),
      ]) {
        expect((await getPicture(other)).status).toBeGreaterThanOrEqual(400);
      }
    } finally {
      await own.close();
    }
  });

  it.each([-25, -5, 0, 1])('is created for a token whose exp is %d s from now', async (seconds) => {
    const exp = Math.floor(Date.now() / 1000) + seconds;
    const token = signWith(expiringSecret, { iss: SEED.issuerId, exp, transformations: [{ width: 20 }] });
    const { status, headers } = await expiring.get(`/images/${SEED.imageId}?token=${token}`);
    expect(status).toBe(302);
    expect((await getPicture(headers.location ?? '')).status).toBe(200);
  });
});
