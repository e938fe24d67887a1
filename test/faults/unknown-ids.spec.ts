import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { FIGURE } from '../support/figures.reporter.js';
import { comparable, request, type HttpResponse } from '../support/http.js';
import { requestAdmin, createServedImage, ownDatabase } from '../support/owned.js';
import { ownProcess } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** Clients that request without a pause. */
const CLIENTS = 400;
/** Milliseconds of latency in each direction: a separate query for each id would fill the pool. */
const LATENCY = 25;
const UNCACHED = 40;

// The embedded database has one connection, and no network.
describe.runIf(inject('database').kind === 'postgres')('a flood of unknown ids without a token', () => {
  it('takes no connection from uncached look-ups of valid tokens, and gets one response for all ids', async ({
    annotate,
  }) => {
    const database = await ownDatabase();
    const url = database.variables['DATABASE_URL'] ?? '';
    const proxy = await TcpProxy.before(url);
    onTestFinished(() => proxy.close());
    const service = await ownProcess({
      ...TEST_VARIABLES,
      ...database.variables,
      DATABASE_URL: proxy.urlOf(url),
    });
    const image = await createServedImage(service);
    const createImage = async (index: number, access: string): Promise<string> => {
      const body = { issuer_id: image.issuerId, public_id: `${access}${index}`, version: 1, access };
      const response = await requestAdmin(service, 'POST', '/images', body);
      expect(response.status).toBe(201);
      return (response.json() as { id: string }).id;
    };
    const ids: string[] = [];
    const publicIds: string[] = [];
    for (let index = 0; index < UNCACHED; index += 1) {
      ids.push(await createImage(index, 'token'));
      publicIds.push(await createImage(index, 'public'));
    }
    proxy.slow(LATENCY);

    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => {
      agent.destroy();
    });
    const get = (path: string): Promise<HttpResponse> => request({ port: service.port, path, agent });
    const flooded: unknown[] = [];
    let flooding = true;
    const flood = Array.from({ length: CLIENTS }, async () => {
      while (flooding) flooded.push(comparable(await get(`/images/${randomUUID()}`)));
    });
    // The flood is running.
    await sleep(1_000);
    const token = image.seal();
    const statuses: number[] = [];
    const publicStatuses: number[] = [];
    const secret = await get(`/images/${image.imageId}`);
    for (let index = 0; index < UNCACHED; index += 1) {
      statuses.push((await get(`/images/${ids[index] ?? ''}?token=${token}`)).status);
      publicStatuses.push((await get(`/images/${publicIds[index] ?? ''}`)).status);
    }
    flooding = false;
    await Promise.all(flood);

    expect(statuses).toStrictEqual(ids.map(() => 302));
    expect(publicStatuses).toStrictEqual(publicIds.map(() => 302));
    expect(secret.status).toBe(401);
    for (const response of flooded) expect(response).toStrictEqual(comparable(secret));
    expect(flooded.length).toBeGreaterThan(CLIENTS);
    await annotate(
      `${flooded.length} unknown ids without a token from ${CLIENTS} clients: ${UNCACHED} cold look-ups of a good token all 302`,
      FIGURE,
    );
  });
});
