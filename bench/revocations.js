// `npm run measure:revocations`: three replicas on one Postgres; from the admin's answer to the last redirect that any of
// them still gives, for tokens, sessions and keys in turn. Once with the change feed, once with it cut for long, once
// with it cut, without a word, a moment before.
import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { connect, createServer } from 'node:net';
import { startOwnPostgres } from './pixseal.js';
import { admin, ask, migrate, seal, startReplica } from './service.js';

const REVOCATIONS = Number(process.env.REVOCATIONS ?? 200);
const REPLICAS = 3;
/** Answers of each replica that are still asked for after its first refusal: none of them may be a redirect. */
const AFTERWARDS = 5;
/** Milliseconds after which every replica has noticed that its feed is lost, or has it back. */
const SETTLED = 2_500;
const LISTENER = 'pixseal change feed';

const postgres = await startOwnPostgres();
const proxy = await openProxy(postgres.url);
const replicas = [];
const agents = [];
try {
  migrate(postgres.url);
  const starts = Array.from({ length: REPLICAS }, () => startReplica(proxy.url));
  replicas.push(...(await Promise.all(starts)));
  agents.push(...replicas.map(() => new Agent({ keepAlive: true, maxSockets: 1 })));
  const port = replicas[0].port;
  const { id: issuerId, key } = await admin(port, 'POST', '/issuers', { name: 'Measured' });
  const image = { issuer_id: issuerId, public_id: 'measured', version: 1 };
  const { id: imageId } = await admin(port, 'POST', '/images', image);
  const issuer = { id: issuerId, secret: key.secret, imageId };

  const table = [['the listeners', 'revocations', 'p50', 'p99', 'max', 'promised']];
  table.push(row('are up', await measure(issuer, REVOCATIONS), '1 s'));
  proxy.cut();
  await pause(SETTLED);
  table.push(row('have been cut for long', await measure(issuer, REVOCATIONS), '2 s'));
  proxy.restore();
  const cut = async () => {
    proxy.restore();
    await pause(SETTLED);
    proxy.cut();
    // Any moment of the second in which the loss is not noticed yet, and of the one after it.
    await pause(Math.random() * 1_500);
  };
  table.push(row('are cut just before', await measure(issuer, Math.ceil(REVOCATIONS / 4), cut), '2 s'));
  table.splice(
    1,
    0,
    table[0].map(() => '---'),
  );
  process.stdout.write(`\n${table.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`);
} finally {
  for (const agent of agents) agent.destroy();
  for (const replica of replicas) await replica.stop();
  proxy.close();
  await postgres.stop();
}

/**
 * @param {{ id: string, secret: string, imageId: string }} issuer
 * @param {number} count
 * @param {() => Promise<void>} [before] each revocation
 * @returns {Promise<number[]>} milliseconds of each
 */
async function measure(issuer, count, before = async () => undefined) {
  const delays = [];
  for (let index = 0; index < count; index += 1) {
    const { path, revoke } = await makeRevocable(issuer, index);
    const lastRedirects = replicas.map(() => 0);
    let isRevoked = false;
    /** @type {(() => void)[]} */
    const warm = [];
    const allWarm = replicas.map(() => new Promise((resolve) => warm.push(() => resolve(undefined))));
    const polls = replicas.map(async ({ port }, which) => {
      for (let refused = 0; refused <= AFTERWARDS;) {
        const { status } = await ask({ port, path, agent: agents[which] });
        if (status === 302) {
          lastRedirects[which] = performance.now();
          warm[which]?.();
          refused = 0;
        } else if (status !== 401) throw new Error(`a redirect was answered ${status}`);
        // A key that was just made may not be known yet.
        else if (isRevoked) refused += 1;
      }
    });
    await Promise.race([Promise.all(allWarm), Promise.all(polls)]);
    await before();
    await revoke();
    isRevoked = true;
    const revokedAt = performance.now();
    await Promise.all(polls);
    delays.push(Math.max(0, Math.max(...lastRedirects) - revokedAt));
  }
  return delays;
}

/**
 * What can be revoked: a token, a session and a key in turn.
 * @param {{ id: string, secret: string, imageId: string }} issuer
 * @param {number} index
 */
async function makeRevocable({ id, secret, imageId }, index) {
  const port = replicas[0].port;
  const name = randomUUID();
  const pathOf = (/** @type {string} */ token) => `/images/${imageId}?token=${token}`;
  if (index % 3 === 2) {
    const key = await admin(port, 'POST', `/issuers/${id}/keys`, {});
    return {
      path: pathOf(seal(key.secret, { iss: id })),
      revoke: () => admin(port, 'DELETE', `/issuers/${id}/keys/${key.id}`),
    };
  }
  const claim = index % 3 === 0 ? 'jti' : 'session_id';
  return {
    path: pathOf(seal(secret, { iss: id, [claim]: name })),
    revoke: () => admin(port, 'POST', `/issuers/${id}/revocations`, { [claim]: name }),
  };
}

/** @param {string} what @param {number[]} delays @param {string} promised */
function row(what, delays, promised) {
  const sorted = delays.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const written = [at(0.5), at(0.99), at(1)].map((delay) => `${delay.toFixed(1)} ms`);
  return [what, String(delays.length), ...written, promised];
}

/** A proxy in front of Postgres that knows the listeners' connections by the name they give, and can silence them. */
async function openProxy(databaseUrl) {
  const target = new URL(databaseUrl);
  let isCut = false;
  const links = new Set();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const link = { listener: false, lost: false };
    const ends = [client, upstream];
    links.add(link);
    client.on('data', (chunk) => {
      // The first message of a connection has its application's name.
      if (chunk.includes(LISTENER)) {
        link.listener = true;
        link.lost = isCut;
      }
      if (!link.lost) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (!link.lost) client.write(chunk);
    });
    for (const end of ends) {
      end.on('error', () => undefined);
      end.on('close', () => {
        links.delete(link);
        for (const other of ends) other.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const url = new URL(databaseUrl);
  url.port = String(/** @type {import('node:net').AddressInfo} */ (server.address()).port);
  return {
    url: url.href,
    cut: () => {
      isCut = true;
      for (const link of links) link.lost ||= link.listener;
    },
    /** For new connections: what a silenced one missed is lost. */
    restore: () => {
      isCut = false;
    },
    close: () => server.close(),
  };
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
