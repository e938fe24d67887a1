import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { type HttpResponse, problem, request, sendRaw } from '../support/http.js';
import { documentBlock } from '../support/readme.js';
import { createRandomTenant, createSeedTenant, SEED, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
});
afterAll(() => service.close());

const pathOf = (id = tenant.imageId): string => `/images/${id}`;
const send = (
  path: string,
  authorization?: string,
  method = 'GET',
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpResponse> =>
  request({
    port: service.port,
    path,
    method,
    headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
  });
/** A response without what differs each time. */
const stable = ({ status, rawHeaders, text }: HttpResponse): unknown => ({
  status,
  text,
  headers: rawHeaders.filter(
    (_, at) => !/^(x-request-id|x-runtime|date)$/i.test(rawHeaders[at - (at % 2)] ?? ''),
  ),
});

describe('a token in `Authorization: Bearer`', () => {
  it.each([['GET'], ['HEAD']])(
    'gets the same response to %s as in the query, cached or not',
    async (method) => {
      const token = tenant.sign({ transformations: SEED.transformations, nonce: method });
      const inQuery = stable(await send(`${pathOf()}?token=${token}`, undefined, method));
      expect(inQuery).toMatchObject({ status: 302 });
      for (const scheme of ['Bearer', 'bearer', 'BEARER ', 'Bearer  ']) {
        expect(stable(await send(pathOf(), `${scheme} ${token}`, method))).toStrictEqual(inQuery);
      }
    },
  );

  it('leads where the service’s own rules allow', async () => {
    const token = tenant.sign({ transformations: [{ width: 5 }] });
    const { headers } = await send(pathOf(), `Bearer ${token}`);
    const shown = service.assertAllowed(String(headers.location), tenant.imageId, token);
    expect(shown.components.at(-1)).toBe('w_5');
  });

  it('is explained', async () => {
    const token = tenant.sign({ transformations: [{ width: 5 }] });
    const [inHeader, inQuery] = [
      await send(`${pathOf()}/explain`, `Bearer ${token}`),
      await send(`${pathOf()}/explain?token=${token}`),
    ];
    expect([inHeader.status, inHeader.json()]).toStrictEqual([200, inQuery.json()]);
  });

  it('names the image, as in the query', async () => {
    const token = tenant.sign({ image_id: tenant.imageId });
    expect((await send('/images/photo.jpg', `Bearer ${token}`)).status).toBe(302);
  });

  it('is refused beside a token in the query, even if they are equal', async () => {
    const token = tenant.sign();
    const refused = problem(
      400,
      'two_tokens',
      'Pass the token as `?token=` or as `Authorization: Bearer TOKEN`, not as both.',
    );
    for (const query of [token, '', 'x', `${token}&token=${token}`]) {
      for (const path of [pathOf(), `${pathOf()}/explain`]) {
        const response = await send(`${path}?token=${query}`, `Bearer ${token}`);
        expect([response.status, response.json()]).toStrictEqual([400, refused]);
      }
    }
  });

  it.each([
    ['empty', 'Bearer'],
    ['empty, with a space', 'Bearer '],
    ['malformed', 'Bearer a.b'],
    ['forged', 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA'],
    ['in quotes', 'Bearer "a.b.c"'],
    ['two tokens', 'Bearer a.b.c a.b.c'],
  ])('that is %s is refused', async (_, authorization) => {
    const response = await send(pathOf(), authorization);
    expect([response.status, response.json()]).toMatchObject([401, { code: 'invalid_token' }]);
    expect(response.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
  });

  it('is refused if the header is repeated', async () => {
    const line = `Authorization: Bearer ${tenant.sign()}\r\n`;
    const { status, body } = await sendRaw(
      service.port,
      `GET ${pathOf()} HTTP/1.1\r\nHost: x\r\n${line}${line}Connection: close\r\n\r\n`,
    );
    expect([status, JSON.parse(body)]).toMatchObject([401, { code: 'invalid_token' }]);
  });

  it('is refused in another scheme, which has no effect beside a token in the query', async () => {
    const token = tenant.sign();
    for (const scheme of ['Basic dTpw', `Token ${token}`, `Bearertoken ${token}`, token]) {
      expect((await send(pathOf(), scheme)).json()).toMatchObject({ status: 401, code: 'token_required' });
      expect((await send(`${pathOf()}?token=${token}`, scheme)).status).toBe(302);
    }
  });

  it('admits no item of /deliveries, which have their own', async () => {
    const body = { deliveries: [{ image_id: tenant.imageId }] };
    const { status, json } = await request({
      port: service.port,
      path: '/deliveries',
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.sign()}` },
      body,
    });
    expect([status, json()]).toMatchObject([200, { deliveries: [{ problem: { code: 'token_required' } }] }]);
  });
});

describe('caches', () => {
  it('store no redirect of one token for another', async () => {
    const owner = await createRandomTenant(service, 'public');
    const policy = { redirect_cache: 'private', redirect_max_age: 60 };
    const patched = await service.admin('PATCH', `/issuers/${owner.issuerId}`, { policy });
    expect([patched.status, patched.text]).toMatchObject([
      200,
      expect.stringContaining('redirect') as string,
    ]);
    const token = owner.sign({ exp: Math.floor(Date.now() / 1000) + 600 });
    for (const response of [
      await send(pathOf(owner.imageId), `Bearer ${token}`),
      await send(pathOf(owner.imageId)),
      await send(`${pathOf(owner.imageId)}?token=${token}`),
    ]) {
      expect(response.headers).toMatchObject({
        'cache-control': expect.stringMatching(/^private, max-age=(59|60)$/) as string,
        vary: 'Accept-Encoding, Authorization',
        'access-control-allow-origin': '*',
      });
    }
  });

  it('store nothing without such a policy, nor a refusal', async () => {
    for (const authorization of [`Bearer ${tenant.sign()}`, 'Bearer x', undefined]) {
      const { headers } = await send(pathOf(), authorization);
      expect(headers['cache-control']).toBe('no-cache, no-store');
    }
  });
});

describe('a preflight request', () => {
  const preflight = (path: string): Promise<HttpResponse> =>
    send(path, undefined, 'OPTIONS', {
      origin: 'https://shop.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    });

  it('allows `Authorization` for every page, without a token', async () => {
    for (const path of [pathOf(), '/images/photo.jpg', `${pathOf()}/explain`, '/assets/blank.jpg']) {
      const { status, headers, text } = await preflight(path);
      expect({ status, text }).toStrictEqual({ status: 204, text: '' });
      expect(headers).toMatchObject({
        'access-control-allow-origin': '*',
        'access-control-allow-methods': 'GET, HEAD',
        'access-control-allow-headers': 'Authorization',
        'access-control-max-age': '86400',
      });
      expect(headers).not.toHaveProperty('access-control-allow-credentials');
    }
  });

  it('is refused for every other route', async () => {
    for (const path of ['/admin/issuers', '/deliveries', '/images', '/health/live']) {
      const { status, headers } = await preflight(path);
      expect(status).toBe(404);
      expect(headers).not.toHaveProperty('access-control-allow-headers');
    }
  });
});

describe.runIf(hasBrowser())('fetch on a page of another origin', () => {
  it('sends the token in the header, and follows the redirect to the image', async () => {
    const site = createServer((_, response) => response.end('<!doctype html><title>A shop</title>'));
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    const browser = await launchBrowser();
    onTestFinished(async () => {
      await browser.close();
      site.close();
    });
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
    // The program of the document, as a page runs it.
    const block = documentBlock('docs/tokens.md', 'In the header / js 1');
    const names = { pixseal: service.url, imageId: tenant.imageId, token: tenant.sign() };
    // As text: this code is not the service's, and knows a document.
    const shown = await page.evaluate(`new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve([image.naturalWidth > 0, image.src.startsWith('blob:')]);
      image.onerror = reject;
      Object.assign(globalThis, ${JSON.stringify(names)}, { image });
      const script = document.createElement('script');
      script.type = 'module';
      script.textContent = ${JSON.stringify(block)};
      document.head.append(script);
    })`);
    expect(shown).toStrictEqual([true, true]);
    const load = (token: string): Promise<unknown> =>
      page.evaluate(
        async ([url, authorization]) => {
          const response = await fetch(url, { headers: { authorization } });
          const { size, type } = await response.blob();
          return { status: response.status, redirected: response.redirected, type, isEmpty: size === 0 };
        },
        [`${service.url}${pathOf()}`, `Bearer ${token}`] as const,
      );
    expect(await load(tenant.sign())).toStrictEqual({
      status: 200,
      redirected: true,
      type: 'image/jpeg',
      isEmpty: false,
    });
    expect(await load('forged')).toMatchObject({
      status: 401,
      type: 'application/problem+json; charset=utf-8',
    });
  }, 60_000);
});
