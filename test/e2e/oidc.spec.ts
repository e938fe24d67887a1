import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { CLIENT, type OidcProvider, startOidcProvider } from '../support/oidc-provider.js';
import { createRandomTenant, type Tenant } from '../support/seed.js';
import { type Service, startService } from '../support/service.js';

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

  beforeAll(async () => {
    provider = await startOidcProvider();
    service = await startService({
      CONSOLE: 'on',
      OIDC_ISSUER: provider.issuer,
      OIDC_CLIENT_ID: CLIENT.client_id,
      OIDC_CLIENT_SECRET: CLIENT.client_secret,
      OIDC_ROLES: ROLES,
    });
    provider.register(`${service.url}/console/oidc/callback`);
    tenant = await createRandomTenant(service);
    await service.admin('POST', '/issuers', { id: ISSUER, name: 'Bound' });
  });
  afterAll(async () => {
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
      await page.getByLabel('Admin key').waitFor();
      expect((await page.context().cookies()).map(({ name }) => name)).not.toContain('pixseal_console');
    } finally {
      await browser.close();
    }
  });
});
