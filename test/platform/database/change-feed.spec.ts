import { createServer, type AddressInfo, type Server } from 'node:net';
import { DataSource } from 'typeorm';
import { afterEach, expect, it, vi } from 'vitest';
import { readEnvironment } from '../../../src/platform/config/environment.js';
import { ChangeFeed } from '../../../src/platform/database/change-feed.js';
import { findServers } from '../../../src/platform/database/database-servers.js';
import { Observations } from '../../../src/platform/observability/observations.js';
import { TEST_VARIABLES } from '../../support/service.js';
import { readDefaultPolicy } from '../../../src/policy/recommended-policy.js';

let server: Server;
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** A message of Postgres's protocol: its letter, its length, its content. */
function message(letter: string, content: string): Buffer {
  const head = Buffer.alloc(5);
  head.write(letter);
  head.writeInt32BE(4 + content.length, 1);
  return Buffer.concat([head, Buffer.from(content, 'latin1')]);
}

it('survives a connection that closes between its login and the response to LISTEN', async () => {
  let dropped = 0;
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', '\0\0\0\0'), message('Z', 'I')]));
      socket.once('data', () => {
        dropped += 1;
        socket.destroy();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `postgres://u:p@127.0.0.1:${(server.address() as AddressInfo).port}/d`;
  const environment = readEnvironment(
    { ...TEST_VARIABLES, DATABASE_URL: url },
    () => {
      throw new Error('no embedded secrets are wanted');
    },
    readDefaultPolicy,
  );
  const unheard = vi.fn();
  process.on('uncaughtException', unheard);
  const servers = findServers(environment.database);
  const feed = new ChangeFeed(
    new DataSource({ type: 'postgres', url }),
    new Observations(),
    environment,
    servers,
  );
  await feed.onModuleInit();
  // It tries again, and the same happens.
  await vi.waitFor(() => {
    expect(dropped).toBeGreaterThan(1);
  }, 5_000);
  await feed.close();
  process.off('uncaughtException', unheard);
  expect(unheard).not.toHaveBeenCalled();
  expect(feed.isLive).toBe(false);
});
