import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertLocation, parseLocation } from '../support/location-parser.js';
import { request } from '../support/http.js';
import { createSeedTenant, SEED, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

const APPROVED = { layers: [`private:${SEED.overlayPublicId}`], images: [SEED.publicId] };
const SEED_URL =
  'http://example.org/assets/blank.jpg#https://res.cloudinary.com/sadaasdasd/image/authenticated/s--sx5QdeQ8--/c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto/fl_tiled,l_private:d47e609177b4,w_200/c_fit,h_102,w_101/v123123/ba5a440dbe3d.jpg';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService();
  tenant = await createSeedTenant(service);
});
afterAll(() => service.close());

function seedRequest(method = 'GET'): ReturnType<typeof request> {
  const token = tenant.sign({ transformations: SEED.transformations, sharinpix: {} });
  return request({
    port: service.port,
    path: `/images/${SEED.imageId}?token=${token}`,
    method,
    headers: { host: 'example.org', cookie: '' },
  });
}

/** The seed's URL under this suite's API secret: the signature alone differs. */
function resigned(location: string): string {
  return SEED_URL.replace('sx5QdeQ8', parseLocation(location).signature);
}

describe('the seed', () => {
  it('gets exactly the documented response: status, every header, body', async () => {
    const response = await seedRequest();
    const location = response.headers.location ?? '';

    assertLocation(location, { ...APPROVED, steps: 2 });
    expect(location).toBe(resigned(location));
    expect(response.status).toBe(302);
    expect(response.text).toBe(
      `<html><body>You are being <a href="${location}">redirected</a>.</body></html>`,
    );

    const headers = Object.fromEntries(
      Array.from({ length: response.rawHeaders.length / 2 }, (_, index) =>
        response.rawHeaders.slice(2 * index, 2 * index + 2),
      ),
    ) as Record<string, string>;
    const { 'X-Request-Id': requestId, 'X-Runtime': runtime, ...rest } = headers;
    expect(requestId).toMatch(UUID);
    expect(runtime).toMatch(/^\d+\.\d{6}$/);
    expect(rest).toStrictEqual({
      'Cache-Control': 'no-cache, no-store',
      Pragma: 'no-cache',
      Expires: 'Fri, 01 Jan 1990 00:00:00 GMT',
      'Access-Control-Allow-Origin': '*',
      Location: location,
      'Content-Type': 'text/html; charset=utf-8',
      Vary: 'Accept-Encoding',
      P3P: 'CP="NOI ADM DEV PSAi COM NAV OUR OTRo STP IND DEM"',
      'X-Content-Type-Options': 'nosniff',
      'X-XSS-Protection': '1; mode=block',
      'X-Download-Options': 'noopen',
      'X-Permitted-Cross-Domain-Policies': 'none',
      'Referrer-Policy': 'origin-when-cross-origin, strict-origin-when-cross-origin',
      'Content-Length': '311',
      // The connection's own headers, which the seed's document does not mention.
      Date: headers['Date'],
      Connection: 'keep-alive',
      'Keep-Alive': headers['Keep-Alive'],
    });
  });

  it('gets for HEAD the response without a body', async () => {
    const [head, get] = [await seedRequest('HEAD'), await seedRequest('GET')];
    expect(head.status).toBe(302);
    expect(head.text).toBe('');
    const volatile = { 'x-request-id': '', 'x-runtime': '', date: '' };
    expect({ ...head.headers, ...volatile }).toStrictEqual({ ...get.headers, ...volatile });
  });
});
