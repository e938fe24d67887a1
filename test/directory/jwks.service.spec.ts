import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchJwks } from '../../src/directory/fetch-jwks.js';
import { JwksNetwork } from '../../src/directory/jwks-network.js';
import { JwksService } from '../../src/directory/jwks.service.js';
import { isPublicAddress } from '../../src/platform/http/public-address.js';
import { JwksUnavailableError } from '../../src/tokens/token.errors.js';
import { createPrivateCa, type PrivateCa } from '../support/certificates.js';
import { type JwksServer, jwksOf, openToLoopback, startJwksServer } from '../support/jwks-server.js';
import { makeKeyPair } from '../tokens/public-key-fixtures.js';
import { SEED_ISSUER_ID } from '../tokens/token-fixtures.js';

const [old, next] = [makeKeyPair('EdDSA', 'old'), makeKeyPair('ES256', 'next')];
const MINUTE = 60_000;

let ca: PrivateCa;
let server: JwksServer;
let network: JwksNetwork;

beforeAll(() => {
  ca = createPrivateCa();
});
afterAll(() => {
  ca.remove();
});
beforeEach(async () => {
  server = await startJwksServer(ca.local);
  server.publish(old);
  network = openToLoopback(new JwksNetwork(), ca);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.close();
});

describe('fetchJwks', () => {
  const fetch = (url = server.url): Promise<string> =>
    fetchJwks(new URL(url), network).then((document) => document.toString());

  it('returns the document', async () => {
    expect(await fetch()).toBe(jwksOf(old));
  });

  const text = (size: number) => (response: ServerResponse) => response.end('x'.repeat(size));
  it('accepts 64 KiB', async () => {
    server.respond(text(65_536));
    expect(await fetch()).toHaveLength(65_536);
  });

  it.each<[name: string, respond: (response: ServerResponse) => unknown, reason: RegExp]>([
    ['a byte over 64 KiB', text(65_537), /larger than 64 KiB/],
    [
      'an endless response',
      (response) => {
        const write = (): void => {
          while (!response.destroyed && response.write('x'.repeat(10_000)));
          if (!response.destroyed) response.once('drain', write);
        };
        write();
      },
      /larger than 64 KiB/,
    ],
    ['a redirect', (response) => response.writeHead(302, { location: '/jwks.json' }).end(), /status is 302/],
    [
      'a redirect with a document',
      (response) => response.writeHead(307, { location: '/' }).end(jwksOf(old)),
      /status is 307/,
    ],
    ['404', (response) => response.writeHead(404).end(jwksOf(old)), /status is 404/],
    ['an empty success', (response) => response.writeHead(204).end(), /status is 204/],
    [
      'a compressed document',
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      /compressed/,
    ],
    [
      'a cut response',
      (response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('x');
        setTimeout(() => response.destroy(), 20);
      },
      /connection failed/,
    ],
    ['a closed connection', (response) => response.destroy(), /connection failed: ECONNRESET/],
  ])('refuses %s', async (_, respond, reason) => {
    server.respond((response) => void respond(response));
    await expect(fetch()).rejects.toThrow(reason);
  });

  it('refuses a response that takes longer than 5 seconds, and closes the connection', async () => {
    let isClosed = false;
    server.respond((response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 100);
      response.once('close', () => {
        clearInterval(drip);
        isClosed = true;
      });
    });
    await expect(fetch()).rejects.toThrow('there was no complete response within 5 s');
    await vi.waitFor(() => {
      expect(isClosed).toBe(true);
    });
  }, 10_000);

  it('refuses a certificate of another name, or of an unknown CA', async () => {
    const other = await startJwksServer(ca.other);
    await expect(fetch(other.url)).rejects.toThrow('connection failed: ERR_TLS_CERT_ALTNAME_INVALID');
    await other.close();
    await expect(fetchJwks(new URL(server.url), Object.assign(network, { ca: undefined }))).rejects.toThrow(
      'connection failed: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    );
  });

  it('refuses plain http', async () => {
    await expect(fetch(server.url.replace('https', 'http'))).rejects.toThrow('https://');
  });

  describe('with the public network', () => {
    beforeEach(() => {
      vi.spyOn(network, 'isAllowed').mockImplementation(isPublicAddress);
    });
    const resolveTo = (...addresses: string[]) =>
      vi
        .spyOn(network, 'resolve')
        .mockResolvedValue(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
    const port = (): string => new URL(server.url).port;

    it.each([['127.0.0.1'], ['[::1]'], ['[::ffff:127.0.0.1]'], ['0x7f.1'], ['2130706433'], ['0']])(
      'opens no connection to %s',
      async (host) => {
        await expect(fetch(`https://${host}:${port()}/`)).rejects.toThrow('an address that is not public');
        expect(server.requests()).toBe(0);
      },
    );

    it('opens no connection if one of the addresses is not public', async () => {
      for (const addresses of [['127.0.0.1'], ['93.184.215.14', '127.0.0.1'], ['2606:2800::1', '::1'], []]) {
        resolveTo(...addresses);
        await expect(fetch(`https://idp.example:${port()}/`)).rejects.toThrow(
          'an address that is not public',
        );
      }
      expect(server.requests()).toBe(0);
    });

    it('resolves a name once, so that a second answer cannot lead elsewhere', async () => {
      const resolve = vi
        .spyOn(network, 'resolve')
        .mockResolvedValueOnce([{ address: '192.0.2.1', family: 4 }])
        .mockResolvedValue([{ address: '127.0.0.1', family: 4 }]);
      // The checked address is of a network that leads nowhere.
      vi.spyOn(network, 'isAllowed').mockImplementation((address) => address === '192.0.2.1');
      await expect(fetch(`https://idp.example:${port()}/`)).rejects.toThrow(/connection failed|within 5 s/);
      expect([resolve.mock.calls.length, server.requests()]).toStrictEqual([1, 0]);
    }, 10_000);

    it('connects to the checked address of a name, and checks the certificate of the name', async () => {
      resolveTo('127.0.0.1');
      vi.spyOn(network, 'isAllowed').mockReturnValue(true);
      const named = await startJwksServer(ca.other);
      named.publish(old);
      const url = `https://db.example:${new URL(named.url).port}/`;
      expect(await fetch(url)).toBe(jwksOf(old));
      await named.close();
    });
  });
});

describe('isPublicAddress', () => {
  it.each([
    ['8.8.8.8'], ['1.1.1.1'], ['93.184.215.14'], ['172.15.0.1'], ['172.32.0.1'], ['100.63.0.1'], ['100.128.0.1'],
    ['2606:4700::1111'], ['2a00:1450:4001::1'], ['2001:4860::8888'], ['2001:200::1'],
  ])('is true for %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  }); // prettier-ignore

  it.each([
    ['0.0.0.0'], ['10.0.0.1'], ['100.64.0.1'], ['127.0.0.1'], ['127.255.255.255'], ['169.254.169.254'],
    ['172.16.0.1'], ['172.31.255.255'], ['192.0.0.1'], ['192.0.2.1'], ['192.168.0.1'], ['198.18.0.1'],
    ['198.51.100.1'], ['203.0.113.1'], ['224.0.0.1'], ['255.255.255.255'],
    ['::'], ['::1'], ['::ffff:8.8.8.8'], ['::ffff:127.0.0.1'], ['64:ff9b::7f00:1'], ['fc00::1'], ['fd00:ec2::254'],
    ['fe80::1'], ['ff02::1'], ['2001:db8::1'], ['2001::1'], ['2002:7f00:1::1'], ['3fff::1'],
  ])('is false for %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  }); // prettier-ignore
});

describe('the keys of a jwks_url', () => {
  let service: JwksService;
  let now: number;
  const issuer = (): { id: string; jwksUrl: string } => ({ id: SEED_ISSUER_ID, jwksUrl: server.url });
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  /** The ids of the keys for a `kid`, from memory or loaded; null if they are unavailable. */
  const keysFor = async (keyId: string): Promise<readonly string[] | null> => {
    const keys = service.find(issuer(), keyId)?.row;
    try {
      return (keys ?? (await service.load(issuer(), keyId))).map(({ id }) => id);
    } catch (error) {
      if (error instanceof JwksUnavailableError) return null;
      throw error;
    }
  };
  const fail = (): void => {
    server.respond((response) => response.writeHead(500).end());
  };
  const fetched = (count: number): Promise<void> =>
    vi.waitFor(() => {
      expect(server.requests()).toBe(count);
    });

  beforeEach(() => {
    now = 1_000_000;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    service = new JwksService(network);
  });

  it('are fetched once, however many tokens need them', async () => {
    expect(service.find(issuer(), 'old')).toBeUndefined();
    const all = await Promise.all(Array.from({ length: 50 }, () => keysFor('old')));
    expect(new Set(all.map(String))).toStrictEqual(new Set(['old']));
    expect(service.find(issuer(), 'old')).toMatchObject({ isFresh: true });
    expect(server.requests()).toBe(1);
  });

  it('are refreshed after 5 minutes, while the old ones are used', async () => {
    await keysFor('old');
    const before = service.find(issuer(), 'old');
    pass(5 * MINUTE - 1);
    expect(before?.isFresh).toBe(true);
    server.publish(next);
    pass(1);
    expect(before?.isFresh).toBe(true);
    await fetched(2);
    await vi.waitFor(() => {
      expect(before?.isFresh).toBe(false);
    });
    expect(await keysFor('next')).toStrictEqual(['next']);
  });

  it('stay the same set after a refresh that brings nothing new', async () => {
    await keysFor('old');
    const before = service.find(issuer(), 'old');
    pass(5 * MINUTE);
    service.find(issuer(), 'old');
    await fetched(2);
    await vi.waitFor(() => {
      pass(MINUTE);
      expect(service.find(issuer(), 'old')).toBe(before);
    });
    expect(before?.isFresh).toBe(true);
  });

  it('that were not used for 10 minutes are refreshed first', async () => {
    await keysFor('old');
    server.publish(next);
    pass(10 * MINUTE);
    expect(await keysFor('old')).toStrictEqual(['next']);
  });

  it('are refreshed for an unknown kid, at most once in 30 seconds', async () => {
    await keysFor('old');
    server.publish(old, next);
    for (let times = 0; times < 100; times += 1)
      expect(await keysFor(`forged ${times}`)).toStrictEqual(['old']);
    pass(29_999);
    expect(await keysFor('next')).toStrictEqual(['old']);
    expect(server.requests()).toBe(1);
    pass(1);
    expect(await keysFor('next')).toStrictEqual(['old', 'next']);
    for (let times = 0; times < 100; times += 1) await keysFor(`forged ${times}`);
    expect(server.requests()).toBe(2);
  });

  it('are used for 24 hours if they cannot be fetched again, and then refused', async () => {
    await keysFor('old');
    const entry = service.find(issuer(), 'old');
    fail();
    for (let hours = 1; hours < 24; hours += 1) {
      pass(60 * MINUTE);
      expect(await keysFor('old')).toStrictEqual(['old']);
      // A new key may have been published: the token may be valid.
      expect(await keysFor('next')).toBeNull();
      expect(entry?.isFresh).toBe(true);
    }
    pass(60 * MINUTE);
    expect(entry?.isFresh).toBe(false);
    expect(await keysFor('old')).toBeNull();
    const requests = server.requests();
    expect(await keysFor('old')).toBeNull();
    expect(server.requests()).toBe(requests);
    server.publish(old);
    pass(30_000);
    expect(await keysFor('old')).toStrictEqual(['old']);
  });

  it.each([
    ['a failure', (response: ServerResponse) => response.writeHead(500).end()],
    ['no JSON', (response: ServerResponse) => response.end('<html>')],
    [
      'too many keys',
      (response: ServerResponse) => response.end(JSON.stringify({ keys: Array(17).fill({}) })),
    ],
  ])('after %s are requested again after 30 seconds', async (_, respond) => {
    server.respond((response) => void respond(response));
    for (let times = 0; times < 10; times += 1) expect(await keysFor('old')).toBeNull();
    expect(server.requests()).toBe(1);
    server.publish(old);
    pass(30_000);
    expect(await keysFor('old')).toStrictEqual(['old']);
  });

  it('of an invalid URL, which only a row can have, are unavailable', async () => {
    await expect(service.load({ id: SEED_ISSUER_ID, jwksUrl: 'x' }, 'old')).rejects.toThrow(
      JwksUnavailableError,
    );
  });

  it('are fetched for at most 16 issuers at once', async () => {
    server.respond((response) => setTimeout(() => response.end(jwksOf(old)), 300));
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        service.load({ id: `issuer ${index}`, jwksUrl: server.url }, 'old').then(
          () => 'fetched',
          () => 'unavailable',
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'fetched')).toHaveLength(16);
    // The others were not attempted, so they need not wait for 30 seconds.
    expect(await keysFor('old')).toStrictEqual(['old']);
  });
});
