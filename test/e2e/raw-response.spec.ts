import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/http.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createTenant(service, { publicId: 'whole_image', overlayPublicId: 'whole_layer' });
});
afterAll(() => service.close());

/** The bytes of a response, without the parts that differ between requests. */
const constant = (text: string): string =>
  text
    .replace(/\r\nX-Request-Id: [\w-]+\r\n/i, '\r\nX-Request-Id: …\r\n')
    .replace(/\r\nX-Runtime: [\d.]+\r\n/i, '\r\nX-Runtime: …\r\n')
    .replace(/\r\nDate: [^\r]+\r\n/, '\r\nDate: …\r\n');

/** Two requests on one connection; the second is the last, so Node itself writes its response. */
async function both(method: string, path: string): Promise<readonly [string, string]> {
  const host = `Host: 127.0.0.1:${service.port}\r\n`;
  const { text } = await sendRaw(
    service.port,
    `${method} ${path} HTTP/1.1\r\n${host}\r\n${method} ${path} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
  );
  const second = text.indexOf('HTTP/1.1 ', 1);
  return [constant(text.slice(0, second)), constant(text.slice(second))];
}

describe('a response that is written as one text', () => {
  it.each(['GET', 'HEAD'])(
    'has the bytes of Node’s own, except for the connection’s headers: %s',
    async (method) => {
      const other = '00000000-0000-4000-8000-000000000000';
      const paths = {
        302: tenant.path(),
        401: `${tenant.path()}AA`,
        404: tenant.path({ image_id: other }),
        422: tenant.path({ transformations: [{ width: 'wíde’' }] }),
      };
      for (const [status, path] of Object.entries(paths)) {
        const [whole, own] = await both(method, path);
        expect(whole).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
        expect(whole).toMatch(/\r\nConnection: keep-alive\r\nKeep-Alive: timeout=\d+\r\n\r\n/);
        expect(own).toContain('\r\nConnection: close\r\n\r\n');
        expect(whole.replace(/Connection: keep-alive\r\nKeep-Alive: timeout=\d+/, 'Connection: close')).toBe(
          own,
        );
      }
    },
  );

  it('has the current date', async () => {
    const { headers } = await service.image(tenant.path());
    expect(Math.abs(Date.parse(headers.date ?? '') - Date.now())).toBeLessThan(5_000);
  });

  it('is not used for HTTP/1.0', async () => {
    const { text } = await sendRaw(
      service.port,
      `GET ${tenant.path()} HTTP/1.0\r\nHost: 127.0.0.1:${service.port}\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 302 Found\r\n/);
    expect(text).toContain('\r\nConnection: close\r\n');
  });

  it('is sent in the order of pipelined requests', async () => {
    const host = `Host: 127.0.0.1:${service.port}\r\n`;
    const sizes = Array.from({ length: 20 }, (_, index) => 100 + index);
    const requests = sizes.map(
      (width) => `GET ${tenant.path({ transformations: [{ width }] })} HTTP/1.1\r\n${host}\r\n`,
    );
    const last = `GET ${tenant.path()} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
    const { text } = await sendRaw(service.port, requests.join('') + last);
    const widths = [...text.matchAll(/Location: [^\r]*\/w_(\d+)\//g)].map(([, width]) => Number(width));
    expect(widths).toStrictEqual(sizes);
  });

  it.each([
    ['a length', (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`],
    [
      'chunks',
      (body: string) =>
        `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
  ])('discards a body of %s, and the next request gets its response', async (_, framed) => {
    const host = `Host: 127.0.0.1:${service.port}\r\n`;
    // More than an unread stream buffers.
    const withBody = `GET ${tenant.path()} HTTP/1.1\r\n${host}${framed('GET /images/x HTTP/1.1\r\n'.repeat(20_000))}`;
    const last = `GET ${tenant.path()} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
    const { text } = await sendRaw(service.port, withBody + withBody + last);
    expect(text.match(/HTTP\/1\.1 302 Found/g)).toHaveLength(3);
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(3);
  });
});
