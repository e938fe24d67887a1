import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { sendForm } from '../originals/form.js';
import { drawPicture } from '../originals/pictures.js';
import { startUploadApi } from '../originals/upload-api.js';
import { readMetrics, sumOf } from '../support/metrics.js';
import { ownDatabase } from '../support/owned.js';
import { post } from '../support/seed.js';
import { API_SECRET, CLOUD, startService } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { waitUntil } from '../support/wait-until.js';

const UPLOADS = 3;

// The embedded database has no network that could be lost.
describe.runIf(inject('database').kind === 'postgres')('uploads beside a database that is silent', () => {
  it('get 503, and every connection of the pool is free again', async () => {
    const api = await startUploadApi({ cloudName: CLOUD, apiKey: '123456789012345', apiSecret: API_SECRET });
    onTestFinished(() => api.close());
    const database = await ownDatabase();
    const url = database.variables['DATABASE_URL'] ?? '';
    const proxy = await TcpProxy.before(url);
    onTestFinished(() => proxy.close());
    const service = await startService(
      { DELIVERY_MODE: 'cloudinary', CLOUDINARY_UPLOAD_PREFIX: api.url },
      { ...database, variables: { ...database.variables, DATABASE_URL: proxy.urlOf(url) } },
    );
    onTestFinished(() => service.close());
    const { id: issuer_id } = await post<{ id: string }>(service, '/issuers', { name: 'Stalled' });
    const picture = await drawPicture(1);
    const upload = (name: string): ReturnType<typeof sendForm> =>
      sendForm(service, '/images', { issuer_id, public_id: name, file: picture });
    const connections = async (state: string): Promise<number> =>
      sumOf(await readMetrics(service.port), 'pixseal_database_pool_connections', { state });

    // Connections that an upload takes before it finds out that the server does not respond.
    await Promise.all(Array.from({ length: 30 }, () => service.admin('GET', '/issuers')));
    expect(await connections('idle')).toBeGreaterThanOrEqual(UPLOADS);
    proxy.lose();
    const stalled = Array.from({ length: UPLOADS }, (_, index) => upload(`stalled-${index}`));
    for (const { status, json } of await Promise.all(stalled)) {
      expect([status, json['code']]).toStrictEqual([503, 'database_unavailable']);
    }
    expect(api.requests).toBe(0);

    proxy.restore();
    await waitUntil('no connection is in use', async () => (await connections('used')) === 0);
    await waitUntil('uploads are accepted again', async () => (await upload('later')).status === 201);
  });
});
