import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { logOutput } from '../../src/platform/observability/json.logger.js';
import { expectAccessible, LOOKS } from '../support/accessibility.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { CLIENT, type OidcProvider, startOidcProvider } from '../support/oidc-provider.js';
import { createRandomTenant, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, type Service, startService } from '../support/service.js';

const OWN = { 'x-pixseal-console': '1', 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
const ISSUER = '0f9f7d0a-62f5-4b0f-8a5b-1f5d4d3d9d11';
const ROLES = `groups:admins=write,groups:tenant=write@${ISSUER},groups:support=read`;

/** A browser's cookies: of one host, whatever the port. */
class Cookies {
  readonly values = new Map<string, string>();
  readonly lines: string[] = [];

  header(): string {
    return [...this.values].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  read(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      this.lines.push(line);
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '' || line.includes('Max-Age=0')) this.values.delete(name);
      else this.values.set(name, value);
    }
  }
}

describe('signing in to the console with OpenID Connect', () => {
  let provider: OidcProvider;
  let service: Service;
  let tenant: Tenant;
  let cookies: Cookies;
  const lines: string[] = [];

  beforeAll(async () => {
    vi.spyOn(logOutput, 'write').mockImplementation((line) => {
      lines.push(line);
    });
    provider = await startOidcProvider();
    service = await startService({
      CONSOLE: 'on',
      OIDC_ISSUER: provider.issuer,
      OIDC_CLIENT_ID: CLIENT.client_id,
      OIDC_CLIENT_SECRET: CLIENT.client_secret,
      OIDC_ROLES: ROLES,
      LOG_LEVEL: 'debug',
    });
    provider.register(`${service.url}/console/oidc/callback`, [`${service.url}/console`]);
    tenant = await createRandomTenant(service);
    await service.admin('POST', '/issuers', { id: ISSUER, name: 'Bound' });
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    await service.close();
    await provider.close();
  });
  beforeEach(() => {
    cookies = new Cookies();
    provider.user = { sub: 'ada', groups: ['staff', 'admins'] };
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function visit(url: string): Promise<Response> {
    const response = await fetch(url, { redirect: 'manual', headers: { cookie: cookies.header() } });
    cookies.read(response);
    return response;
  }

  /** Follows redirects from the first URL until one leads to `stop`. @returns the last target. */
  async function follow(url: string, stop: string): Promise<string> {
    let target = url;
    for (let hops = 0; hops < 10 && !target.includes(stop); hops += 1) {
      const { headers } = await visit(target);
      target = new URL(headers.get('location') ?? '/nowhere', target).href;
    }
    return target;
  }

  const start = (): string => `${service.url}/console/oidc/sign-in`;
  /** Signs in until the console is reached. */
  async function complete(): Promise<string> {
    const callback = await follow(start(), '/console/oidc/callback');
    const response = await visit(callback);
    expect(response.status).toBe(303);
    return response.headers.get('location') ?? '';
  }
  const session = async (): Promise<unknown> =>
    (await fetch(`${service.url}/console/session`, { headers: { ...OWN, cookie: cookies.header() } })).json();
  const admin = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${service.url}/admin${path}`, {
      method,
      headers: { ...OWN, cookie: cookies.header() },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  it('uses a code with PKCE, state and nonce', async () => {
    const response = await visit(start());
    expect(response.status).toBe(303);
    const url = new URL(response.headers.get('location') ?? '');
    expect(Object.fromEntries(url.searchParams)).toStrictEqual({
      client_id: CLIENT.client_id,
      redirect_uri: `${service.url}/console/oidc/callback`,
      response_type: 'code',
      scope: 'openid',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      state: expect.stringMatching(/^[\w-]{43}$/) as string,
      nonce: expect.stringMatching(/^[\w-]{43}$/) as string,
    });
    expect(cookies.lines).toStrictEqual([
      expect.stringMatching(
        /^pixseal_console_sign_in=[\w-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/,
      ) as string,
    ]);
  });

  it('opens a session of an hour with the user’s role, whose name is in the audit log', async () => {
    expect(await complete()).toBe('/console');
    expect(await session()).toMatchObject({
      session: { actor: 'user:ada', scopes: ['read', 'write'], issuer_id: null },
      oidc: true,
    });
    expect(cookies.lines.slice(-2)).toStrictEqual([
      'pixseal_console_sign_in=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax',
      expect.stringMatching(
        /^pixseal_console=[\w-]+; Max-Age=3600; Path=\/; HttpOnly; SameSite=Strict$/,
      ) as string,
    ]);
    const created = await admin('POST', '/issuers', { name: 'By Ada' });
    expect(created.status).toBe(201);
    const { id } = (await created.json()) as { id: string };
    const audit = await service.admin('GET', `/audit?row_id=${id}`);
    expect(audit.json()).toMatchObject({ items: [{ actor: 'user:ada', action: 'issuer.create' }] });

    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_601_000 });
    expect(await session()).toStrictEqual({ session: null, oidc: true });
    expect((await admin('GET', '/issuers')).status).toBe(401);
  });

  it.each([
    ['support', { scopes: ['read'], issuer_id: null }],
    [['support', 'tenant'], { scopes: ['read', 'write'], issuer_id: ISSUER }],
  ] as const)('gives a user of %j the role of the first rule that matches', async (groups, role) => {
    provider.user = { sub: 'bob', groups };
    expect(await complete()).toBe('/console');
    expect(await session()).toMatchObject({ session: { actor: 'user:bob', ...role } });
    const created = await admin('POST', '/issuers', { name: 'Not allowed' });
    expect(created.status).toBe(403);
    const seen = await admin('GET', `/images/${tenant.imageId}`);
    expect(seen.status).toBe(role.issuer_id === null ? 200 : 404);
  });

  it.each([[[]], [['Admins', 'admins ']], [''], ['admins,support']] as const)(
    'refuses a user of %j, who has no role',
    async (groups) => {
      provider.user = { sub: 'eve', groups };
      expect(await complete()).toBe('/console?sign_in=no_role');
      expect(await session()).toStrictEqual({ session: null, oidc: true });
    },
  );

  it('refuses a user who cancels', async () => {
    provider.user = null;
    expect(await complete()).toBe('/console?sign_in=refused');
    expect(cookies.values.has('pixseal_console')).toBe(false);
  });

  it('refuses a response of another sign-in, one that is used again, and one without its cookie', async () => {
    const foreign = await follow(start(), '/console/oidc/callback');
    cookies = new Cookies();
    expect((await visit(foreign)).headers.get('location')).toBe('/console?sign_in=expired');
    await visit(start());
    expect((await visit(foreign)).headers.get('location')).toBe('/console?sign_in=refused');
    expect(cookies.values.size).toBe(0);

    cookies = new Cookies();
    const callback = await follow(start(), '/console/oidc/callback');
    const kept = new Map(cookies.values);
    expect((await visit(callback)).headers.get('location')).toBe('/console');
    cookies.values.clear();
    for (const [name, value] of kept) cookies.values.set(name, value);
    expect((await visit(callback)).headers.get('location')).toBe('/console?sign_in=refused');
    const changed = callback.replace(/code=[^&]+/, 'code=another');
    for (const [name, value] of kept) cookies.values.set(name, value);
    expect((await visit(changed)).headers.get('location')).toBe('/console?sign_in=refused');
    expect(cookies.values.has('pixseal_console')).toBe(false);

    cookies = new Cookies();
    const late = await follow(start(), '/console/oidc/callback');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 601_000 });
    expect((await visit(late)).headers.get('location')).toBe('/console?sign_in=expired');
  });

  it('takes neither cookie for the other', async () => {
    await follow(start(), '/console/oidc/callback');
    const flow = cookies.values.get('pixseal_console_sign_in') ?? '';
    cookies.values.set('pixseal_console', flow);
    expect(await session()).toStrictEqual({ session: null, oidc: true });
    await complete();
    const own = cookies.values.get('pixseal_console') ?? '';
    cookies.values.set('pixseal_console_sign_in', own);
    const callback = `${service.url}/console/oidc/callback?code=x&state=y`;
    expect((await visit(callback)).headers.get('location')).toBe('/console?sign_in=expired');
  });

  it('refuses requests with the session that another site sends', async () => {
    await complete();
    const headers = { ...OWN, cookie: cookies.header(), 'sec-fetch-site': 'cross-site' };
    const response = await fetch(`${service.url}/admin/issuers`, { headers });
    expect(response.status).toBe(403);
  });

  it('signs out at the provider too, which gets the ID token that no script or log has', async () => {
    lines.length = 0;
    await complete();
    const document = JSON.stringify(await session());
    expect(JSON.parse(document)).toMatchObject({ session: { is_user: true } });
    const response = await visit(`${service.url}/console/oidc/sign-out`);
    expect(response.status).toBe(303);
    expect([response.headers.get('referrer-policy'), response.headers.get('cache-control')]).toStrictEqual([
      'no-referrer',
      'no-store',
    ]);
    const url = new URL(response.headers.get('location') ?? '');
    expect(url.origin + url.pathname).toBe(`${provider.issuer}/session/end`);
    const { id_token_hint: idToken = '', ...others } = Object.fromEntries(url.searchParams);
    expect(others).toStrictEqual({
      client_id: CLIENT.client_id,
      post_logout_redirect_uri: `${service.url}/console`,
    });
    expect(decodeJwt(idToken)).toMatchObject({ iss: provider.issuer, aud: CLIENT.client_id, sub: 'ada' });
    const [, , signature = ''] = idToken.split('.');
    expect(lines.length).toBeGreaterThan(2);
    for (const text of [document, ...lines, ...cookies.lines]) expect(text).not.toContain(signature);
    expect(cookies.lines.at(-1)).toBe('pixseal_console=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict');
    expect(await session()).toStrictEqual({ session: null, oidc: true });
    const again = await visit(`${service.url}/console/oidc/sign-out`);
    expect(again.headers.get('location')).toBe('/console');
  });

  it('signs out without an ID token that is too long for a cookie', async () => {
    provider.user = {
      sub: 'ada',
      groups: ['admins', ...Array.from({ length: 100 }, (_, index) => `a group of many ${index}`)],
    };
    expect(await complete()).toBe('/console');
    expect(await session()).toMatchObject({ session: { actor: 'user:ada' } });
    expect(cookies.lines.at(-1)?.length).toBeLessThan(1_000);
    const { headers } = await visit(`${service.url}/console/oidc/sign-out`);
    const { searchParams } = new URL(headers.get('location') ?? '');
    expect(Object.fromEntries(searchParams)).toStrictEqual({
      client_id: CLIENT.client_id,
      post_logout_redirect_uri: `${service.url}/console`,
    });
  });

  it('signs out for no other site', async () => {
    await complete();
    for (const site of ['cross-site', 'same-site']) {
      const response = await fetch(`${service.url}/console/oidc/sign-out`, {
        redirect: 'manual',
        headers: { cookie: cookies.header(), 'sec-fetch-site': site },
      });
      expect([response.status, response.headers.getSetCookie()]).toStrictEqual([403, []]);
    }
    expect(await session()).toMatchObject({ session: { actor: 'user:ada' } });
  });

  it('signs out here alone if the provider has no such page or is unavailable, or with an admin key', async () => {
    const plain = await startOidcProvider();
    const variables = {
      ...{ CONSOLE: 'on', OIDC_ISSUER: plain.issuer, OIDC_CLIENT_ID: CLIENT.client_id },
      ...{ OIDC_CLIENT_SECRET: CLIENT.client_secret, OIDC_ROLES: ROLES },
    };
    const own = await startService(variables);
    const cutOff = await startService({ ...variables, OIDC_ISSUER: 'http://127.0.0.1:1/' });
    onTestFinished(async () => {
      for (const each of [own, cutOff, plain]) await each.close();
    });
    plain.register(`${own.url}/console/oidc/callback`);
    plain.user = { sub: 'ada', groups: ['admins'] };
    await visit(await follow(`${own.url}/console/oidc/sign-in`, '/console/oidc/callback'));
    const ofUser = cookies.values.get('pixseal_console') ?? '';
    const body = JSON.stringify({ key: ADMIN_KEY });
    cookies.read(await fetch(`${service.url}/console/session`, { method: 'POST', headers: OWN, body }));
    const ofKey = cookies.values.get('pixseal_console') ?? '';
    for (const [at, cookie] of [
      [own, ofUser],
      [cutOff, ofUser],
      [service, ofKey],
    ] as const) {
      cookies.values.set('pixseal_console', cookie);
      const response = await visit(`${at.url}/console/oidc/sign-out`);
      expect([response.status, response.headers.get('location')]).toStrictEqual([303, '/console']);
      expect(cookies.values.has('pixseal_console')).toBe(false);
    }
  });

  it('reports that the provider is unavailable, or that none is set', async () => {
    for (const variables of [
      {
        OIDC_ISSUER: 'http://127.0.0.1:1/',
        OIDC_CLIENT_ID: 'x',
        OIDC_CLIENT_SECRET: 'y',
        OIDC_ROLES: ROLES,
      },
      {},
    ]) {
      const other = await startService({ CONSOLE: 'on', ...variables });
      try {
        for (const path of ['sign-in', 'callback?code=x&state=y']) {
          const response = await visit(`${other.url}/console/oidc/${path}`);
          expect(response.status).toBe(303);
          expect(response.headers.get('location')).toMatch(/^\/console\?sign_in=(unavailable|expired)$/);
        }
      } finally {
        await other.close();
      }
    }
  });

  it.runIf(hasBrowser()).each(LOOKS)(
    'has no serious issue in %s, %d pixels wide',
    async (colorScheme, width) => {
      const browser = await launchBrowser();
      try {
        const viewport = { width, height: 844 };
        const page = await (
          await browser.newContext({ colorScheme, viewport, reducedMotion: 'reduce' })
        ).newPage();
        for (const fault of ['', '?sign_in=no_role']) {
          await page.goto(`${service.url}/console${fault}`);
          await page.getByRole('link', { name: 'Sign in with your organization’s account' }).waitFor();
          await expectAccessible(page, width);
        }
      } finally {
        await browser.close();
      }
    },
  );

  it.runIf(hasBrowser())('works in a browser, which then signs out', async () => {
    const browser = await launchBrowser();
    try {
      const page = await (await browser.newContext()).newPage();
      provider.user = { sub: 'eve', groups: [] };
      await page.goto(`${service.url}/console`);
      await page.getByRole('link', { name: 'Sign in with your organization’s account' }).click();
      await page.getByRole('alert').getByText('Your account has no role here').waitFor();
      await page.context().clearCookies();
      provider.user = { sub: 'ada', groups: ['admins'] };
      await page.getByRole('link', { name: 'Sign in with your organization’s account' }).click();
      await page.getByText('user:ada').waitFor();
      await page.getByRole('link', { name: 'Bound' }).waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('button', { name: 'Yes, sign me out' }).click();
      await page.getByLabel('Admin key').waitFor();
      expect(page.url()).toBe(`${service.url}/console`);
      expect((await page.context().cookies()).map(({ name }) => name)).not.toContain('pixseal_console');
    } finally {
      await browser.close();
    }
  });
});
