import type { IncomingHttpHeaders } from 'node:http';
import { Agent, errors } from 'undici';
import { ProblemError } from '../../domain/problem.error.js';
import type { Histogram } from '../../platform/observability/instruments.js';
import type { Validators } from './conditions.js';
import type { Slots } from '../../platform/slots.js';
import { OriginalMissingError, UpstreamFailedError, UpstreamTimeoutError } from './proxy.errors.js';

/** Milliseconds for a fetch: its wait, the headers and the whole body. */
const FETCH_TIMEOUT = 10_000;
const CONNECT_TIMEOUT = 5_000;
/** Bytes of an image. */
const MAX_BYTES = 25 * 2 ** 20;
const MAX_REASON = 300;
const MAX_VALIDATOR = 200;
/** Milliseconds for which an image is cached if the account's host says nothing, and at most. */
const DEFAULT_FRESHNESS = 24 * 3_600_000;
const MAX_FRESHNESS = 30 * DEFAULT_FRESHNESS;

export interface UpstreamRequest {
  /** The signed URL. */
  readonly url: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
}

/** A response of the account's host that may be passed on. */
export interface UpstreamHead extends Validators {
  readonly status: 200 | 304;
  /** Without parameters; empty for 304. */
  readonly contentType: string;
  /** Bytes of the body; null if the response does not say. */
  readonly length: number | null;
  /** Milliseconds for which it may be cached; 0 if not. */
  readonly freshness: number;
}

export interface UpstreamResponse {
  readonly head: UpstreamHead;
  readonly body: AsyncIterable<Buffer>;
}

/** The hosts of the accounts. Redirects are never followed: they could lead to any host. */
export class Upstream {
  private readonly agent: Agent;

  /**
   * @param origin Replaces the origin of every URL, for a gateway; null for the accounts' own hosts.
   * @param durations Of fetches until the last byte or the failure.
   */
  constructor(
    private readonly slots: Slots,
    connections: number,
    private readonly origin: string | null,
    private readonly durations: Histogram,
  ) {
    this.agent = new Agent({
      connections,
      connect: { timeout: CONNECT_TIMEOUT },
      headersTimeout: FETCH_TIMEOUT,
      bodyTimeout: FETCH_TIMEOUT,
      maxHeaderSize: 16 * 1024,
    });
  }

  /**
   * Fetches an image within the time limit.
   * @param abort Ends the fetch; its reason is thrown.
   * @param use Consumes the body. The connection is released afterwards.
   * @throws OriginalMissingError (404), UpstreamFailedError (502), OverloadedError (503), UpstreamTimeoutError (504)
   */
  async fetch(
    request: UpstreamRequest,
    abort: AbortController,
    use: (response: UpstreamResponse) => Promise<void>,
  ): Promise<void> {
    const timer = setTimeout(() => {
      abort.abort(new UpstreamTimeoutError());
    }, FETCH_TIMEOUT);
    try {
      await this.slots.acquire(abort.signal);
      const startedAt = performance.now();
      try {
        await this.send(request, abort.signal, use);
      } finally {
        this.slots.release();
        this.durations.observe(performance.now() - startedAt);
      }
    } catch (error) {
      throw abort.signal.aborted ? (abort.signal.reason as Error) : problemOf(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes every connection. */
  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async send(
    request: UpstreamRequest,
    signal: AbortSignal,
    use: (response: UpstreamResponse) => Promise<void>,
  ): Promise<void> {
    const { origin, host, pathname, search } = new URL(request.url);
    const { statusCode, headers, body } = await this.agent.request({
      origin: this.origin ?? origin,
      path: pathname + search,
      method: request.method,
      headers: {
        'user-agent': 'pixseal',
        // Encoded bytes could not be passed on under their own length.
        'accept-encoding': 'identity',
        ...request.headers,
        ...(this.origin === null ? {} : { host }),
      },
      signal,
    });
    // A body that is not consumed is destroyed below, which is an error to its stream.
    body.on('error', () => undefined);
    try {
      await use({ head: readHead(statusCode, headers, request), body });
    } finally {
      body.destroy();
    }
  }
}

/** @throws ProblemError for a response that is not passed on. */
function readHead(status: number, headers: IncomingHttpHeaders, request: UpstreamRequest): UpstreamHead {
  const isConditional = 'if-none-match' in request.headers || 'if-modified-since' in request.headers;
  const validators = { etag: readEtag(headers.etag), lastModified: readDate(headers['last-modified']) };
  switch (true) {
    case status === 200:
      return { ...validators, status, ...readBody(headers, request) };
    case status === 304 && isConditional:
      return { ...validators, status, contentType: '', length: null, freshness: 0 };
    case status === 404:
      throw new OriginalMissingError();
    default:
      throw new UpstreamFailedError(`Cloudinary responded with ${status}${reasonOf(headers, request.url)}`);
  }
}

const TYPE = /^(?:image\/[a-z0-9][a-z0-9.+-]{0,63}|application\/pdf)$/;

function readBody(
  headers: IncomingHttpHeaders,
  { method }: UpstreamRequest,
): Pick<UpstreamHead, 'contentType' | 'length' | 'freshness'> {
  const contentType = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!TYPE.test(contentType)) throw new UpstreamFailedError('the response is not an image');
  const { 'content-encoding': encoding = 'identity', 'transfer-encoding': coding } = headers;
  if (encoding !== 'identity') throw new UpstreamFailedError('the response is encoded');
  const length = readLength(headers['content-length']);
  if (length === 0) throw new UpstreamFailedError('the response is empty');
  if (length !== null && length > MAX_BYTES) throw tooLarge();
  // If a body ends with its connection, a cut one looks the same.
  if (length === null && coding === undefined && method === 'GET') {
    throw new UpstreamFailedError('the response has no length');
  }
  return { contentType, length, freshness: freshnessOf(headers) };
}

/** Checks the bytes received so far. @throws UpstreamFailedError (502) over 25 MiB. */
export function checkSize(bytes: number): void {
  if (bytes > MAX_BYTES) throw tooLarge();
}

const tooLarge = (): UpstreamFailedError => new UpstreamFailedError('the image is over 25 MiB');

function readLength(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : null;
}

function readEtag(header: string | undefined): string | null {
  const isValid =
    header !== undefined && header.length <= MAX_VALIDATOR && /^(?:W\/)?"[!#-~]*"$/.test(header);
  return isValid ? header : null;
}

function readDate(header: string | undefined): string | null {
  const instant = Date.parse(header ?? '');
  return Number.isNaN(instant) ? null : new Date(instant).toUTCString();
}

function freshnessOf({ 'cache-control': control = '', age }: IncomingHttpHeaders): number {
  // Not `private`: each response is for one client whose token was checked.
  if (/\bno-(?:store|cache)\b/i.test(control)) return 0;
  const seconds = /\bmax-age=(\d{1,10})/i.exec(control)?.[1];
  if (seconds === undefined) return DEFAULT_FRESHNESS;
  return Math.min(MAX_FRESHNESS, Math.max(0, Number(seconds) - (readLength(age) ?? 0)) * 1_000);
}

/** Cloudinary's own reason, as the end of a sentence: printable ASCII, without the URL, which never expires. */
function reasonOf({ 'x-cld-error': header }: IncomingHttpHeaders, url: string): string {
  if (typeof header !== 'string') return '';
  const { pathname } = new URL(url);
  const words = header
    .replaceAll(url, '…')
    .replaceAll(pathname, '…')
    .replaceAll(/[^\x20-\x7e…]/g, '?')
    .split(' ')
    .map((word) => (/:\/\/|s--|__cld_token__|signature=/i.test(word) ? '…' : word.replaceAll('…', '...')));
  return `: ${words.join(' ').replaceAll('…', '...').slice(0, MAX_REASON).replace(/\.$/, '')}`;
}

const TIMEOUTS = [errors.ConnectTimeoutError, errors.HeadersTimeoutError, errors.BodyTimeoutError];

/** The problem of a connection that failed; any other error unchanged. */
function problemOf(error: unknown): unknown {
  if (error instanceof ProblemError || !(error instanceof Error)) return error;
  if (TIMEOUTS.some((timeout) => error instanceof timeout)) return new UpstreamTimeoutError();
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  const isFailure =
    code !== null || error instanceof errors.UndiciError || error instanceof errors.HTTPParserError;
  return isFailure
    ? new UpstreamFailedError(
        `Cloudinary cannot be reached, or sent no valid response (${code ?? error.name})`,
      )
    : error;
}
