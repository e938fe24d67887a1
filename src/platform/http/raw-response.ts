import { IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Names of the private members of Node's `ServerResponse` that a raw response needs. */
export interface ResponseMembers {
  /** The head as text. */
  readonly header: string;
  /** Whether a body may follow the head. */
  readonly hasBody: string;
  /** Milliseconds, for `Keep-Alive`. */
  readonly keepAliveTimeout: string;
  /** True for the last response of a connection. */
  readonly isLast: string;
}

const NODE_MEMBERS: ResponseMembers = {
  header: '_header',
  hasBody: '_hasBody',
  keepAliveTimeout: '_keepAliveTimeout',
  isLast: 'maxRequestsOnConnectionReached',
};

/** A response with a formatted head. */
export interface RawResponse {
  readonly status: number;
  /** Header lines of `writeHeaders`, with `Content-Length` and without `Date`. */
  readonly head: string;
  /** Bytes; of a text, each character is one. */
  readonly body: string | Buffer;
}

/**
 * Writes a head and a body that is a text as one text. Node would check every header again and write two pieces: 30 %
 * of a cached redirect. It depends on private members of Node's response, so its output is compared with Node's at the
 * start: if they differ, every response is written by `writeHead` and `end`.
 */
export class RawResponseWriter {
  /** Whether the members of this Node are the known ones. */
  readonly isSafe: boolean;

  constructor(private readonly members: ResponseMembers = NODE_MEMBERS) {
    this.isSafe = this.isCompatible();
  }

  /** Sends a response. */
  write(request: IncomingMessage, response: ServerResponse, raw: RawResponse): void {
    if (this.isSafe && this.canWriteRaw(request, response)) this.writeRaw(response, raw);
    else writePublic(response, raw);
  }

  /** Whether it is HTTP/1.1 on a connection that stays open: the only form of `writeRaw`. */
  private canWriteRaw({ httpVersion }: IncomingMessage, response: ServerResponse): boolean {
    return (
      httpVersion === '1.1' && response.shouldKeepAlive && insideOf(response)[this.members.isLast] !== true
    );
  }

  private writeRaw(response: ServerResponse, { status, head, body }: RawResponse): void {
    const { header, hasBody, keepAliveTimeout } = this.members;
    const inside = insideOf(response);
    const seconds = Math.floor((inside[keepAliveTimeout] as number) / 1000);
    response.statusCode = status;
    const isText = typeof body === 'string';
    inside[header] =
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}Date: ${dateNow()}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n\r\n` +
      (isText && inside[hasBody] === true ? body : '');
    if (!isText && inside[hasBody] === true) {
      response.end(body);
      return;
    }
    // A text is part of the head.
    inside[hasBody] = false;
    response.end();
  }

  private isCompatible(): boolean {
    try {
      return this.agreesWithNode();
    } catch {
      return false;
    }
  }

  /** Whether the bytes are Node's own, and Node reads the member that closes a connection. */
  private agreesWithNode(): boolean {
    return ['body', Buffer.from('body')].every((body) => this.agreesOn(body));
  }

  private agreesOn(body: string | Buffer): boolean {
    const raw = { status: 302, head: 'X-One: 1\r\nContent-Length: 4\r\n', body };
    const prepare = (response: ServerResponse): void => {
      insideOf(response)[this.members.keepAliveTimeout] = 5_000;
    };
    const last = bytesOf('GET', (response) => {
      insideOf(response)[this.members.isLast] = true;
      writePublic(response, raw);
    });
    if (!last.includes('Connection: close')) return false;
    return ['GET', 'HEAD'].every((method) => {
      const [expected, actual] = [writePublic, this.writeRaw.bind(this)].map((write) =>
        bytesOf(method, (response) => {
          prepare(response);
          write(response, raw);
        }),
      );
      return expected === actual;
    });
  }
}

function writePublic(response: ServerResponse, { status, head, body }: RawResponse): void {
  const lines = head.split('\r\n').slice(0, -1);
  response.writeHead(
    status,
    lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  if (typeof body === 'string') response.end(body, 'latin1');
  else response.end(body);
}

function insideOf(response: ServerResponse): Record<string, unknown> {
  return response as unknown as Record<string, unknown>;
}

/** The bytes of a response to a request of this method, without the date's value. */
function bytesOf(method: string, respond: (response: ServerResponse) => void): string {
  let bytes = '';
  const connection = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.toString('latin1');
      done();
    },
  });
  const request = new IncomingMessage(connection as Socket);
  Object.assign(request, { method, httpVersion: '1.1', httpVersionMajor: 1, httpVersionMinor: 1 });
  const response = new ServerResponse(request);
  response.shouldKeepAlive = true;
  response.assignSocket(connection as Socket);
  respond(response);
  return bytes.replace(/^Date: .*$/m, 'Date:');
}

let second = 0;
let date = '';

/** HTTP's date (RFC 9110 §5.6.7), formatted once a second. */
function dateNow(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    date = new Date(now * 1000).toUTCString();
  }
  return date;
}

/** The writer of the process; its check runs when this module is loaded. */
export const rawResponses = new RawResponseWriter();
