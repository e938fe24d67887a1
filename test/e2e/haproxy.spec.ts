import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import '../support/built.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { splitResponses, type WireResponse } from '../support/connection.js';
import { findHaproxy, startHaproxy } from '../support/haproxy.js';
import { createTenant, type Tenant } from '../support/seed.js';
import { ADMIN_KEY, startService, type Service } from '../support/service.js';

const haproxy = findHaproxy();
const ROUNDS = 25;

/** A client that keeps its connection, and sends a request after the response to the last one. */
interface Client {
  request(bytes: string): Promise<WireResponse>;
}

function openClient(port: number): Client {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1').setNoDelay(true);
  onTestFinished(() => void socket.destroy());
  let text = '';
  let take: (response: WireResponse) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  socket.once('close', () => {
    fail(new Error('The connection was closed'));
  });
  socket.on('data', (chunk: string) => {
    text += chunk;
    let responses: readonly WireResponse[];
    try {
      responses = splitResponses(text);
    } catch {
      // The rest is still to come.
      return;
    }
    text = '';
    expect(responses).toHaveLength(1);
    for (const response of responses) take(response);
  });
  return {
    request: (bytes) =>
      new Promise((resolve, reject) => {
        take = resolve;
        fail = reject;
        socket.write(bytes, 'latin1');
      }),
  };
}

describe.skipIf(haproxy === null)('two clients of one HAProxy', () => {
  let service: Service;
  let tenant: Tenant;

  beforeAll(async () => {
    service = await startService({ DELIVERY_MODE: 'local' });
    tenant = await createTenant(service, { publicId: 'proxied_image', overlayPublicId: 'proxied_layer' });
  });
  afterAll(() => service.close());

  it.each(['safe', 'always'])(
    'share a connection with http-reuse %s, and the trailers of one do not affect the other',
    async (reuse) => {
      const proxy = await startHaproxy(haproxy ?? '', service.port, reuse);
      onTestFinished(() => proxy.stop());
      const users = new Map<unknown, Set<unknown>>();
      const count = ({ socket, headers }: IncomingMessage): void => {
        users.set(socket, (users.get(socket) ?? new Set()).add(headers['user-agent']));
      };
      const { server } = service.app.getHttpAdapter().getInstance() as { server: NodeJS.EventEmitter };
      server.on('request', count);
      onTestFinished(() => void server.off('request', count));

      const [attacker, user] = [openClient(proxy.port), openClient(proxy.port)];
      const head = (path: string, agent = 'user'): string =>
        `GET ${path} HTTP/1.1\r\nHost: pixseal.test\r\nUser-Agent: ${agent}\r\n`;
      const broken =
        '0\r\nAuthorization: Bearer from-a-trailer\r\nX-Request-Id: from-a-trailer\r\nX-Forwarded-Host: evil.example\r\n\r\n';
      const path = `/admin/images/${tenant.imageId}`;
      const seen = {
        attacks: [] as number[],
        keyed: [] as number[],
        unkeyed: [] as number[],
        hosts: [] as unknown[],
      };
      let ids = '';
      for (let round = 0; round < ROUNDS; round += 1) {
        const attack = `${head(tenant.path(), 'attacker')}Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n${broken}`;
        seen.attacks.push((await attacker.request(attack)).status);
        const keyed = await user.request(`${head(path)}Authorization: Bearer ${ADMIN_KEY}\r\n\r\n`);
        seen.keyed.push(keyed.status);
        await attacker.request(attack.replace('from-a-trailer', ADMIN_KEY));
        seen.unkeyed.push((await user.request(`${head(path)}\r\n`)).status);
        await attacker.request(attack);
        const redirect = await user.request(`${head(tenant.path())}\r\n`);
        seen.hosts.push(
          redirect.headers.map((line) => /^location: (http:\/\/[^/]+)/i.exec(line)?.[1]).find(Boolean),
        );
        ids += keyed.headers.join() + redirect.headers.join();
      }
      const all = <T>(value: T): T[] => Array.from({ length: ROUNDS }, () => value);
      expect(seen).toStrictEqual({
        attacks: all(302),
        keyed: all(200),
        unkeyed: all(401),
        hosts: all('http://pixseal.test'),
      });
      expect(ids).not.toContain('from-a-trailer');
      // Otherwise the test shows nothing.
      expect([...users.values()]).toContainEqual(new Set(['attacker', 'user']));
    },
  );
});
