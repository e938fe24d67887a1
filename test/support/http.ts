import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';

/** A whole HTTP answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Names and values as they were on the wire. */
  readonly rawHeaders: readonly string[];
  readonly text: string;
  /** The body parsed; throws where it is no JSON. */
  readonly json: () => unknown;
}

export interface Question {
  readonly port: number;
  /** Sent as it stands. */
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string as it stands. */
  readonly body?: unknown;
}

/** A real request over a real socket; follows nothing, changes nothing. */
export function request({ port, path, method = 'GET', headers = {}, body }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const outgoing = httpRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        headers: {
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
          ...headers,
        },
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.once('error', reject);
        incoming.once('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            rawHeaders: incoming.rawHeaders,
            text,
            json: () => JSON.parse(text) as unknown,
          });
        });
      },
    );
    outgoing.once('error', reject);
    outgoing.end(payload);
  });
}
