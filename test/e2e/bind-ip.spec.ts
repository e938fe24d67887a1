import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { problem, request, type HttpResponse } from '../support/http.js';
import { createRandomTenant, type Tenant } from '../support/seed.js';
import { startService, type Service } from '../support/service.js';

const OFFICE = ['192.0.2.0/24', '2001:db8::/32'];
const REFUSED = problem(
  403,
  'address_not_in_token',
  expect.stringMatching(/bound to other addresses/) as string,
);

let service: Service;
let tenant: Tenant;

beforeAll(async () => {
  service = await startService({ TRUST_PROXY: '1' });
});
afterAll(() => service.close());
beforeEach(async () => {
  tenant = await createRandomTenant(service);
  await setPolicy(service, tenant, { bind_ip: true });
});

async function setPolicy(at: Service, { issuerId }: Tenant, policy: object): Promise<void> {
  expect((await at.admin('PATCH', `/issuers/${issuerId}`, { policy })).status).toBe(200);
}

const from = (address: string, path: string, at = service): Promise<HttpResponse> =>
  at.image(path, { headers: { 'x-forwarded-for': address } });

describe('a token with bind_ip', () => {
  it.each(['192.0.2.7', '::ffff:192.0.2.7', '192.0.2.7:54321', '2001:db8:5::1', '[2001:db8::1]:443'])(
    'opens its image to %s',
    async (address) => {
      expect((await from(address, tenant.path({ bind_ip: OFFICE }))).status).toBe(302);
    },
  );

  it.each(['198.51.100.7', '192.0.3.1', '2001:db9::1', '::1', 'unknown', '192.0.2.7, 198.51.100.7'])(
    'is refused to %s',
    async (address) => {
      const refused = await from(address, tenant.path({ bind_ip: OFFICE }));
      expect(refused.json()).toStrictEqual(REFUSED);
      expect(refused.headers['cache-control']).toBe('no-cache, no-store');
    },
  );

  it('trusts no more proxies than TRUST_PROXY', async () => {
    const path = tenant.path({ bind_ip: OFFICE });
    // The last proxy wrote the second address; the client wrote the first.
    expect((await from('192.0.2.7, 198.51.100.7', path)).status).toBe(403);
    expect((await from('198.51.100.7, 192.0.2.7', path)).status).toBe(302);
    const direct = await startService();
    onTestFinished(() => direct.close());
    const own = await createRandomTenant(direct);
    await setPolicy(direct, own, { bind_ip: true });
    expect((await from('192.0.2.7', own.path({ bind_ip: OFFICE }), direct)).status).toBe(403);
    expect((await from('192.0.2.7', own.path({ bind_ip: '127.0.0.1' }), direct)).status).toBe(302);
  });

  it('is checked at each request, also of a cached redirect', async () => {
    const path = tenant.path({ bind_ip: OFFICE });
    for (let round = 0; round < 4; round += 1) {
      expect((await from('192.0.2.7', path)).status).toBe(302);
      expect((await from('198.51.100.7', path)).json()).toStrictEqual(REFUSED);
    }
  });

  it('is checked for explanations and deliveries, whose responses contain the signed URL', async () => {
    const token = tenant.sign({ bind_ip: OFFICE });
    const explain = (address: string): Promise<HttpResponse> =>
      service.get(`/images/${tenant.imageId}/explain?token=${token}`, { 'x-forwarded-for': address });
    expect((await explain('192.0.2.7')).status).toBe(200);
    expect((await explain('198.51.100.7')).json()).toStrictEqual(REFUSED);
    const deliver = async (address: string): Promise<unknown> => {
      const received = await request({
        port: service.port,
        path: '/deliveries',
        method: 'POST',
        headers: { 'x-forwarded-for': address },
        body: {
          deliveries: [
            { token, image_id: tenant.imageId },
            { token: tenant.sign(), image_id: tenant.imageId },
          ],
        },
      });
      const { deliveries } = received.json() as { deliveries: { problem?: object; url?: string }[] };
      return deliveries.map(({ problem: refused, url }) => refused ?? typeof url);
    };
    expect(await deliver('192.0.2.7')).toStrictEqual(['string', 'string']);
    expect(await deliver('198.51.100.7')).toStrictEqual([REFUSED, 'string']);
  });

  it('is refused where the policy does not have the rule, and never ignored', async () => {
    const path = tenant.path({ bind_ip: OFFICE });
    expect((await from('192.0.2.7', path)).status).toBe(302);
    for (const policy of [{}, { bind_ip: false }, { lenient: true }]) {
      await setPolicy(service, tenant, policy);
      expect((await from('192.0.2.7', path)).json()).toMatchObject({
        status: 403,
        code: 'policy_violation',
        rule: 'bind_ip',
        limit: false,
      });
    }
  });
});
