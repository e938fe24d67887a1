import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { request } from '../support/http.js';
import { sendAndCheck, MODEL_COMMANDS, type Real } from '../support/model/commands.js';
import { AdminModel } from '../support/model/admin-model.js';
import { ownSeed } from '../support/own-seed.js';
import { ADMIN_KEY, startService, type Service } from '../support/service.js';

const REQUESTED_RUNS = Number(process.env['PIXSEAL_MODEL_RUNS'] ?? 100);
/** The embedded database has one connection and is slow: the full number of runs is on the other. */
const RUNS = inject('database').kind === 'embedded' ? Math.min(REQUESTED_RUNS, 100) : REQUESTED_RUNS;
/** Concurrent runs: each has its own issuers, and is another tenant to the others. */
const PARALLEL_RUNS = inject('database').kind === 'embedded' ? 2 : 4;
const MAX_COMMANDS = 30;

/** Each occurs several times in a hundred runs. */
const COMMON_RESPONSES = [
  '302',
  '401 invalid_token',
  '401 token_required',
  '403 image_not_in_token',
  '403 policy_violation',
  '404 image_not_found',
  '404 overlay_not_found',
  '410 image_deleted',
  '422 invalid_transformation',
];

const agent = new Agent({ keepAlive: true });
let service: Service;
let real: Real;
let runs = 0;

beforeAll(async () => {
  service = await startService();
  const { port } = service;
  const authorization = `Bearer ${ADMIN_KEY}`;
  real = {
    seen: new Set(),
    prefix: `http://127.0.0.1:${port}/assets/blank.jpg#`,
    send: (method, path, body) => request({ port, path, method, body, agent }),
    admin: (method, path, body) =>
      request({ port, path: `/admin${path}`, method, body, agent, headers: { authorization } }),
  };
});
afterAll(async () => {
  agent.destroy();
  await service.close();
});

/** Two issuers with an image and an overlay each. */
async function setUp(): Promise<{ model: AdminModel; real: Real }> {
  const model = new AdminModel(`model-${(runs += 1)}`);
  for (const name of ['first', 'second']) {
    const id = randomUUID();
    await sendAndCheck(real, model.createIssuer({ id, disabled: false, delivery_format: 'jpg', policy: {} }));
    const asset = { id: randomUUID(), issuer_id: id, public_id: `${model.name}/${name}` };
    const image = { ...asset, version: 1, format: 'png', delivery_type: 'authenticated', access: 'token' };
    await sendAndCheck(real, model.createImage(image));
    const overlay = { ...asset, id: randomUUID(), public_id: `${asset.public_id}/mark` };
    await sendAndCheck(
      real,
      model.createOverlay({ ...overlay, delivery_type: 'private', shared: name === 'first' }),
    );
  }
  return { model, real };
}

describe('the service', () => {
  it(
    'responds to every sequence of writes, redirects and lists as the reference model does',
    { timeout: 1_200_000 },
    async () => {
      const property = fc.asyncProperty(
        fc.commands([...MODEL_COMMANDS], { maxCommands: MAX_COMMANDS, size: 'max' }),
        (commands) => fc.asyncModelRun(setUp, commands),
      );
      const numRuns = Math.ceil(RUNS / PARALLEL_RUNS);
      await Promise.all(
        Array.from({ length: PARALLEL_RUNS }, (_, index) =>
          fc.assert(property, { numRuns, ...ownSeed(index) }),
        ),
      );
      // A generator that only created invalid tokens would match any service.
      expect([...real.seen]).toEqual(expect.arrayContaining(COMMON_RESPONSES));
    },
  );
});
