import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listen } from '../support/http.js';

/** An asset of the account. */
export interface StoredAsset {
  readonly public_id: string;
  readonly type: string;
  readonly version: number;
  readonly format: string;
  readonly content: Buffer;
  readonly original_filename: string;
}

/** The server's behavior instead of accepting an upload. */
export type Failure = 'hang' | 'drip' | 'cut' | { readonly status: number; readonly body: string };

/** Cloudinary's upload API on this machine, written from its documentation and not from the SDK. */
export interface UploadApi {
  readonly url: string;
  /** By `type/public_id`. */
  readonly assets: Map<string, StoredAsset>;
  /** The parameters of each accepted request. */
  readonly taken: Readonly<Record<string, string>>[];
  /** The headers of the last request. */
  headers: IncomingHttpHeaders;
  /** Requests so far, accepted or not. */
  requests: number;
  failure: Failure | null;
  /** Between the upload and the response. */
  beforeAnswer: (() => Promise<void>) | null;
  close(): Promise<void>;
}

export interface Account {
  readonly cloudName: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** Of the signatures that it accepts; SHA-1 by default. */
  readonly algorithm?: 'sha1' | 'sha256';
}

export async function startUploadApi(account: Account): Promise<UploadApi> {
  let version = 1_700_000_000;
  const server = createServer((request, response) => {
    api.requests += 1;
    api.headers = request.headers;
    void answer(request, response).catch((error: unknown) => {
      sendError(response, 500, String(error));
    });
  });
  const port = await listen(server);
  const api: UploadApi = {
    url: `http://127.0.0.1:${port}`,
    assets: new Map(),
    taken: [],
    headers: {},
    requests: 0,
    failure: null,
    beforeAnswer: null,
    close: () => closeServer(server),
  };
  return api;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await readForm(request);
    if (api.failure !== null) {
      fail(api.failure, response);
      return;
    }
    if (request.method !== 'POST' || request.url !== `/v1_1/${account.cloudName}/image/upload`) {
      sendError(response, 404, 'Not found');
      return;
    }
    const { file, filename, fields } = form;
    const refusal = refuse(fields);
    if (refusal !== null) {
      sendError(response, 401, refusal);
      return;
    }
    const { public_id: publicId = '', type = 'upload' } = fields;
    const key = `${type}/${publicId}`;
    const before = api.assets.get(key);
    const keeps = before !== undefined && ['false', '0'].includes(fields['overwrite'] ?? '');
    version += 1;
    const asset = keeps
      ? before
      : {
          public_id: publicId,
          type,
          version,
          format: 'png',
          content: file,
          original_filename: filename.replace(/\.[^.]*$/, ''),
        };
    api.assets.set(key, asset);
    api.taken.push(fields);
    await api.beforeAnswer?.();
    const { content, ...rest } = asset;
    send(response, 200, {
      ...rest,
      resource_type: 'image',
      bytes: content.length,
      etag: createHash('md5').update(content).digest('hex'),
      ...(keeps ? { existing: true } : {}),
    });
  }

  /** "Generating authentication signatures": all but these, sorted, as a query, then the secret; SHA-1 or SHA-256. */
  function refuse(fields: Readonly<Record<string, string>>): string | null {
    if (fields['api_key'] !== account.apiKey) return `Unknown API key ${fields['api_key'] ?? ''}`;
    const signed = Object.entries(fields)
      .filter(([name]) => !['file', 'cloud_name', 'resource_type', 'api_key', 'signature'].includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${name}=${value}`)
      .join('&');
    const age = Math.abs(Date.now() / 1_000 - Number(fields['timestamp']));
    if (!(age < 3_600)) return 'Stale request';
    const expected = createHash(account.algorithm ?? 'sha1')
      .update(signed + account.apiSecret)
      .digest('hex');
    if (fields['signature'] === expected) return null;
    return `Invalid Signature ${fields['signature'] ?? ''}. String to sign - '${signed}'.`;
  }
}

/** The subset of RFC 7578 that the SDK uses. */
async function readForm(
  request: IncomingMessage,
): Promise<{ file: Buffer; filename: string; fields: Record<string, string> }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const boundary = /boundary=(\S+)$/.exec(request.headers['content-type'] ?? '')?.[1] ?? '';
  const fields: Record<string, string> = {};
  let file = Buffer.alloc(0);
  let filename = '';
  for (let at = body.indexOf(`--${boundary}\r\n`); at >= 0;) {
    const content = body.indexOf('\r\n\r\n', at) + 4;
    const end = body.indexOf(`\r\n--${boundary}`, content);
    if (end < 0) throw new Error('A part has no end');
    const head = body.toString('utf8', at, content);
    const name = / name="([^"]*)"/.exec(head)?.[1] ?? '';
    const sent = /filename="([^"]*)"/.exec(head)?.[1];
    if (sent !== undefined) {
      file = body.subarray(content, end);
      filename = sent;
    } else fields[name] = body.toString('utf8', content, end);
    at =
      body.toString('latin1', end + boundary.length + 4, end + boundary.length + 6) === '--' ? -1 : end + 2;
  }
  return { file, filename, fields };
}

function fail(failure: Failure, response: ServerResponse): void {
  if (typeof failure === 'object') {
    response.writeHead(failure.status, { 'content-type': 'application/json' }).end(failure.body);
    return;
  }
  switch (failure) {
    case 'hang':
      return;
    case 'drip': {
      response.writeHead(200, { 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), 50);
      response.once('close', () => {
        clearInterval(drip);
      });
      return;
    }
    case 'cut':
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
        .write('{"pub');
      setTimeout(() => response.destroy(), 20);
      return;
    default:
      failure satisfies never;
  }
}

function sendError(response: ServerResponse, status: number, message: string): void {
  send(response, status, { error: { message } });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
