import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAccount, createTenantOf } from '../support/accounts.js';
import { createRandomTenant, post, signWith } from '../support/seed.js';
import { spawnBuilt } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';
import { waitUntil } from '../support/wait-until.js';
import { useRestartableService } from '../support/restartable-service.js';

const OLD = randomBytes(32).toString('base64url');
const UNKNOWN = randomBytes(32).toString('base64url');

const running = useRestartableService(OLD);
const { query, restart, start, stop, flipLastBit, statusOf } = running;

describe('a stored secret', () => {
  const UNAVAILABLE = { status: 503, code: 'issuer_unavailable' };

  it('with a flipped bit disables only its key', async () => {
    const [tenant, other] = [
      await createRandomTenant(running.service),
      await createRandomTenant(running.service),
    ];
    const second = await post<{ id: string; secret: string }>(
      running.service,
      `/issuers/${tenant.issuerId}/keys`,
      {},
    );
    await flipLastBit(tenant);
    await waitUntil('it is seen', async () => (await statusOf(tenant)) === 503);
    const response = await running.service.image(tenant.path());
    expect(response.json()).toMatchObject(UNAVAILABLE);
    expect(response.headers['retry-after']).toBe('60');
    expect((await running.service.image(other.path())).status).toBe(302);
    // The issuer's other key still verifies its own tokens.
    const token = signWith(second.secret, { iss: tenant.issuerId });
    expect((await running.service.image(`/images/${tenant.imageId}?token=${token}`)).status).toBe(302);
    // A forged token cannot be distinguished from a valid one of the disabled key.
    const forged = signWith('x'.repeat(32), { iss: tenant.issuerId });
    expect(await statusOf(tenant, `/images/${tenant.imageId}?token=${forged}`)).toBe(503);
    expect((await running.service.get('/health/ready')).status).toBe(200);

    await restart(OLD);
    expect(await statusOf(tenant)).toBe(503);
    expect(await statusOf(other)).toBe(302);
    await running.service.admin('DELETE', `/issuers/${tenant.issuerId}/keys/${tenant.keyId}`);
    expect(await statusOf(tenant)).toBe(401);
  });

  it('moved to another row cannot be decrypted there', async () => {
    const [tenant, thief] = [
      await createRandomTenant(running.service),
      await createRandomTenant(running.service),
    ];
    await query(
      'UPDATE issuer_keys SET secret = (SELECT secret FROM issuer_keys WHERE id = $1) WHERE id = $2',
      [tenant.keyId, thief.keyId],
    );
    await waitUntil('it is seen', async () => (await statusOf(thief)) === 503);
    const token = signWith(tenant.secret, { iss: thief.issuerId });
    expect(await statusOf(thief, `/images/${thief.imageId}?token=${token}`)).toBe(503);
    expect((await running.service.image(tenant.path())).status).toBe(302);
  });

  it('is in no table in clear text', async () => {
    const tenant = await createRandomTenant(running.service);
    const rows = await query<object[]>('SELECT * FROM issuer_keys');
    const dump = Buffer.from(JSON.stringify(rows, (_, value: unknown) => value)).toString();
    expect(dump).not.toContain(tenant.secret);
    const [{ secret = Buffer.alloc(0) } = {}] = await query<{ secret?: Buffer }[]>(
      'SELECT secret FROM issuer_keys WHERE id = $1', [tenant.keyId],
    ); // prettier-ignore
    expect(secret.includes(Buffer.from(tenant.secret))).toBe(false);
    expect(secret.includes(Buffer.from(tenant.secret, 'base64url'))).toBe(false);
  });
});

describe('a start', () => {
  it('is refused with a SECRETS_KEY that lacks a key, naming variable and row and no value', async () => {
    const tenant = await createRandomTenant(running.service);
    await stop();
    const refused = await start(UNKNOWN).then(
      () => 'it started',
      (error: unknown) => (error as Error).message,
    );
    expect(refused).toMatch(/^SECRETS_KEY lacks the key of 1 stored secrets/);
    expect(refused).toContain(tenant.keyId);
    for (const value of [OLD, UNKNOWN, tenant.secret]) expect(refused).not.toContain(value);
    await start(`${UNKNOWN},${OLD}`);
    expect(await statusOf(tenant)).toBe(302);
  });

  it('is refused with a SECRETS_KEY that lacks the key of an account’s secret', async () => {
    const account = await createAccount(running.service, 'agency');
    await stop();
    await expect(start(UNKNOWN)).rejects.toThrow(/^SECRETS_KEY lacks the key of 1 stored secrets/);
    await start(`${UNKNOWN},${OLD}`);
    const tenant = await createTenantOf(running.service, account.id, 'image', 'layer');
    expect(await statusOf(tenant)).toBe(302);
  });

  it.each([
    ['wrong', UNKNOWN],
    ['missing', ''],
  ])('of the process exits with 1 with a %s SECRETS_KEY', async (_, secretsKey) => {
    const tenant = await createRandomTenant(running.service);
    await stop();
    const variables = { ...TEST_VARIABLES, ...running.database.variables, SECRETS_KEY: secretsKey };
    const { code, stdout, stderr } = await spawnBuilt('server/main.js', variables).exited;
    expect({ code, stdout }).toStrictEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^Pixseal did not start\. [^]*SECRETS_KEY (lacks the key of|is required)/);
    for (const value of [OLD, UNKNOWN, tenant.secret]) expect(stderr).not.toContain(value);
    await start(OLD);
    expect(await statusOf(tenant)).toBe(302);
  });

  it('is refused if everything encrypted with a key was altered', async () => {
    await flipLastBit(await createRandomTenant(running.service));
    await flipLastBit(await createRandomTenant(running.service));
    await stop();
    await expect(start(OLD)).rejects.toThrow(
      /^None of the 2 secrets stored under a key of SECRETS_KEY can be decrypted/,
    );
  });
});
