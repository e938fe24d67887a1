import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { drawPhoto, drawWatermark } from '../../src/demo/drawings.js';
import { createAdminKey } from '../support/admin-keys.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { request, type Answer } from '../support/http.js';
import { getPicture, measure, uploadPictures } from '../support/pictures.js';
import { createSeedTenant, createTenant, post, SEED, sealWith, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, startService, type Service } from '../support/service.js';

const embedded = inject('database').kind === 'embedded';
/** What the console's own requests carry. */
const OWN = { 'x-pixseal-console': '1', 'sec-fetch-site': 'same-origin' };

interface Asking {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const ask = (
  service: Service,
  method: string,
  path: string,
  { headers = OWN, body }: Asking = {},
): Promise<Answer> => request({ port: service.port, method, path, headers, body });

/** Signs in. @returns the session's cookie, as a browser sends it. */
async function signIn(service: Service, key: string): Promise<{ answer: Answer; cookie: string }> {
  const answer = await ask(service, 'POST', '/console/session', { body: { key } });
  const [set = ''] = answer.headers['set-cookie'] ?? [];
  return { answer, cookie: set.split(';', 1).join() };
}

describe('the console', () => {
  it('is there in embedded mode and not in production, unless a setting says otherwise', async () => {
    const settings = [
      { CONSOLE: undefined, page: embedded ? 200 : 404, session: embedded ? 200 : 404 },
      { CONSOLE: 'on', page: 200, session: 200 },
      { CONSOLE: 'off', page: 404, session: 404 },
    ];
    for (const { CONSOLE, page, session } of settings) {
      const service = await startService({ CONSOLE });
      try {
        expect((await service.get('/console')).status).toBe(page);
        expect((await service.get('/console/session')).status).toBe(session);
      } finally {
        await service.close();
      }
    }
  });
});

describe('a session of the console', () => {
  let service: Service;
  let seed: Tenant;

  beforeAll(async () => {
    service = await startService({ CONSOLE: 'on' });
    seed = await createSeedTenant(service);
  });
  afterAll(() => service.close());

  const as = (cookie: string, headers: Readonly<Record<string, string>> = OWN): Asking['headers'] => ({
    ...headers,
    cookie,
  });

  it('is a cookie that scripts cannot read and other sites do not send, without the key', async () => {
    const { answer, cookie } = await signIn(service, ADMIN_KEY);
    expect(answer.status).toBe(201);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json()).toStrictEqual({
      session: {
        actor: expect.stringMatching(/^environment:[0-9a-f]{8}$/) as string,
        scopes: ['read', 'write'],
        issuer_id: null,
        expires_at: expect.stringMatching(/Z$/) as string,
      },
    });
    expect(answer.headers['set-cookie']).toStrictEqual([
      `${cookie}; Max-Age=28800; Path=/; HttpOnly; SameSite=Strict`,
    ]);
    expect(cookie).toMatch(/^pixseal_console=[\w-]+$/);
    const held = Buffer.from(cookie.slice(cookie.indexOf('=') + 1), 'base64url').toString('latin1');
    for (const part of [ADMIN_KEY, 'environment', 'digest']) expect(held).not.toContain(part);
  });

  it('is kept to https, and to this host, where the service is reached by https', async () => {
    const secure = await startService({ CONSOLE: 'on', PUBLIC_URL: 'https://img.example.com' });
    try {
      const { answer, cookie } = await signIn(secure, ADMIN_KEY);
      expect(answer.headers['set-cookie']).toStrictEqual([
        `${cookie}; Max-Age=28800; Path=/; HttpOnly; Secure; SameSite=Strict`,
      ]);
      expect(cookie).toMatch(/^__Host-pixseal_console=/);
      expect((await ask(secure, 'GET', '/admin/issuers', { headers: as(cookie) })).status).toBe(200);
      const tossed = cookie.replace('__Host-', '');
      expect((await ask(secure, 'GET', '/admin/issuers', { headers: as(tossed) })).status).toBe(401);
    } finally {
      await secure.close();
    }
  });

  it('opens the admin API, in the key’s name', async () => {
    const { answer, cookie } = await signIn(service, ADMIN_KEY);
    const made = await ask(service, 'POST', '/admin/issuers', {
      headers: as(cookie),
      body: { name: 'By the console' },
    });
    expect(made.status).toBe(201);
    const { id } = made.json() as { id: string };
    const audit = await service.admin('GET', `/audit?row_id=${id}`);
    const { session } = answer.json() as { session: { actor: string } };
    expect(audit.json()).toMatchObject({ items: [{ action: 'issuer.create', actor: session.actor }] });
    const found = await ask(service, 'GET', '/console/session', { headers: as(cookie) });
    expect(found.json()).toStrictEqual(answer.json());
  });

  it('is not opened with a wrong key', async () => {
    const { answer } = await signIn(service, `${ADMIN_KEY}-not`);
    expect(answer.status).toBe(401);
    expect(answer.json()).toMatchObject({ code: 'wrong_admin_key' });
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  it('is not opened by guessing: wrong keys are counted', async () => {
    const limited = await startService({ CONSOLE: 'on', RATE_LIMIT_ADDRESS: '6000' });
    try {
      const statuses: number[] = [];
      for (let guess = 0; guess < 80; guess += 1) {
        statuses.push((await signIn(limited, `${ADMIN_KEY}-${guess}`)).answer.status);
      }
      expect(new Set(statuses)).toStrictEqual(new Set([401, 429]));
      expect((await signIn(limited, ADMIN_KEY)).answer.status).toBe(429);
    } finally {
      await limited.close();
    }
  });

  describe('that another site uses', () => {
    let cookie: string;
    beforeAll(async () => {
      ({ cookie } = await signIn(service, ADMIN_KEY));
    });

    it.each([
      ['a write of another site', 'POST', { 'x-pixseal-console': '1', 'sec-fetch-site': 'cross-site' }],
      ['a write of another port', 'POST', { 'x-pixseal-console': '1', 'sec-fetch-site': 'same-site' }],
      ['a write without the header', 'POST', { 'sec-fetch-site': 'same-origin' }],
      ['a form of an old browser', 'POST', {}],
      [
        'a write from an address that was typed',
        'POST',
        { 'x-pixseal-console': '1', 'sec-fetch-site': 'none' },
      ],
      ['a picture of another port', 'GET', { 'sec-fetch-site': 'same-site' }],
    ])('refuses %s', async (_, method, headers) => {
      const body = method === 'POST' ? { name: 'Forged' } : undefined;
      const answer = await ask(service, method, '/admin/issuers', { headers: as(cookie, headers), body });
      expect(answer.status).toBe(403);
      expect(answer.json()).toMatchObject({ code: 'cross_site_request' });
      const { items } = (await service.admin('GET', '/issuers?name=Forged')).json() as { items: unknown[] };
      expect(items).toStrictEqual([]);
    });

    it('signs nobody in or out, and takes no form', async () => {
      const foreign = { 'sec-fetch-site': 'cross-site' };
      for (const method of ['POST', 'DELETE']) {
        const body = method === 'POST' ? { key: ADMIN_KEY } : undefined;
        const answer = await ask(service, method, '/console/session', { headers: foreign, body });
        expect(answer.status).toBe(403);
        expect(answer.headers['set-cookie']).toBeUndefined();
      }
      const form = await ask(service, 'POST', '/console/session', {
        headers: { ...OWN, 'content-type': 'application/x-www-form-urlencoded' },
        body: `key=${ADMIN_KEY}`,
      });
      expect(form.status).toBe(415);
    });

    it('does not come between a program and its key', async () => {
      const headers = { ...as(cookie, {}), authorization: `Bearer ${ADMIN_KEY}` };
      expect((await ask(service, 'GET', '/admin/issuers', { headers })).status).toBe(200);
      const wrong = { ...as(cookie), authorization: 'Bearer not-a-key' };
      expect((await ask(service, 'GET', '/admin/issuers', { headers: wrong })).status).toBe(401);
    });
  });

  it('ends as its admin key is revoked', async () => {
    const key = await createAdminKey(service);
    const { cookie } = await signIn(service, key.key);
    const list = (): Promise<Answer> => ask(service, 'GET', '/admin/issuers', { headers: as(cookie) });
    expect((await list()).status).toBe(200);
    await service.admin('DELETE', `/admin-keys/${key.id}`);
    expect((await list()).status).toBe(401);
    const found = await ask(service, 'GET', '/console/session', { headers: as(cookie) });
    expect(found.json()).toStrictEqual({ session: null });
  });

  it('lasts no longer than its admin key', async () => {
    const end = new Date(Date.now() + 3_600_000).toISOString();
    const { key } = await createAdminKey(service, { expires_at: end });
    const { answer } = await signIn(service, key);
    expect(answer.json()).toMatchObject({ session: { expires_at: end } });
  });

  it('is nothing that another service, or a changed bit, could have made', async () => {
    const { cookie } = await signIn(service, ADMIN_KEY);
    const other = await startService({
      CONSOLE: 'on',
      SECRETS_KEY: Buffer.alloc(32, 7).toString('base64url'),
    });
    try {
      const foreign = await signIn(other, ADMIN_KEY);
      const last = cookie.at(-1) === 'A' ? 'Q' : 'A';
      for (const bad of [
        foreign.cookie,
        cookie.slice(0, -3) + last + cookie.slice(-2),
        'pixseal_console=',
        'pixseal_console=x',
      ]) {
        expect((await ask(service, 'GET', '/admin/issuers', { headers: as(bad) })).status).toBe(401);
      }
    } finally {
      await other.close();
    }
  });

  it('has no more rights than its key: one that reads does not write, one that is bound sees its issuer', async () => {
    const other = await createTenant(service, { publicId: 'others', overlayPublicId: 'others-mark' });
    const reader = await signIn(service, (await createAdminKey(service, { scopes: ['read'] })).key);
    const bound = await signIn(service, (await createAdminKey(service, { issuer_id: seed.issuerId })).key);
    expect(reader.answer.json()).toMatchObject({ session: { scopes: ['read'] } });
    expect(bound.answer.json()).toMatchObject({ session: { issuer_id: seed.issuerId } });
    const write = await ask(service, 'POST', '/admin/issuers', {
      headers: as(reader.cookie),
      body: { name: 'Not by a reader' },
    });
    expect(write.status).toBe(403);
    const list = await ask(service, 'GET', '/admin/issuers', { headers: as(bound.cookie) });
    expect((list.json() as { items: { id: string }[] }).items.map(({ id }) => id)).toStrictEqual([
      seed.issuerId,
    ]);
    for (const path of [
      `/admin/images/${other.imageId}/preview`,
      `/admin/overlays/${other.overlayId}/preview`,
    ]) {
      expect((await ask(service, 'GET', path, { headers: as(bound.cookie) })).status).toBe(404);
    }
  });

  it('is forgotten by the browser that signs out', async () => {
    const answer = await ask(service, 'DELETE', '/console/session');
    expect(answer.status).toBe(204);
    expect(answer.headers['set-cookie']).toStrictEqual([
      'pixseal_console=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict',
    ]);
  });
});

describe('a preview', () => {
  let service: Service;
  let secret: string;

  beforeAll(async () => {
    service = await startService({ DELIVERY_MODE: 'local' });
    const issuer = await post<{ key: { secret: string } }>(service, '/issuers', {
      id: SEED.issuerId,
      name: 'Seed',
    });
    ({ secret } = issuer.key);
    await uploadPictures(service, SEED.issuerId, {
      image: { id: SEED.imageId, public_id: SEED.publicId },
      overlay: { id: SEED.overlayId, public_id: SEED.overlayPublicId },
    });
  });
  afterAll(() => service.close());

  const preview = (path: string): Promise<Answer> => service.admin('GET', `/${path}/preview`);

  it('is a redirect to a thumbnail that the issuer’s key has sealed for a minute', async () => {
    const answer = await preview(`images/${SEED.imageId}`);
    expect(answer.status).toBe(302);
    const { location = '' } = answer.headers;
    const [, token = ''] =
      /^\/images\/161400d0-c894-42fd-8100-262361ea91ff\?token=(.*)$/.exec(location) ?? [];
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      iss: string;
      iat: number;
      exp: number;
    };
    expect(token).toBe(
      sealWith(secret, claims)
        .replace(/^[^.]*/, token.split('.')[0] ?? '')
        .replace(/[^.]*$/, token.split('.')[2] ?? ''),
    );
    expect(claims).toMatchObject({
      iss: SEED.issuerId,
      image_id: SEED.imageId,
      transformations: [{ width: 320, height: 240, crop: 'limit' }],
    });
    expect(claims.exp - claims.iat).toBe(60);
    const redirect = await getPicture(`${service.url}${location}`);
    expect(redirect.status).toBe(302);
    const picture = await getPicture(redirect.headers.get('location') ?? '');
    expect(await measure(picture.body)).toMatchObject({ width: 320 });
  });

  it('of an overlay is its own picture, made small', async () => {
    const { status, headers } = await preview(`overlays/${SEED.overlayId}`);
    expect(status).toBe(302);
    const picture = await getPicture(headers.location ?? '');
    expect(picture.status).toBe(200);
    const { width, height } = await measure(picture.body);
    expect(width <= 320 && height <= 240).toBe(true);
  });

  it('is refused without an admin key, for what is not there, and where no key counts', async () => {
    expect((await service.get(`/admin/images/${SEED.imageId}/preview`)).status).toBe(401);
    expect((await preview(`images/${SEED.overlayId}`)).status).toBe(404);
    const { key } = await post<{ key: { id: string } }>(service, '/issuers', {
      id: '00000000-0000-4000-8000-000000000001',
      name: 'Without keys',
    });
    await service.admin('DELETE', `/issuers/00000000-0000-4000-8000-000000000001/keys/${key.id}`);
    const { id } = await post<{ id: string }>(service, '/images', {
      issuer_id: '00000000-0000-4000-8000-000000000001',
      public_id: 'keyless',
      version: 1,
    });
    const answer = await preview(`images/${id}`);
    expect(answer.status).toBe(409);
    expect(answer.json()).toMatchObject({ code: 'no_live_key' });
  });
});
