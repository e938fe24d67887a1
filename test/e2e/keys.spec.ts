import { randomBytes, randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { DatabaseLookups } from '../../src/directory/database-lookups.service.js';
import { IssuerKeyUses } from '../../src/directory/issuer-key-uses.service.js';
import { StoredSecretsService, type RewrapResult } from '../../src/admin/issuers/stored-secrets.service.js';
import { SecretBox } from '../../src/platform/secrets/secret-box.js';
import { createAccount, createTenantOf } from '../support/accounts.js';
import { createRandomTenant, post, signWith, type Tenant } from '../support/seed.js';
import { waitUntil } from '../support/wait-until.js';
import { useRestartableService } from '../support/restartable-service.js';

interface KeyRow {
  readonly id: string;
  readonly uses: number;
  readonly last_used_at: string | null;
}

const OLD = randomBytes(32).toString('base64url');
const NEW = randomBytes(32).toString('hex');

const running = useRestartableService(OLD);
const { query, restart, flipLastBit, statusOf } = running;

async function keysOf({ issuerId }: Tenant): Promise<KeyRow[]> {
  return ((await running.service.admin('GET', `/issuers/${issuerId}`)).json() as { keys: KeyRow[] }).keys;
}

describe('the uses of a key', () => {
  const flush = (): Promise<void> => running.service.app.get(IssuerKeyUses, { strict: false }).flush();

  it('are counted for accepted tokens, with the time of the last', async () => {
    const tenant = await createRandomTenant(running.service);
    const other = await post<{ id: string }>(running.service, `/issuers/${tenant.issuerId}/keys`, {});
    const startedAt = Date.now();
    for (let uses = 0; uses < 3; uses += 1)
      expect((await running.service.image(tenant.path())).status).toBe(302);
    const refused = signWith('x'.repeat(32), { iss: tenant.issuerId });
    for (const token of [refused, tenant.sign({ exp: 1 }), 'x']) {
      expect(await statusOf(tenant, `/images/${tenant.imageId}?token=${token}`)).toBe(401);
    }
    await flush();
    const [unused, used] = await keysOf(tenant);
    expect(unused).toMatchObject({ id: other.id, uses: 0, last_used_at: null });
    expect(used).toMatchObject({ id: tenant.keyId, uses: 3 });
    const at = Date.parse(used?.last_used_at ?? '');
    expect(at).toBeGreaterThanOrEqual(startedAt);
    expect(at).toBeLessThanOrEqual(Date.now());

    await running.service.image(tenant.path());
    await flush();
    await flush();
    expect((await keysOf(tenant))[1]).toMatchObject({ uses: 4 });
  });

  it('are written periodically', async () => {
    const tenant = await createRandomTenant(running.service);
    await running.service.image(tenant.path());
    await waitUntil('it is written', async () => (await keysOf(tenant))[0]?.uses === 1);
  });

  it('are written at the shutdown', async () => {
    const tenant = await createRandomTenant(running.service);
    await running.service.image(tenant.path());
    await restart(OLD);
    expect(await keysOf(tenant)).toMatchObject([{ id: tenant.keyId, uses: 1 }]);
  });

  it('of a revoked key are dropped, and do not block those of other keys', async () => {
    const [tenant, other] = [
      await createRandomTenant(running.service),
      await createRandomTenant(running.service),
    ];
    await running.service.image(tenant.path());
    await running.service.image(other.path());
    await running.service.admin('DELETE', `/issuers/${tenant.issuerId}/keys/${tenant.keyId}`);
    await flush();
    expect(await keysOf(other)).toMatchObject([{ uses: 1 }]);
    expect(await query('SELECT FROM issuer_key_uses WHERE key_id = $1', [tenant.keyId])).toStrictEqual([]);
  });

  it('do not reload the issuer in any directory', async () => {
    const tenant = await createRandomTenant(running.service);
    const run = vi.spyOn(running.service.app.get(DatabaseLookups), 'run');
    await waitUntil('a write is followed by no look-up', async () => {
      await running.service.image(tenant.path());
      await flush();
      run.mockClear();
      await running.service.image(tenant.path());
      return run.mock.calls.length === 0;
    });
  });

  it('that cannot be written are kept for the next time', async () => {
    const tenant = await createRandomTenant(running.service);
    await running.service.image(tenant.path());
    const broken = vi
      .spyOn(running.service.app.get(DataSource), 'query')
      .mockRejectedValueOnce(new Error('connection lost'));
    await flush();
    broken.mockRestore();
    await running.service.image(tenant.path());
    await flush();
    expect(await keysOf(tenant)).toMatchObject([{ uses: 2 }]);
  });
});

describe('a rewrap', () => {
  const rewrap = (): Promise<RewrapResult> =>
    running.service.app.get(StoredSecretsService, { strict: false }).rewrap();

  it('encrypts every secret with the first key, so that the others can be removed', async () => {
    const tenants = [await createRandomTenant(running.service), await createRandomTenant(running.service)];
    await restart(`${NEW},${OLD}`);
    const created = await createRandomTenant(running.service);
    expect(await rewrap()).toStrictEqual({ rewrapped: 2, already: 1, failed: [] });
    for (const tenant of [...tenants, created]) expect(await statusOf(tenant)).toBe(302);
    expect(await rewrap()).toStrictEqual({ rewrapped: 0, already: 3, failed: [] });
    await restart(NEW);
    for (const tenant of [...tenants, created]) expect(await statusOf(tenant)).toBe(302);
  });

  it('encrypts the secrets of accounts and their auth token keys too', async () => {
    const account = await createAccount(running.service, 'agency', { auth_token_key: '0f'.repeat(16) });
    const tenant = await createTenantOf(running.service, account.id, 'image', 'layer');
    const location = async (): Promise<string | undefined> =>
      (await running.service.get(tenant.path({ exp: 4_000_000_000 }))).headers.location?.split('#')[1];
    const before = await location();
    expect(before).toContain('__cld_token__');
    await restart(`${NEW},${OLD}`);
    expect(await rewrap()).toStrictEqual({ rewrapped: 3, already: 0, failed: [] });
    await restart(NEW);
    expect(await location()).toBe(before);
  });

  it('leaves a secret that cannot be decrypted, and names it', async () => {
    const [tenant, other] = [
      await createRandomTenant(running.service),
      await createRandomTenant(running.service),
    ];
    await flipLastBit(tenant);
    await restart(`${NEW},${OLD}`);
    expect(await rewrap()).toStrictEqual({ rewrapped: 1, already: 0, failed: [tenant.keyId] });
    expect(await statusOf(other)).toBe(302);
    expect(await statusOf(tenant)).toBe(503);
  });

  it('resumes where it stopped', async () => {
    const { issuerId } = await createRandomTenant(running.service);
    const box = running.service.app.get(SecretBox, { strict: false });
    for (let created = 1; created < 250; created += 1) {
      const id = randomUUID();
      await query('INSERT INTO issuer_keys (id, issuer_id, secret) VALUES ($1, $2, $3)', [
        id, issuerId, box.encrypt(randomBytes(32), ['issuer_keys.secret', issuerId, id]),
      ]); // prettier-ignore
    }
    await restart(`${NEW},${OLD}`);
    const secrets = running.service.app.get(SecretBox, { strict: false });
    const seal = secrets.encrypt.bind(secrets);
    let left = 150;
    vi.spyOn(secrets, 'encrypt').mockImplementation((...args) => {
      if (left-- === 0) throw new Error('killed');
      return seal(...args);
    });
    await expect(rewrap()).rejects.toThrow('killed');
    vi.restoreAllMocks();
    expect(await rewrap()).toStrictEqual({ rewrapped: 150, already: 100, failed: [] });
    await restart(NEW);
  });
});
