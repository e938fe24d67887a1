import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { IssuerUsage } from '../../src/directory/issuer-usage.service.js';
import { createAdminKey } from '../support/admin-keys.js';
import { request } from '../support/http.js';
import { createRandomTenant, signWith, type Tenant } from '../support/seed.js';
import { type Service, startService } from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface UsageBody {
  readonly from: string;
  readonly to: string;
  readonly hours: readonly {
    readonly hour: string;
    readonly redirects: number;
    readonly refusals: number;
  }[];
}

describe('the usage of an issuer', () => {
  let service: Service;

  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.close());

  const usage = (): IssuerUsage => service.app.get(IssuerUsage, { strict: false });
  const sql = (text: string, parameters?: unknown[]): Promise<unknown> =>
    service.app.get(DataSource).query(text, parameters);
  const read = async (query: string): Promise<UsageBody> => {
    const response = await service.admin('GET', `/usage?${query}`);
    expect(response.status).toBe(200);
    return response.json() as UsageBody;
  };
  const totalOf = ({ hours }: UsageBody): object => ({
    redirects: hours.reduce((sum, { redirects }) => sum + redirects, 0),
    refusals: hours.reduce((sum, { refusals }) => sum + refusals, 0),
  });
  const of = async ({ issuerId }: Tenant): Promise<object> => totalOf(await read(`issuer_id=${issuerId}`));

  it('counts redirects, cached ones and deliveries included, and refusals of known issuers', async () => {
    const tenant = await createRandomTenant(service, 'public');
    for (let times = 0; times < 3; times += 1) {
      expect((await service.image(tenant.path())).status).toBe(302);
    }
    expect((await service.image(`/images/${tenant.imageId}`)).status).toBe(302);
    const deliveries = [{ token: tenant.sign({ image_id: tenant.imageId }) }, { token: 'x' }];
    await request({ port: service.port, path: '/deliveries', method: 'POST', body: { deliveries } });
    const forged = signWith('x'.repeat(32), { iss: tenant.issuerId });
    for (const token of [forged, tenant.sign({ exp: 1 }), 'x']) {
      expect((await service.get(`/images/${tenant.imageId}?token=${token}`)).status).toBe(401);
    }
    await service.get(`/images/${tenant.imageId}/explain?token=${tenant.sign()}`);
    expect(await of(tenant)).toStrictEqual({ redirects: 0, refusals: 0 });
    await usage().flush();
    await usage().flush();
    expect(await of(tenant)).toStrictEqual({ redirects: 5, refusals: 2 });

    await service.image(tenant.path());
    await usage().flush();
    expect(await of(tenant)).toStrictEqual({ redirects: 6, refusals: 2 });
  });

  it('is written periodically', async () => {
    const tenant = await createRandomTenant(service);
    await service.image(tenant.path());
    await waitUntil('it is written', async () =>
      (await read(`issuer_id=${tenant.issuerId}`)).hours.some(({ redirects }) => redirects === 1),
    );
  });

  it('waits for the database, in the hour in which it was counted', async () => {
    const tenant = await createRandomTenant(service);
    await usage().flush();
    usage().countRedirect(tenant.issuerId);
    const failing = vi.spyOn(service.app.get(DataSource), 'query').mockRejectedValue(new Error('gone'));
    await usage().flush();
    usage().countRefusal(tenant.issuerId);
    await usage().flush();
    failing.mockRestore();
    await usage().flush();
    expect(await of(tenant)).toStrictEqual({ redirects: 1, refusals: 1 });
  });

  it('has every hour of its range, and sums all issuers without an `issuer_id`', async () => {
    const [one, other] = [await createRandomTenant(service), await createRandomTenant(service)];
    const from = new Date(Math.floor(Date.now() / HOUR) * HOUR - 30 * DAY);
    const rows: [Tenant, number, number, number][] = [
      [one, 0, 5, 1],
      [one, 2, 7, 0],
      [other, 2, 10, 4],
      [one, 3, 99, 99],
    ];
    for (const [{ issuerId }, hour, ...counts] of rows) {
      const start = new Date(from.getTime() + hour * HOUR);
      await sql('INSERT INTO issuer_usage VALUES ($1, $2, $3, $4)', [issuerId, start, ...counts]);
    }
    const hourAt = (index: number): string => new Date(from.getTime() + index * HOUR).toISOString();
    const range = `from=${hourAt(0).replace(':00.000', ':59.5')}&to=${hourAt(2).replace('00:00.000', '00:01')}`;
    const all = {
      from: hourAt(0),
      to: hourAt(3),
      hours: [
        { hour: hourAt(0), redirects: 5, refusals: 1 },
        { hour: hourAt(1), redirects: 0, refusals: 0 },
        { hour: hourAt(2), redirects: 17, refusals: 4 },
      ],
    };
    expect(await read(range)).toStrictEqual(all);
    expect(await read(`${range}&issuer_id=${other.issuerId.toUpperCase()}`)).toStrictEqual({
      ...all,
      hours: all.hours.map(({ hour }, index) => ({
        hour,
        redirects: index === 2 ? 10 : 0,
        refusals: index === 2 ? 4 : 0,
      })),
    });
    const bound = await createAdminKey(service, { issuer_id: one.issuerId, scopes: ['read'] });
    const headers = { authorization: `Bearer ${bound.key}` };
    const own = await service.get(`/admin/usage?${range}`, headers);
    expect(own.json()).toMatchObject({ hours: [{ redirects: 5 }, {}, { redirects: 7, refusals: 0 }] });
    const foreign = await service.get(`/admin/usage?${range}&issuer_id=${other.issuerId}`, headers);
    expect(totalOf(foreign.json() as UsageBody)).toStrictEqual({ redirects: 0, refusals: 0 });
    expect((await service.get(`/admin/usage?${range}`)).status).toBe(401);
  });

  it('is that of the past 24 hours by default, the current one included', async () => {
    const { from, to, hours } = await read('');
    expect(hours).toHaveLength(24);
    expect(Date.parse(to) - Date.parse(from)).toBe(DAY);
    expect(Date.parse(to)).toBeGreaterThanOrEqual(Date.now());
    expect(await read(`to=9999-12-31T23:59:59.999Z`)).toMatchObject({ to });
  });

  const ago = (milliseconds: number): string => new Date(Date.now() - milliseconds).toISOString();
  it.each([
    [`from=${ago(8 * DAY)}`, 'from'],
    [`from=${ago(91 * DAY)}&to=${ago(90 * DAY)}`, 'from'],
    [`to=0001-01-01T00:00:00Z`, 'from'],
    [`from=${ago(HOUR)}&to=${ago(3 * HOUR)}`, 'from'],
    [`from=${ago(-3 * HOUR)}`, 'from'],
    ['from=yesterday', 'from'],
    ['issuer_id=x', 'issuer_id'],
    ['issuer=x', 'issuer'],
  ])('refuses %s', async (query, key) => {
    const response = await service.admin('GET', `/usage?${query}`);
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({ code: 'invalid_request', errors: [{ key }] });
  });

  it('is deleted after 90 days, and with its issuer', async () => {
    const tenant = await createRandomTenant(service);
    for (const days of [89, 91]) {
      await sql(`INSERT INTO issuer_usage VALUES ($1, now() - make_interval(days => $2), 1, 0)`, [
        tenant.issuerId,
        days,
      ]);
    }
    const fresh = new IssuerUsage(service.app.get(DataSource));
    await fresh.flush();
    const left = `SELECT redirects::int FROM issuer_usage WHERE issuer_id = $1`;
    expect(await sql(left, [tenant.issuerId])).toStrictEqual([{ redirects: 1 }]);
    await service.admin('DELETE', `/images/${tenant.imageId}`);
    await service.admin('DELETE', `/overlays/${tenant.overlayId}`);
    fresh.countRedirect(tenant.issuerId);
    expect((await service.admin('DELETE', `/issuers/${tenant.issuerId}`)).status).toBe(204);
    await fresh.flush();
    expect(await sql(left, [tenant.issuerId])).toStrictEqual([]);
  });
});
