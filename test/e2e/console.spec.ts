import { randomBytes } from 'node:crypto';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { drawPhoto, drawWatermark } from '../../src/operations/demo/drawings.js';
import { digestOf } from '../../src/admin/access/admin-key.js';
import { IssuerKeyUses } from '../../src/directory/issuer-key-uses.service.js';
import { IssuerUsage } from '../../src/directory/issuer-usage.service.js';
import '../support/built.js';
import { SecretBox } from '../../src/platform/secrets/secret-box.js';
import { expectAccessible, LOOKS } from '../support/accessibility.js';
import { createAccount } from '../support/accounts.js';
import { createAdminKey } from '../support/admin-keys.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { request, type HttpResponse } from '../support/http.js';
import { getPicture, measure, uploadSeed } from '../support/pictures.js';
import {
  createRandomTenant,
  createSeedTenant,
  createTenant,
  post,
  SEED,
  type Tenant,
} from '../support/seed.js';
import {
  ADMIN_KEY,
  expectServedByDefault,
  type Service,
  startService,
  TEST_VARIABLES,
} from '../support/service.js';

const RECOMMENDED = {
  require_image_id: true,
  require_exp: true,
  strict: true,
  denied_effects: ['generative'],
};
const embedded = inject('database').kind === 'embedded';
/** Headers of the console's own requests. */
const OWN = { 'x-pixseal-console': '1', 'sec-fetch-site': 'same-origin' };

interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const sendRequest = (
  service: Service,
  method: string,
  path: string,
  { headers = OWN, body }: RequestOptions = {},
): Promise<HttpResponse> => request({ port: service.port, method, path, headers, body });

/** Signs in. @returns the session's cookie, as a browser sends it. */
async function signIn(service: Service, key: string): Promise<{ response: HttpResponse; cookie: string }> {
  const response = await sendRequest(service, 'POST', '/console/session', { body: { key } });
  const [set = ''] = response.headers['set-cookie'] ?? [];
  return { response, cookie: set.split(';', 1).join() };
}

/** A node of a plan, as in `EXPLAIN (ANALYZE, FORMAT JSON)`. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** Every scan of a plan, with the number of rows that it read. */
function scansOf(node: PlanNode): string[] {
  const { 'Rows Removed by Filter': removed = 0 } = node;
  const scan = `${node['Node Type']} of ${(node['Actual Rows'] + removed) * node['Actual Loops']} rows`;
  return [...(node['Relation Name'] === undefined ? [] : [scan]), ...(node.Plans ?? []).flatMap(scansOf)];
}

describe('the console', () => {
  it('is served in embedded mode and not in production, unless a setting changes that', () =>
    expectServedByDefault('CONSOLE', ['/console', '/console/session']));
});

describe('a session of the console', () => {
  let service: Service;
  let seed: Tenant;

  beforeAll(async () => {
    service = await startService({ CONSOLE: 'on' });
    seed = await createSeedTenant(service);
  });
  afterAll(() => service.close());

  const as = (
    cookie: string,
    headers: Readonly<Record<string, string>> = OWN,
  ): Readonly<Record<string, string>> => ({
    ...headers,
    cookie,
  });

  it('is a cookie that scripts cannot read and other sites do not send, without the key', async () => {
    const { response, cookie } = await signIn(service, ADMIN_KEY);
    expect(response.status).toBe(201);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.json()).toStrictEqual({
      session: {
        actor: expect.stringMatching(/^environment:[0-9a-f]{8}$/) as string,
        scopes: ['read', 'write'],
        issuer_id: null,
        is_user: false,
        expires_at: expect.stringMatching(/Z$/) as string,
        new_issuer_policy: RECOMMENDED,
      },
      oidc: false,
    });
    expect(response.headers['set-cookie']).toStrictEqual([
      `${cookie}; Max-Age=28800; Path=/; HttpOnly; SameSite=Strict`,
    ]);
    expect(cookie).toMatch(/^pixseal_console=[\w-]+$/);
    const held = Buffer.from(cookie.slice(cookie.indexOf('=') + 1), 'base64url').toString('latin1');
    for (const part of [ADMIN_KEY, 'environment', 'digest']) expect(held).not.toContain(part);
  });

  it('opens the admin API with the rights and the name of the key', async () => {
    const { response, cookie } = await signIn(service, ADMIN_KEY);
    const created = await sendRequest(service, 'POST', '/admin/issuers', {
      headers: as(cookie),
      body: { name: 'By the console' },
    });
    expect(created.status).toBe(201);
    const { id } = created.json() as { id: string };
    const audit = await service.admin('GET', `/audit?row_id=${id}`);
    const { session } = response.json() as { session: { actor: string } };
    expect(audit.json()).toMatchObject({ items: [{ action: 'issuer.create', actor: session.actor }] });
    const found = await sendRequest(service, 'GET', '/console/session', { headers: as(cookie) });
    expect(found.json()).toStrictEqual(response.json());
  });

  it.each(['{}', '{"max_width": 800}'])(
    'offers DEFAULT_POLICY=%s in the form of a new issuer',
    async (json) => {
      const own = await startService({ CONSOLE: 'on', DEFAULT_POLICY: json });
      try {
        const { response } = await signIn(own, ADMIN_KEY);
        expect(response.json()).toMatchObject({ session: { new_issuer_policy: JSON.parse(json) as object } });
      } finally {
        await own.close();
      }
    },
  );

  it('is not opened with an invalid key', async () => {
    const { response } = await signIn(service, `${ADMIN_KEY}-not`);
    expect(response.status).toBe(401);
    expect(response.json()).toMatchObject({ code: 'wrong_admin_key' });
    expect(response.headers['set-cookie']).toBeUndefined();
  });

  describe('requested by another site', () => {
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
      ['an image of another port', 'GET', { 'sec-fetch-site': 'same-site' }],
    ])('refuses %s', async (_, method, headers) => {
      const body = method === 'POST' ? { name: 'Forged' } : undefined;
      const response = await sendRequest(service, method, '/admin/issuers', {
        headers: as(cookie, headers),
        body,
      });
      expect(response.status).toBe(403);
      expect(response.json()).toMatchObject({ code: 'cross_site_request' });
      const { items } = (await service.admin('GET', '/issuers?name=Forged')).json() as { items: unknown[] };
      expect(items).toStrictEqual([]);
    });

    it('neither signs in nor out, and accepts no form', async () => {
      const foreign = { 'sec-fetch-site': 'cross-site' };
      for (const method of ['POST', 'DELETE']) {
        const body = method === 'POST' ? { key: ADMIN_KEY } : undefined;
        const response = await sendRequest(service, method, '/console/session', { headers: foreign, body });
        expect(response.status).toBe(403);
        expect(response.headers['set-cookie']).toBeUndefined();
      }
      const form = await sendRequest(service, 'POST', '/console/session', {
        headers: { ...OWN, 'content-type': 'application/x-www-form-urlencoded' },
        body: `key=${ADMIN_KEY}`,
      });
      expect(form.status).toBe(415);
    });

    it('does not affect a program that uses the key', async () => {
      const headers = { ...as(cookie, {}), authorization: `Bearer ${ADMIN_KEY}` };
      expect((await sendRequest(service, 'GET', '/admin/issuers', { headers })).status).toBe(200);
      const wrong = { ...as(cookie), authorization: 'Bearer not-a-key' };
      expect((await sendRequest(service, 'GET', '/admin/issuers', { headers: wrong })).status).toBe(401);
    });
  });

  it('ends when its admin key is revoked', async () => {
    const key = await createAdminKey(service);
    const { cookie } = await signIn(service, key.key);
    const list = (): Promise<HttpResponse> =>
      sendRequest(service, 'GET', '/admin/issuers', { headers: as(cookie) });
    expect((await list()).status).toBe(200);
    await service.admin('DELETE', `/admin-keys/${key.id}`);
    expect((await list()).status).toBe(401);
    const found = await sendRequest(service, 'GET', '/console/session', { headers: as(cookie) });
    expect(found.json()).toStrictEqual({ session: null, oidc: false });
  });

  it('expires with its admin key', async () => {
    const end = new Date(Date.now() + 3_600_000).toISOString();
    const { key } = await createAdminKey(service, { expires_at: end });
    const { response } = await signIn(service, key);
    expect(response.json()).toMatchObject({ session: { expires_at: end } });
  });

  it('cannot be created by another service, or by changing a bit', async () => {
    const { cookie } = await signIn(service, ADMIN_KEY);
    const signerOf = (key: Buffer): string => {
      const held = {
        prefix: null,
        digest: digestOf(ADMIN_KEY).toString('base64url'),
        end: Date.now() + 60_000,
      };
      const blob = new SecretBox([key]).encrypt(Buffer.from(JSON.stringify(held)), ['console_session']);
      return `pixseal_console=${blob.toString('base64url')}`;
    };
    const own = signerOf(Buffer.from(TEST_VARIABLES.SECRETS_KEY, 'base64url'));
    expect((await sendRequest(service, 'GET', '/admin/issuers', { headers: as(own) })).status).toBe(200);
    const changed = cookie.slice(0, -3) + (cookie.at(-3) === 'A' ? 'Q' : 'A') + cookie.slice(-2);
    for (const bad of [signerOf(Buffer.alloc(32, 7)), changed, 'pixseal_console=', 'pixseal_console=x']) {
      expect((await sendRequest(service, 'GET', '/admin/issuers', { headers: as(bad) })).status).toBe(401);
    }
  });

  it('has no more rights than its key: a read-only one cannot write, a bound one sees its issuer', async () => {
    const other = await createTenant(service, { publicId: 'others', overlayPublicId: 'others-mark' });
    const reader = await signIn(service, (await createAdminKey(service, { scopes: ['read'] })).key);
    const bound = await signIn(service, (await createAdminKey(service, { issuer_id: seed.issuerId })).key);
    expect(reader.response.json()).toMatchObject({ session: { scopes: ['read'] } });
    expect(bound.response.json()).toMatchObject({ session: { issuer_id: seed.issuerId } });
    const write = await sendRequest(service, 'POST', '/admin/issuers', {
      headers: as(reader.cookie),
      body: { name: 'Not by a reader' },
    });
    expect(write.status).toBe(403);
    const list = await sendRequest(service, 'GET', '/admin/issuers', { headers: as(bound.cookie) });
    expect((list.json() as { items: { id: string }[] }).items.map(({ id }) => id)).toStrictEqual([
      seed.issuerId,
    ]);
    for (const path of [
      `/admin/images/${other.imageId}/preview`,
      `/admin/overlays/${other.overlayId}/preview`,
    ]) {
      expect((await sendRequest(service, 'GET', path, { headers: as(bound.cookie) })).status).toBe(404);
    }
  });

  it('is deleted from the browser that signs out', async () => {
    const response = await sendRequest(service, 'DELETE', '/console/session');
    expect(response.status).toBe(204);
    expect(response.headers['set-cookie']).toStrictEqual([
      'pixseal_console=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict',
    ]);
  });
});

describe('a session of the console on https, with rate limits', () => {
  let service: Service;

  beforeAll(async () => {
    const PUBLIC_URL = 'https://img.example.com';
    service = await startService({ CONSOLE: 'on', PUBLIC_URL, RATE_LIMIT_ADDRESS: '6000' });
  });
  afterAll(() => service.close());

  it('is a cookie for https and this host only', async () => {
    const { response, cookie } = await signIn(service, ADMIN_KEY);
    expect(response.headers['set-cookie']).toStrictEqual([
      `${cookie}; Max-Age=28800; Path=/; HttpOnly; Secure; SameSite=Strict`,
    ]);
    expect(cookie).toMatch(/^__Host-pixseal_console=/);
    const list = async (sent: string): Promise<number> =>
      (await sendRequest(service, 'GET', '/admin/issuers', { headers: { ...OWN, cookie: sent } })).status;
    expect(await list(cookie)).toBe(200);
    expect(await list(cookie.replace('__Host-', ''))).toBe(401);
  });

  it('cannot be guessed', async () => {
    const statuses: number[] = [];
    for (let guess = 0; guess < 80; guess += 1) {
      statuses.push((await signIn(service, `${ADMIN_KEY}-${guess}`)).response.status);
    }
    expect(new Set(statuses)).toStrictEqual(new Set([401, 429]));
    expect((await signIn(service, ADMIN_KEY)).response.status).toBe(429);
  });
});

describe('a preview', () => {
  let service: Service;

  beforeAll(async () => {
    service = await startService({ DELIVERY_MODE: 'local' });
    await uploadSeed(service);
  });
  afterAll(() => service.close());

  const preview = (path: string): Promise<HttpResponse> => service.admin('GET', `/${path}/preview`);

  it('is a redirect to a thumbnail that the issuer’s key signs for a minute', async () => {
    const response = await preview(`images/${SEED.imageId}`);
    expect(response.status).toBe(302);
    const { location = '' } = response.headers;
    const [, token = ''] =
      /^\/images\/161400d0-c894-42fd-8100-262361ea91ff\?token=(.*)$/.exec(location) ?? [];
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      iss: string;
      iat: number;
      exp: number;
    };
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

  it('of an original has no policy, and needs the scope that can change it', async () => {
    const path = `/admin/images/${SEED.imageId}/original-preview`;
    const response = await service.admin('GET', path.slice('/admin'.length));
    expect(response.status).toBe(302);
    expect(response.headers.location).toContain('/c_limit,h_240,w_320/v');
    const picture = await getPicture(response.headers.location ?? '');
    expect(await measure(picture.body)).toMatchObject({ width: 320 });
    const reader = await createAdminKey(service, { scopes: ['read'] });
    const refused = await service.get(path, { authorization: `Bearer ${reader.key}` });
    expect(refused.json()).toMatchObject({ status: 403, code: 'insufficient_scope' });
    const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Another' });
    const bound = await createAdminKey(service, { issuer_id: id });
    const foreign = await service.get(path, { authorization: `Bearer ${bound.key}` });
    expect(foreign.json()).toMatchObject({ status: 404, code: 'image_not_found' });
  });

  it('of an overlay is its own image, scaled down', async () => {
    const { status, headers } = await preview(`overlays/${SEED.overlayId}`);
    expect(status).toBe(302);
    const picture = await getPicture(headers.location ?? '');
    expect(picture.status).toBe(200);
    const { width, height } = await measure(picture.body);
    expect(width <= 320 && height <= 240).toBe(true);
  });

  it('is refused without an admin key, for an unknown row, and without an active key', async () => {
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
    const response = await preview(`images/${id}`);
    expect(response.status).toBe(409);
    expect(response.json()).toMatchObject({ code: 'no_live_key' });
  });
});

/** A timeout for a page on a busy machine. */
const eventually = <T>(look: () => Promise<T>) => expect.poll(look, { timeout: 30_000 });

/** A square that does not compress: an upload of half a megabyte. */
const drawNoise = (side = 400): Promise<Buffer> =>
  sharp(randomBytes(side * side * 3), { raw: { width: side, height: side, channels: 3 } })
    .png()
    .toBuffer();

describe.runIf(hasBrowser())('the console in a browser', () => {
  let service: Service;
  let browser: Browser;
  /** Errors that browsers reported, among them violations of the page's policy. */
  const complaints: string[] = [];

  beforeAll(async () => {
    service = await startService({ CONSOLE: 'on', DELIVERY_MODE: 'local' });
    browser = await launchBrowser();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(complaints.splice(0)).toStrictEqual([]);
  });
  afterAll(async () => {
    await browser.close();
    await service.close();
  });

  async function open(hash = '', options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // A refusal by the service that a test causes is an error to the browser.
      const refused = /^Failed to load resource: the server responded with a status of 4\d\d/.test(
        message.text(),
      );
      if (message.type() === 'error' && !refused) complaints.push(message.text());
    });
    await page.goto(`${service.url}/console${hash}`);
    return page;
  }

  async function enter(page: Page, key = ADMIN_KEY): Promise<void> {
    await page.getByLabel('Admin key').fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  async function openAs(key: string, hash: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await open(hash, options);
    await enter(page, key);
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    return page;
  }

  const said = (page: Page, text: string): Promise<void> =>
    page.getByRole('status').getByText(text).waitFor({ state: 'attached' });

  // None of these depend on the kind of database.
  describe.runIf(embedded)('with an unrestricted key', () => {
    let issuerId: string;

    beforeAll(async () => {
      ({ id: issuerId } = await post<{ id: string }>(service, '/issuers', { name: 'Gallery' }));
    });

    it('signs in and out, and does not expose the key', async () => {
      const page = await open();
      await enter(page, `${ADMIN_KEY}-not`);
      await page.getByRole('alert').getByText('The admin key is unknown').waitFor();
      await enter(page);
      await page.getByRole('link', { name: 'Gallery' }).waitFor();
      const [cookie, ...others] = await page.context().cookies();
      expect(others).toStrictEqual([]);
      expect(cookie).toMatchObject({
        httpOnly: true,
        sameSite: 'Strict',
        path: '/',
        name: 'pixseal_console',
      });
      const kept = String(
        await page.evaluate(
          'JSON.stringify([document.cookie, location.href, { ...localStorage }, { ...sessionStorage }])',
        ),
      );
      expect(kept).toBe(JSON.stringify(['', `${service.url}/console`, {}, {}]));
      expect(await page.content()).not.toContain(ADMIN_KEY);
      await page.reload();
      await page.getByRole('link', { name: 'Gallery' }).waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Admin key').waitFor();
      expect(await page.context().cookies()).toStrictEqual([]);
      await page.reload();
      await page.getByLabel('Admin key').waitFor();
    });

    it('creates an issuer, whose secret is shown once, and disables it', async () => {
      const page = await openAs(ADMIN_KEY, '', { permissions: ['clipboard-read', 'clipboard-write'] });
      await page.getByText('Create an issuer').click();
      await page.getByLabel('Name', { exact: true }).fill('Shop');
      await page.getByRole('button', { name: 'Create' }).click();
      const dialog = page.getByRole('dialog', { name: 'The new secret' });
      const secret = await dialog.getByRole('region', { name: 'Secret' }).locator('.block').textContent();
      expect(secret).toMatch(/^[\w-]{43}$/);
      await dialog.getByRole('button', { name: 'Copy Secret' }).click();
      await eventually(() => page.evaluate('navigator.clipboard.readText()')).toBe(secret);
      await page.keyboard.press('Escape');
      await dialog.getByRole('button', { name: 'I have copied it' }).click();
      await dialog.waitFor({ state: 'detached' });
      expect(await page.content()).not.toContain(secret);
      await page.getByRole('link', { name: 'Shop' }).click();
      await page.getByText('Disable it, or refuse its older tokens').click();
      await page.getByRole('button', { name: 'Disable' }).click();
      await page.getByRole('button', { name: 'Enable' }).waitFor();
      await page.getByRole('heading', { name: 'Shop disabled' }).waitFor();
    });

    it('starts a new issuer with the recommended policy, which can be changed, and marks its errors', async () => {
      const page = await openAs(ADMIN_KEY, '');
      await page.getByText('Create an issuer').click();
      const policy = page.getByLabel('Policy as JSON');
      const create = async (name: string): Promise<unknown> => {
        await page.getByLabel('Name', { exact: true }).fill(name);
        await page.getByRole('button', { name: 'Create' }).click();
        await page.getByRole('button', { name: 'I have copied it' }).click();
        const { items } = (await service.admin('GET', `/issuers?name=${name}`)).json() as {
          items: { policy: unknown }[];
        };
        return items.map((issuer) => issuer.policy);
      };
      expect(JSON.parse(await policy.inputValue())).toStrictEqual(RECOMMENDED);
      expect(await create('Guarded')).toStrictEqual([RECOMMENDED]);

      await policy.fill('{\n  "strict": "yes"\n}');
      await page.getByLabel('Name', { exact: true }).fill('Refused');
      await page.getByRole('button', { name: 'Create' }).click();
      const mistakes = page.getByRole('list', { name: 'Mistakes' }).getByRole('listitem');
      await eventually(() => mistakes.allTextContents()).toStrictEqual([
        'Line 2 strict must be true or false',
      ]);
      await policy.fill('{');
      await page.getByRole('button', { name: 'Create' }).click();
      await mistakes.getByText('JSON').first().waitFor();
      const { items } = (await service.admin('GET', '/issuers?name=Refused')).json() as { items: unknown[] };
      expect(items).toStrictEqual([]);

      await policy.fill('{}');
      expect(await create('Free')).toStrictEqual([{}]);
    });

    it('rotates a key: a new one, and an expiry for the old one', async () => {
      const page = await openAs(ADMIN_KEY, `#/issuers/${issuerId}`);
      const keys = page.getByRole('list', { name: 'Keys' }).getByRole('listitem');
      await keys.getByText('no expiry').waitFor();
      await page.getByText('Rotate: create a key').click();
      await page.getByLabel('The other keys stay valid').selectOption('7 days');
      await page.getByRole('button', { name: 'Rotate' }).click();
      await page.getByRole('button', { name: 'I have copied it' }).click();
      await eventually(() => keys.count()).toBe(2);
      const { keys: rows } = (await service.admin('GET', `/issuers/${issuerId}`)).json() as {
        keys: { not_after: string | null }[];
      };
      const [newest, before] = rows.map(({ not_after: end }) => end);
      expect(newest).toBeNull();
      expect(Math.abs(Date.parse(before ?? '') - Date.now() - 7 * 86_400_000)).toBeLessThan(600_000);
      await keys.nth(1).getByRole('button', { name: 'Revoke' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
      await eventually(() => keys.count()).toBe(1);
    });

    it('shows when a key was last used, and how often', async () => {
      const tenant = await createTenant(service, { publicId: 'used', overlayPublicId: 'used-mark' });
      const page = await openAs(ADMIN_KEY, `#/issuers/${tenant.issuerId}`);
      const fact = (name: string): Locator =>
        page
          .getByRole('list', { name: 'Keys' })
          .locator('dl > div', { has: page.getByText(name, { exact: true }) })
          .locator('dd');
      await fact('Last used').getByText('never').waitFor();
      expect(await fact('Uses').textContent()).toBe('0');
      const earliest = Date.now();
      expect((await fetch(service.url + tenant.path(), { redirect: 'manual' })).status).toBe(302);
      await service.app.get(IssuerKeyUses, { strict: false }).flush();
      await page.reload();
      await eventually(() => fact('Uses').textContent()).toBe('1');
      const at = Date.parse((await fact('Last used').locator('time').getAttribute('datetime')) ?? '');
      expect(at >= earliest && at <= Date.now()).toBe(true);
    });

    it('uploads an image and an overlay with a progress bar, and shows previews', async () => {
      const page = await openAs(ADMIN_KEY, '#/images');
      const network = await page.context().newCDPSession(page);
      const limitUploads = (uploadThroughput: number): Promise<unknown> =>
        network.send('Network.emulateNetworkConditions', {
          offline: false,
          latency: 0,
          downloadThroughput: -1,
          uploadThroughput,
        });
      await network.send('Network.enable');
      for (const [kind, name, buffer] of [
        ['Images', 'sunset', await drawNoise()],
        ['Overlays', 'mark', await drawWatermark()],
      ] as const) {
        await page.getByRole('link', { name: kind }).click();
        await page.getByRole('heading', { name: kind }).waitFor();
        await page.getByText(/^Add an/).click();
        await page.locator('details').getByLabel('Issuer').selectOption('Gallery');
        await page.getByLabel('Public id', { exact: true }).fill(name);
        await page.getByLabel('File').setInputFiles({ name: 'picture', mimeType: 'image/jpeg', buffer });
        await limitUploads(100_000);
        await page.getByRole('button', { name: 'Add', exact: true }).click();
        if (name === 'sunset') {
          const progress = page.getByRole('progressbar', { name: 'Sending' });
          await eventually(() =>
            progress.evaluate(({ value, max }: { value: number; max: number }) => value > 0 && value < max),
          ).toBe(true);
        }
        await limitUploads(-1);
        await said(page, `${name} is added.`);
        expect(await page.getByRole('progressbar').count()).toBe(0);
        const picture = page.getByRole('button', { name }).locator('img');
        await eventually(() =>
          picture.evaluate((image: { naturalWidth: number }) => image.naturalWidth),
        ).toBeGreaterThan(100);
      }
      await page.getByRole('link', { name: 'Images' }).click();
      await page.getByRole('button', { name: 'sunset' }).click();
      await page.getByText('Change it').click();
      const dialog = page.getByRole('dialog');
      const written: string[] = [];
      page.on('request', (request) => {
        if (request.method() !== 'GET') written.push(`${request.method()} ${request.postData() ?? 'a file'}`);
      });
      // With the keyboard only: an arrow selects, and nothing is written before the button is pressed.
      await dialog.getByLabel('Opens').focus();
      await page.keyboard.press('ArrowDown');
      expect(await dialog.getByLabel('Opens').inputValue()).toBe('public');
      await page.keyboard.press('ArrowUp');
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await said(page, 'sunset is changed.');
      expect(written).toStrictEqual(['PATCH {"access":"public"}']);
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Save “Opens”');

      const shape = (): Promise<number> =>
        dialog
          .locator('.preview img')
          .first()
          .evaluate(
            ({ naturalWidth, naturalHeight }: { naturalWidth: number; naturalHeight: number }) =>
              naturalWidth / naturalHeight,
          );
      await eventually(shape).toBe(1);
      const photo = { name: 'photo.jpg', mimeType: 'image/jpeg', buffer: await drawPhoto() };
      await dialog.getByLabel('New original').setInputFiles(photo);
      await dialog.getByRole('button', { name: 'Replace' }).click();
      await eventually(shape).toBeCloseTo(1.5, 1);
      expect(written).toHaveLength(2);
      await page.getByRole('link', { name: 'Audit log' }).click();
      await page.getByText('image.update').last().click();
      const row = page.getByRole('row', { name: /^access/ });
      await eventually(() => row.getByRole('cell').allTextContents()).toStrictEqual(['token', 'public']);
    });

    it('reports that a public id is taken', async () => {
      await post(service, '/images', { issuer_id: issuerId, public_id: 'taken', version: 1 });
      const page = await openAs(ADMIN_KEY, '#/images');
      await page.getByText('Add an image').click();
      await page.locator('details').getByLabel('Issuer').selectOption('Gallery');
      await page.getByLabel('Public id', { exact: true }).fill('taken');
      await page.getByLabel('Version').fill('2');
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await page.locator('[data-code=public_id_taken]').waitFor();
    });

    it('marks a policy’s errors at their lines, and saves it once they are corrected', async () => {
      const page = await openAs(ADMIN_KEY, `#/issuers/${issuerId}`);
      const editor = page.getByLabel('Policy as JSON');
      const save = page.getByRole('button', { name: 'Save policy' });
      const marked = (): Promise<string[]> => page.locator('.gutter [data-bad=true]').allTextContents();
      await editor.fill('{\n  "presets": {"max_width": []},\n  "max_width": 0\n}');
      await save.click();
      await page.getByText('must be a whole number from 1 to 65500').waitFor();
      expect(await marked()).toStrictEqual(['2', '3']);
      expect(await editor.getAttribute('aria-invalid')).toBe('true');
      await editor.fill('{\n  "max_width": 800,\n}');
      await save.click();
      await eventually(marked).toStrictEqual(['3']);
      await editor.fill('{"max_width": 800}');
      await save.click();
      await said(page, 'The policy is saved.');
      const { policy } = (await service.admin('GET', `/issuers/${issuerId}`)).json() as { policy: object };
      expect(policy).toStrictEqual({ max_width: 800 });
    });

    it('revokes a token and restores it, and the audit log has both', async () => {
      const page = await openAs(ADMIN_KEY, `#/issuers/${issuerId}`);
      await page.getByText('Revoke tokens').click();
      await page.getByLabel('jti', { exact: true }).fill('leaked-1');
      await page.getByRole('button', { name: 'Revoke', exact: true }).click();
      const revocations = page.getByRole('list', { name: 'Revocations' });
      await revocations.getByText('leaked-1').first().waitFor();
      await page.getByRole('button', { name: 'Lift the revocation of leaked-1' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Lift' }).click();
      await page.getByText('No revocations.').waitFor();
      expect(await page.evaluate('document.activeElement.getAttribute("aria-labelledby")')).toBe(
        'revocations-title',
      );
      await page.getByRole('link', { name: 'Audit' }).first().click();
      await page.getByLabel('Action').fill('revocation.create');
      await page.getByRole('button', { name: 'Find' }).click();
      const entries = page.getByRole('list', { name: 'Audit' }).getByRole('listitem');
      await eventually(() => entries.count()).toBe(1);
      await entries.first().getByText('revocation.create').click();
      await page.getByRole('row', { name: /leaked-1/ }).waitFor();
      await page.getByLabel('Action').fill('revocation.delete');
      await page.getByRole('button', { name: 'Find' }).click();
      await entries.getByText('revocation.delete').waitFor();
    });

    it('releases the public id of a deleted image, and offers that to no bound key', async () => {
      const { id } = await post<{ id: string }>(service, '/images', {
        issuer_id: issuerId,
        public_id: 'left-behind',
        version: 1,
      });
      await service.admin('DELETE', `/images/${id}`);
      const bound = await createAdminKey(service, { issuer_id: issuerId });
      const own = await openAs(bound.key, `#/issuers/${issuerId}`);
      const listed = own.getByRole('list', { name: 'Retained public ids' });
      await listed.getByText('left-behind').waitFor();
      expect(await listed.getByRole('button').count()).toBe(0);
      await own.context().close();

      const page = await openAs(ADMIN_KEY, `#/issuers/${issuerId}`);
      await page.getByRole('button', { name: 'Release left-behind' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Release' }).click();
      await page.getByText('No retained public ids.').waitFor();
      const { items } = (await service.admin('GET', '/retained-public-ids?public_id=left-behind')).json() as {
        items: unknown[];
      };
      expect(items).toStrictEqual([]);
    });

    it('finds images by a part of their public id, and changes and deletes several at once', async () => {
      const names = ['bulk/one', 'bulk/two', 'bulk/three'];
      const ids = await Promise.all(
        names.map(async (name) => {
          const body = { issuer_id: issuerId, public_id: name, version: 1 };
          return (await post<{ id: string }>(service, '/images', body)).id;
        }),
      );
      const page = await openAs(ADMIN_KEY, '#/images');
      await page.getByLabel('Part of the public id').fill('BULK/');
      await page.getByRole('button', { name: 'Find' }).click();
      const items = page.getByRole('list', { name: 'Images' }).getByRole('listitem');
      await eventually(() => items.count()).toBe(3);
      await page.getByLabel('Select bulk/one').check();
      await page.getByLabel('Select bulk/two').check();
      await page.getByRole('button', { name: 'Make public' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('heading', { name: 'Make public: 2 images?' }).waitFor();
      await dialog.getByRole('button', { name: 'Make public (2)' }).click();
      await eventually(() => page.getByText('public', { exact: true }).count()).toBe(2);
      await page.locator('.bulk .hint').getByText('0 selected').waitFor();

      await page.getByRole('button', { name: 'Select all of this page' }).click();
      await page.locator('.bulk .hint').getByText('3 selected').waitFor();
      await page.getByRole('button', { name: /^Delete/ }).click();
      await dialog.getByRole('heading', { name: 'Delete: 3 images?' }).waitFor();
      // One of them is deleted by somebody else in the meantime.
      await service.admin('DELETE', `/images/${ids[1] ?? ''}`);
      await dialog.getByRole('button', { name: 'Delete (3)' }).click();
      await dialog.getByText('1 of 3 images failed and stay selected').waitFor();
      await dialog.getByText('bulk/two').waitFor();
      await dialog.getByRole('button', { name: 'Close' }).click();
      await eventually(() => items.count()).toBe(0);
      for (const id of ids) expect((await service.admin('GET', `/images/${id}`)).status).toBe(410);
    });

    it('shows an image under its issuer’s policy beside the original', async () => {
      const tenant = await createRandomTenant(service);
      const own = `/images/${tenant.imageId}/original-preview`;
      const page = await openAs(ADMIN_KEY, `#/images?issuer_id=${tenant.issuerId}`);
      await page.locator('main li button').first().click();
      await page.getByText('Under the issuer’s policy').waitFor();
      const figures = page.getByRole('dialog').locator('figure');
      await eventually(() => figures.count()).toBe(2);
      await figures.last().getByText('The original').waitFor();
      expect((await service.admin('GET', own)).status).toBe(302);
    });

    it('shows the life of a token: what it shows, its signer, its revocation', async () => {
      const tenant = await createRandomTenant(service);
      const exp = Math.floor(Date.now() / 1_000) + 3_600;
      const token = tenant.sign({ image_id: tenant.imageId, jti: 'one', exp });
      const page = await openAs(ADMIN_KEY, '#/token');
      const field = page.getByLabel('Token, or a link with one');
      const life = page.getByRole('region', { name: 'The token’s life' });
      await field.fill(`${service.url}/images/${tenant.imageId}?token=${token}`);
      await life.getByRole('heading', { name: 'Valid' }).waitFor();
      await life.getByText(tenant.keyId).waitFor();
      await life.getByRole('link', { name: /Tenant of/ }).waitFor();
      await life.getByText(tenant.imageId).waitFor();
      await service.admin('POST', `/issuers/${tenant.issuerId}/revocations`, { jti: 'one' });
      await field.fill('');
      await field.fill(token);
      await life.getByRole('heading', { name: 'Refused' }).waitFor();
      await life.getByText('The token was revoked on').waitFor();
      await service.admin('DELETE', `/issuers/${tenant.issuerId}/keys/${tenant.keyId}`);
      await field.fill(tenant.sign({ image_id: tenant.imageId }));
      await life.getByText('no active key of the issuer has signed it').waitFor();
      await field.fill('a.b');
      await page.getByText('A token has three parts').waitFor();
    });

    it('charts the redirects and refusals of an issuer by hour', async () => {
      const tenant = await createRandomTenant(service);
      for (const token of [tenant.sign(), tenant.sign(), tenant.sign({ exp: 1 })]) {
        await service.get(`/images/${tenant.imageId}?token=${token}`);
      }
      await service.app.get(IssuerUsage, { strict: false }).flush();
      const page = await openAs(ADMIN_KEY, `#/issuers/${tenant.issuerId}`);
      await page.getByRole('img', { name: 'By hour: 2 redirects and 1 refusal.' }).waitFor();
      await page.getByText('As a table').click();
      await eventually(() => page.getByRole('row').last().getByRole('cell').allTextContents()).toStrictEqual([
        '2',
        '1',
      ]);
      await page.getByLabel('Range').selectOption('The past 7 days');
      await eventually(() => page.locator('.chart g').count()).toBe(168);
      await page.getByRole('link', { name: 'Usage' }).click();
      await page.getByRole('heading', { name: 'Usage' }).waitFor();
      await page.getByRole('img', { name: /^By hour: \d+ redirects/ }).waitFor();
      await page.setViewportSize({ width: 390, height: 844 });
      for (const section of ['Audit', 'Issuers']) {
        const tab = page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: section });
        await page.goto(`${service.url}/console#/${section.toLowerCase()}`);
        await page.getByRole('heading', { name: section }).waitFor();
        await eventually(async () => {
          const { x = -1, width = 0 } = (await tab.boundingBox()) ?? {};
          return x >= 0 && x + width <= 390;
        }).toBe(true);
      }
    });

    it('asks for a sign-in when its admin key is revoked', async () => {
      const key = await createAdminKey(service);
      const page = await openAs(key.key, '#/images');
      // No request of this page must be the first to find out.
      await page.waitForLoadState('networkidle');
      await service.admin('DELETE', `/admin-keys/${key.id}`);
      await page.getByRole('link', { name: 'Audit' }).click();
      await page.getByText('The session has expired. Sign in again.').waitFor();
    });

    it('offers no writes to a read-only key, and no other issuer to a bound one', async () => {
      const reader = await createAdminKey(service, { scopes: ['read'] });
      const page = await openAs(reader.key, '');
      await page.getByRole('link', { name: 'Gallery' }).click();
      await page.getByRole('heading', { name: 'Revocations' }).waitFor();
      const actions = (): Promise<number> =>
        page.locator('main button:not(:has-text("Copy")), main form').count();
      await eventually(actions).toBe(0);
      for (const section of ['Images', 'Overlays']) {
        await page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: section }).click();
        await page.getByRole('heading', { name: section }).waitFor();
        expect(await page.locator('details').count()).toBe(0);
      }
      await page.context().close();

      await createTenant(service, { publicId: 'elsewhere', overlayPublicId: 'elsewhere-mark' });
      const bound = await createAdminKey(service, { issuer_id: issuerId });
      const own = await openAs(bound.key, '');
      await own.getByRole('link', { name: 'Gallery' }).waitFor();
      expect(await own.getByRole('link', { name: /Tenant of/ }).count()).toBe(0);
      expect(await own.getByText('Create an issuer').count()).toBe(0);
      await own.getByRole('link', { name: 'Gallery' }).click();
      await own.getByText('Rotate: create a key').waitFor();
      expect(await own.getByRole('button', { name: 'Save policy' }).count()).toBe(0);
    });

    it('loads less than 150 kB', async () => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      const page = await context.newPage();
      const session = await context.newCDPSession(page);
      let bytes = 0;
      session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
      await session.send('Network.enable');
      await page.goto(`${service.url}/console`);
      await enter(page);
      await page.getByRole('link', { name: 'Gallery' }).waitFor();
      expect(bytes).toBeGreaterThan(10_000);
      expect(bytes).toBeLessThan(150_000);
    });

    it.each(LOOKS)('has no serious issue in %s, %d pixels wide', async (colorScheme, width) => {
      // Half-way through a transition a colour is not one of the design's.
      const page = await open('', { colorScheme, viewport: { width, height: 844 }, reducedMotion: 'reduce' });
      const look = (): Promise<void> => expectAccessible(page, width);
      await enter(page, 'not-a-key');
      await page.getByRole('alert').waitFor();
      await look();
      await enter(page);
      await page.getByRole('link', { name: 'Gallery' }).click();
      await page.getByLabel('Policy as JSON').fill('{ "max_width": 0 }');
      await page.getByRole('button', { name: 'Save policy' }).click();
      await page.getByText('Line 1').waitFor();
      for (const summary of await page.locator('main summary').all()) await summary.click();
      await look();
      await page.getByRole('button', { name: 'Rotate' }).click();
      await page.getByRole('dialog', { name: 'The new secret' }).waitFor();
      await look();
      await page.getByRole('button', { name: 'I have copied it' }).click();
      await page
        .getByRole('button', { name: /^Revoke key/ })
        .first()
        .click();
      await page.getByRole('dialog').waitFor();
      await look();
      await page.getByRole('button', { name: 'Cancel' }).click();
      for (const section of ['Images', 'Overlays', 'Audit']) {
        await page.getByRole('navigation', { name: 'Sections' }).getByRole('link', { name: section }).click();
        await page.getByRole('heading', { name: section }).waitFor();
        await page.locator('main [aria-busy=false] li').first().waitFor();
        await page.locator('main summary').first().click();
        await look();
        if (section === 'Audit') continue;
        await page.locator('main li button').first().click();
        await page.getByText('Change it').click();
        await look();
        await page.getByRole('button', { name: 'Close' }).click();
        await page.getByRole('button', { name: 'Select all of this page' }).click();
        await look();
        await page.getByRole('button', { name: /^Delete/ }).click();
        await look();
        await page.getByRole('button', { name: 'Cancel' }).click();
      }
      await page.getByRole('link', { name: 'Usage' }).click();
      await page.getByText('As a table').click();
      await look();
      const tenant = await createRandomTenant(service);
      await page.getByRole('link', { name: 'Token' }).click();
      for (const claims of [{ image_id: tenant.imageId }, { exp: 1 }]) {
        await page.getByLabel('Token, or a link with one').fill(tenant.sign(claims));
        await page.getByRole('heading', { name: 'exp' in claims ? 'Refused' : 'Valid' }).waitFor();
        await look();
      }
    });
  });

  describe.runIf(embedded)('with Cloudinary accounts', () => {
    it('creates an account, whose secrets are never shown, warns of its tokens, and disables it', async () => {
      const page = await openAs(ADMIN_KEY, '#/accounts');
      const secrets = ['never-shown-secret', '0123456789abcdef'.repeat(4)] as const;
      await page.getByText('Create an account').click();
      await page.getByLabel('Name', { exact: true }).fill('Agency');
      await page.getByLabel('Cloud name').fill('agency-cloud');
      await page.getByLabel('API key').fill('agency-key');
      await page.getByLabel('API secret').fill(secrets[0]);
      await page.getByLabel('Key of token-based authentication').fill('not hexadecimal');
      await page.getByRole('button', { name: 'Create' }).click();
      await page.getByRole('alert').getByText('must be hexadecimal').waitFor();
      await page.getByLabel('Key of token-based authentication').fill(secrets[1]);
      await page.getByRole('button', { name: 'Create' }).click();
      await said(page, 'The account is created.');
      for (const label of ['API secret', 'Key of token-based authentication'])
        expect(await page.getByLabel(label).inputValue()).toBe('');
      const card = page
        .getByRole('list', { name: 'Accounts' })
        .getByRole('listitem')
        .filter({ hasText: 'Agency' });
      await card.getByText('agency-key').waitFor();
      await card.getByText('Cloudinary’s own').waitFor();
      await card.getByText('test that its URLs open and expire').waitFor();
      await card.getByRole('link', { name: 'Agency' }).click();
      await page.getByText('test that its URLs open and expire').waitFor();
      await page.getByText('Disable it, or delete it').click();
      await page.getByRole('button', { name: 'Disable' }).click();
      await page.getByRole('heading', { name: 'Agency disabled' }).waitFor();
      const html = await page.content();
      for (const secret of secrets) expect(html).not.toContain(secret);
      const { items } = (await service.admin('GET', '/accounts?cloud_name=agency-cloud')).json() as {
        items: { id: string }[];
      };
      expect(items).toMatchObject([
        { name: 'Agency', host: null, private_cdn: false, signature: 'sha1', disabled: true },
      ]);
      await page.getByRole('button', { name: 'Enable' }).click();
      await page.getByRole('heading', { name: 'Agency', exact: true }).waitFor();
    });

    it('changes the settings of an account, and reverts no change of others', async () => {
      const secret = '0123456789abcdef'.repeat(4);
      const { id } = await createAccount(service, 'edited', { auth_token_key: secret });
      const shown = async (): Promise<unknown> => (await service.admin('GET', `/accounts/${id}`)).json();
      const page = await openAs(ADMIN_KEY, `#/accounts/${id}`);
      await page.getByText('Change its settings').click();
      const name = page.getByLabel('Name', { exact: true });
      expect(await name.inputValue()).toBe('Account of edited');
      await service.admin('PATCH', `/accounts/${id}`, { signature: 'long' });
      await name.fill(' Studio ');
      await page.getByLabel('Host').fill('https://img.example.com');
      await page.getByLabel('Upload API').fill('');
      await page.getByLabel('It has a private CDN').check();
      await page.getByRole('button', { name: 'Save settings' }).click();
      await page.getByRole('alert').getByText('must be a host name').waitFor();
      expect(await shown()).toMatchObject({ name: 'Account of edited', host: null, private_cdn: false });
      await page.getByLabel('Host').fill('img.example.com');
      await page.getByRole('button', { name: 'Save settings' }).click();
      await said(page, 'The settings are saved.');
      await page.getByRole('heading', { name: 'Studio' }).waitFor();
      expect(await shown()).toMatchObject({
        ...{ name: 'Studio', host: 'img.example.com', private_cdn: true, signature: 'long' },
        ...{ upload_prefix: 'https://api.cloudinary.com', has_auth_token_key: true },
      });
      await page.getByLabel('Host').fill('');
      await page.getByLabel('Upload API').fill('https://api-eu.cloudinary.com');
      await page.getByLabel('Remove its key').check();
      await page.getByRole('button', { name: 'Save settings' }).click();
      await page.getByLabel('Remove its key').waitFor({ state: 'detached' });
      expect(await shown()).toMatchObject({
        ...{ name: 'Studio', host: null, private_cdn: true, signature: 'long' },
        ...{ upload_prefix: 'https://api-eu.cloudinary.com', has_auth_token_key: false },
      });
      const key = page.getByLabel('Key of token-based authentication', { exact: true });
      await key.fill(secret);
      await page.getByRole('button', { name: 'Save settings' }).click();
      await page.getByLabel('Remove its key').waitFor();
      expect(await shown()).toMatchObject({ has_auth_token_key: true });
      expect(await key.inputValue()).toBe('');
      expect(await page.content()).not.toContain(secret);
    });

    it.each([
      ['a private CDN', { private_cdn: true }],
      ['a host of its own', { host: 'img.example.com' }],
    ])('does not warn of the tokens of an account with %s', async (_, members) => {
      const { id } = await createAccount(service, `cdn-${Object.keys(members).join('')}`, {
        auth_token_key: '0123456789abcdef'.repeat(4),
        ...members,
      });
      const page = await openAs(ADMIN_KEY, `#/accounts/${id}`);
      await page.getByRole('heading', { name: 'API keys' }).waitFor();
      expect(await page.locator('.note').count()).toBe(0);
    });

    it('replaces the secret that signs, lets the older one expire, and deletes it', async () => {
      const { id, apiKey } = await createAccount(service, 'rotating');
      const page = await openAs(ADMIN_KEY, `#/accounts/${id}`);
      const keys = page.getByRole('list', { name: 'API keys' }).getByRole('listitem');
      const older = keys.filter({ hasText: apiKey });
      await older.getByText('signs', { exact: true }).waitFor();
      // The service refuses both for the secret that signs.
      expect(await older.getByRole('button').count()).toBe(0);
      await page.getByText('Add an API key with its secret').click();
      await page.getByLabel('API key', { exact: true }).fill('newer');
      await page.getByLabel('API secret').fill('never-shown-secret');
      await page.getByRole('button', { name: 'Add', exact: true }).click();
      await said(page, 'The API key is added.');
      await page.getByRole('button', { name: 'Sign with it newer' }).click();
      await said(page, 'newer signs.');
      await keys.filter({ hasText: 'newer' }).getByText('signs', { exact: true }).waitFor();
      await older.getByText('Change its expiry').click();
      await older.getByRole('button', { name: 'Now' }).click();
      await older.getByRole('button', { name: 'Save' }).click();
      await said(page, `The expiry of ${apiKey} is saved.`);
      await older.getByText('expired', { exact: true }).waitFor();
      const shown = async (): Promise<unknown> =>
        ((await service.admin('GET', `/accounts/${id}`)).json() as { secrets: unknown }).secrets;
      expect(await shown()).toMatchObject([
        { api_key: 'newer', signs: true, not_after: null },
        { api_key: apiKey, signs: false, not_after: expect.any(String) as string },
      ]);
      await page.getByRole('button', { name: `Delete API key ${apiKey}` }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
      await eventually(() => keys.count()).toBe(1);
      expect(await shown()).toMatchObject([{ api_key: 'newer' }]);
      expect(await page.content()).not.toContain('never-shown-secret');
    });

    it('creates an issuer of an account, which cannot be deleted before that issuer', async () => {
      const { id } = await createAccount(service, 'with-issuer');
      const page = await openAs(ADMIN_KEY, '');
      await page.getByText('Create an issuer').click();
      await page.getByLabel('Name', { exact: true }).fill('Of an account');
      await page.getByLabel('Account').selectOption('Account of with-issuer');
      await page.getByRole('button', { name: 'Create' }).click();
      await page.getByRole('button', { name: 'I have copied it' }).click();
      await page.getByRole('link', { name: 'Of an account' }).click();
      await page.getByRole('link', { name: id }).click();
      await page.getByText('Disable it, or delete it').click();
      await page.getByRole('button', { name: 'Delete the account Account of with-issuer' }).click();
      const confirm = page.getByRole('dialog').getByRole('button', { name: 'Delete' });
      await confirm.click();
      await page.locator('[data-code=account_not_empty]').waitFor();
      const { items } = (await service.admin('GET', '/issuers?name=Of%20an%20account')).json() as {
        items: { id: string; account_id: string }[];
      };
      expect(items).toMatchObject([{ account_id: id }]);
      await service.admin('DELETE', `/issuers/${items[0]?.id ?? ''}`);
      await confirm.click();
      await page.getByRole('heading', { name: 'Accounts' }).waitFor();
      await said(page, 'The account is deleted.');
      expect((await service.admin('GET', `/accounts/${id}`)).status).toBe(404);
    });

    it('is offered to no bound key, and without writes to a read-only one', async () => {
      const { id } = await createAccount(service, 'of-bound-issuer');
      const issuer = await post<{ id: string }>(service, '/issuers', { name: 'Bound', account_id: id });
      const bound = await createAdminKey(service, { issuer_id: issuer.id });
      const own = await openAs(bound.key, '#/accounts');
      await own.getByRole('link', { name: 'Bound' }).click();
      await own.getByText(id).waitFor();
      expect(await own.getByRole('link', { name: id }).count()).toBe(0);
      expect(await own.getByRole('link', { name: 'Accounts' }).count()).toBe(0);
      await own.context().close();

      const reader = await createAdminKey(service, { scopes: ['read'] });
      const page = await openAs(reader.key, '#/accounts');
      await page.getByRole('link', { name: 'Account of of-bound-issuer' }).click();
      await page.getByText('of-bound-issuer-key').waitFor();
      expect(await page.locator('main button:not(:has-text("Copy")), main form').count()).toBe(0);
    });

    it.each(LOOKS)('has no serious issue in %s, %d pixels wide', async (colorScheme, width) => {
      const { id } = await createAccount(service, `look-${colorScheme}-${width}`, {
        auth_token_key: '0123456789abcdef'.repeat(4),
        disabled: true,
      });
      await post(service, `/accounts/${id}/secrets`, { api_key: 'other', api_secret: 'secret' });
      const viewport = { width, height: 844 };
      const page = await openAs(ADMIN_KEY, '#/accounts', { colorScheme, viewport, reducedMotion: 'reduce' });
      await page.getByText(`look-${colorScheme}-${width}-key`).waitFor();
      await page.getByText('Create an account').click();
      await expectAccessible(page, width);
      await page.getByRole('link', { name: `Account of look-${colorScheme}-${width}` }).click();
      await page.getByRole('heading', { name: 'API keys' }).waitFor();
      for (const summary of await page.locator('main summary').all()) await summary.click();
      await expectAccessible(page, width);
      await page.getByRole('button', { name: 'Delete API key other' }).click();
      await page.getByRole('dialog').waitFor();
      await expectAccessible(page, width);
    });
  });

  /** How the database finds the images of a list, with the statements that the service sends. */
  async function scansFor(path: string): Promise<string[]> {
    const database = service.app.get(DataSource);
    const sending = vi.spyOn(database.logger, 'logQuery');
    expect((await service.admin('GET', path)).status).toBe(200);
    const sent = sending.mock.calls.filter(([sql]) => sql.includes('FROM "images"'));
    sending.mockRestore();
    const explained = await Promise.all(
      sent.map(([sql, parameters]) =>
        database.query<[{ 'QUERY PLAN': [{ Plan: PlanNode }] }]>(
          `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`,
          parameters as unknown[],
        ),
      ),
    );
    return explained.flatMap(([{ 'QUERY PLAN': plans }]) => plans.flatMap(({ Plan }) => scansOf(Plan)));
  }

  it.runIf(!embedded)('stays fast with 100,000 images', async () => {
    const large = await post<{ id: string }>(service, '/issuers', { name: 'Large' });
    const small = await post<{ id: string }>(service, '/issuers', { name: 'Small' });
    const rows = service.app.get(DataSource).createQueryRunner();
    try {
      // Without the triggers that notify the feed and write the audit log.
      await rows.query(`SET session_replication_role = replica`);
      // In parts, each within the service's statement timeout.
      for (let from = 1; from <= 100_000; from += 10_000) {
        await rows.query(
          `INSERT INTO images (id, issuer_id, public_id, version)
           SELECT gen_random_uuid(), CASE WHEN n % 1000 = 0 THEN $1::uuid ELSE $2::uuid END, 'picture-' || n, 1
           FROM generate_series($3::int, $3::int + 9999) AS n`,
          [small.id, large.id, from],
        );
      }
      // As autovacuum does later.
      await rows.query('ANALYZE images');
      await rows.query(`SET session_replication_role = origin`);
    } finally {
      await rows.release();
    }
    const [deep] = await service.app
      .get(DataSource)
      .query<[{ id: string }]>('SELECT id FROM images ORDER BY id OFFSET 90000 LIMIT 1');
    const cursor = `cursor=${Buffer.from(deep.id).toString('base64url')}`;
    for (const query of [
      ['limit=48'],
      ['limit=48', cursor],
      ['limit=48', `issuer_id=${large.id}`],
      ['limit=48', `issuer_id=${large.id}`, cursor],
      ['limit=48', `issuer_id=${small.id}`],
      ['limit=48', `issuer_id=${small.id}`, cursor],
      ['public_id=picture-77777'],
      ['public_id=picture-77777', `issuer_id=${large.id}`],
    ]) {
      const scans = await scansFor(`/images?${query.join('&')}`);
      expect([query, scans]).toStrictEqual([
        query,
        [expect.stringMatching(/^(?:Index|Bitmap Heap) Scan of \d{1,2} rows$/)],
      ]);
    }
    const page = await openAs(ADMIN_KEY, '', { viewport: { width: 390, height: 844 } });
    const previews = new Set<string>();
    page.on('request', (request) => {
      if (new URL(request.url()).pathname.endsWith('/preview')) previews.add(request.url());
    });
    const items = page.getByRole('list', { name: 'Images' }).getByRole('listitem');
    await page.getByRole('link', { name: 'Images' }).click();
    await items.nth(47).waitFor();
    const [first = ''] = await items.allTextContents();
    for (let number = 2; number <= 5; number += 1) {
      await page.getByRole('button', { name: 'Next' }).click();
      await page.getByText(`Page ${number}`).waitFor();
      await eventually(() => page.locator('[aria-busy=true]').count()).toBe(0);
    }
    expect(await items.count()).toBe(48);
    expect(await items.first().textContent()).not.toBe(first);
    expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(600);
    // For each page, the images in view or near it.
    expect(previews.size).toBeLessThan(5 * 48);
    await page.getByLabel('Part of the public id').fill('picture-77777');
    await page.getByRole('button', { name: 'Find' }).click();
    await eventually(() => items.allTextContents()).toStrictEqual([expect.stringContaining('picture-77777')]);
  });
});
