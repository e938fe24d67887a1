import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** What a connection has of the requests whose heads Node has read. */
interface Connection {
  /** Responses that are not sent yet, in the order of their requests. */
  readonly unsent: ServerResponse[];
  /** The last request, as long as its response is unsent or its body is incomplete. */
  last: IncomingMessage | null;
  /** What is wrong with the bytes that came next: the connection closes when its responses are sent. */
  fault: NodeJS.ErrnoException | null;
}

const connections = new WeakMap<Socket, Connection>();

/**
 * A response that its connection knows of until it is sent: what `answerBrokenRequest` decides by. To be passed to
 * Node's server as its `ServerResponse`, which is the class of every response, those that no handler sees included
 * (no `Host`, an unknown `Expect`).
 */
export class TrackedResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** @param args As Node passes them: the request, then options that are Node's own. */
  constructor(...args: [request: Request]) {
    super(...args);
    const { req } = this;
    let connection = connections.get(req.socket);
    if (connection === undefined) {
      connection = { unsent: [], last: null, fault: null };
      connections.set(req.socket, connection);
    }
    connection.unsent.push(this);
    connection.last = req;
    this.on('close', forget);
  }
}

function forget(this: ServerResponse): void {
  const { req } = this;
  const connection = connections.get(req.socket);
  if (connection === undefined) return;
  connection.unsent.splice(connection.unsent.indexOf(this), 1);
  if (connection.last === req && req.complete) connection.last = null;
  if (connection.fault !== null) settle(req.socket, connection, connection.fault);
}

/**
 * Handles bytes that Node could not read as a request, and a request that did not arrive in time (`clientError` of
 * Node's server). There is only the socket to write to. Responses that are under way are sent first, then one for the
 * request at fault if it has none; where no request waits for a response, nothing is written. The connection is closed.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  const connection = connections.get(socket);
  // A connection that is closed already, whose client has left, or that was opened and never used.
  if (!socket.writable || !isFault(error) || socket.bytesRead === 0) socket.destroy();
  else if (connection === undefined) refuse(socket, error);
  else if (connection.fault === null) {
    connection.fault = error;
    settle(socket, connection, error);
  }
}

/** Waits for the next response to be sent, or closes the connection. */
function settle(socket: Socket, { unsent, last }: Connection, error: NodeJS.ErrnoException): void {
  const inBody = last !== null && !last.complete;
  const own = inBody ? unsent.find(({ req }) => req === last) : undefined;
  const isUnanswered = inBody ? own?.headersSent === false : error.code !== BEHIND_THE_LAST;
  const ahead = unsent.length - (isUnanswered && own !== undefined ? 1 : 0);
  if (ahead > 0) return;
  if (isUnanswered) refuse(socket, error);
  else socket.destroySoon();
}

/** Bytes that follow a request with `Connection: close`. */
const BEHIND_THE_LAST = 'HPE_CLOSED_CONNECTION';
const TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT';

/** Whether the bytes are at fault, or their absence; everything else is the socket's. */
function isFault({ code = '' }: NodeJS.ErrnoException): boolean {
  return code === TIMEOUT || code.startsWith('HPE_');
}

const PROBLEMS: Readonly<Record<string, { status: number; code: string; detail: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: 'headers_too_large',
    detail: 'The request line and headers are over 16 KiB. Shorten the token or the headers.',
  },
  [TIMEOUT]: {
    status: 408,
    code: 'request_timeout',
    detail: 'The request did not arrive in time. Send it again.',
  },
};

const MALFORMED = { status: 400, code: 'bad_request', detail: 'This is not a well-formed HTTP request.' };

function refuse(socket: Socket, error: NodeJS.ErrnoException): void {
  const { status, code, detail } = PROBLEMS[error.code ?? ''] ?? MALFORMED;
  const title = STATUS_CODES[status] ?? 'Bad Request';
  const body = JSON.stringify({ type: 'about:blank', title, status, code, detail });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\n` +
      'Cache-Control: no-store\r\n' +
      'X-Content-Type-Options: nosniff\r\n' +
      'Content-Type: application/problem+json; charset=utf-8\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}
