import type { LookupAddress } from 'node:dns';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { withDeadline } from '../platform/deadline.js';
import { JwksError } from '../tokens/jwks.js';
import type { JwksNetwork } from './jwks-network.js';

/** Milliseconds for name resolution, connection and the whole response. */
const DEADLINE = 5_000;
const MAX_BYTES = 64 * 1024;

/**
 * Fetches a JWKS over https, without following redirects. The connection goes to an address that was checked: the name is
 * not resolved a second time.
 * @throws JwksError with a reason that contains no part of the URL and the response.
 */
export async function fetchJwks(url: URL, network: JwksNetwork): Promise<Buffer> {
  if (url.protocol !== 'https:') throw new JwksError('its URL does not start with https://');
  const abort = new AbortController();
  try {
    return await withDeadline(fetchFrom(url, network, abort.signal), DEADLINE, () => {
      throw new JwksError(`there was no complete response within ${DEADLINE / 1000} s`);
    });
  } catch (error) {
    if (error instanceof JwksError) throw error;
    // Node's message may contain the address; its code does not.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no reason';
    throw new JwksError(`the connection failed: ${code}`);
  } finally {
    abort.abort();
  }
}

async function fetchFrom(url: URL, network: JwksNetwork, signal: AbortSignal): Promise<Buffer> {
  const addresses = await resolveAllowed(url, network);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = {
      // Neither a shared connection, nor a proxy of the environment.
      agent: false,
      lookup: pinTo(addresses),
      ca: network.ca,
      rejectUnauthorized: true,
      headers: { accept: 'application/jwk-set+json, application/json', 'accept-encoding': 'identity' },
      signal,
    } as const;
    get(url, options, resolve).on('error', reject);
  });
  const { statusCode, headers } = response;
  if (statusCode !== 200) throw new JwksError(`the status is ${statusCode ?? 'missing'}`);
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw new JwksError('it is compressed');
  return readBody(response);
}

/** @throws JwksError unless every address of the host is allowed. */
async function resolveAllowed({ hostname }: URL, network: JwksNetwork): Promise<LookupAddress[]> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(host);
  const addresses = family === 0 ? await network.resolve(host) : [{ address: host, family }];
  if (addresses.length === 0 || !addresses.every(({ address }) => network.isAllowed(address))) {
    throw new JwksError('its host has an address that is not public');
  }
  return addresses;
}

/** A resolver that always returns these addresses, in the form that `net.connect` requests. */
function pinTo(addresses: readonly LookupAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new JwksError(`it is larger than ${MAX_BYTES / 1024} KiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
