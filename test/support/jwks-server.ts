import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { vi } from 'vitest';
import { JwksNetwork } from '../../src/directory/jwks-network.js';
import type { KeyPair } from '../tokens/public-key-fixtures.js';
import type { PrivateCa } from './certificates.js';

/** An identity provider on loopback that publishes keys over https. */
export interface JwksServer {
  readonly url: string;
  /** Requests so far. */
  readonly requests: () => number;
  /** Publishes these keys from now on. */
  publish(...pairs: readonly KeyPair[]): void;
  /** Responds in this way from now on. */
  respond(respond: (response: ServerResponse) => void): void;
  close(): Promise<void>;
}

/** @param certificate Of the host that the server claims to be. */
export async function startJwksServer(certificate: PrivateCa['local']): Promise<JwksServer> {
  let count = 0;
  let respond = (response: ServerResponse): void => void response.writeHead(404).end();
  const server = createServer(
    { cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) },
    (_request, response) => {
      count += 1;
      respond(response);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    requests: () => count,
    publish: (...pairs) => {
      respond = (response) => response.end(jwksOf(...pairs));
    },
    respond: (other) => {
      respond = other;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

export function jwksOf(...pairs: readonly KeyPair[]): string {
  return JSON.stringify({
    keys: pairs.map(({ id, algorithm, publicKey }) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid: id,
      alg: algorithm,
      use: 'sig',
    })),
  });
}

/** Lets a network reach loopback, and trust a CA: no setting of the service does. */
export function openToLoopback(network: JwksNetwork, { ca }: Pick<PrivateCa, 'ca'>): JwksNetwork {
  vi.spyOn(network, 'isAllowed').mockReturnValue(true);
  return Object.assign(network, { ca: readFileSync(ca, 'utf8') });
}
