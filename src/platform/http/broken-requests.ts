import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { writeHeaders } from './header-list.js';
import { problemBody } from '../../domain/problem-body.js';
import { ProblemError } from '../../domain/problem.error.js';

/** The requests of a connection whose heads Node has read. */
interface Connection {
  /** Responses that are not sent completely, in the order of their requests. */
  readonly unsent: ServerResponse[];
  /** The last request, as long as its response is unsent or its body is incomplete. */
  last: IncomingMessage | null;
  /** Closes the connection once no response precedes; null while its bytes are valid. */
  settle: (() => void) | null;
}

const connections = new WeakMap<Socket, Connection>();

/**
 * Records a response until it is sent, for `refuseBrokenRequest`.
 * @param onClosed Called once the response is sent or its client has disconnected; never if this returns false.
 * @returns false if an earlier response closes the connection: the request gets no response, so it must not be carried
 *   out. Its client sends it again.
 */
export function trackResponse(response: ServerResponse, onClosed: () => void): boolean {
  const { req } = response;
  const connection = connectionOf(req.socket);
  const { unsent } = connection;
  const isBehindLast = !req.socket.writable || unsent.some((earlier) => !earlier.shouldKeepAlive);
  unsent.push(response);
  connection.last = req;
  // One listener: Node copies a list of several at each event.
  response.on('close', () => {
    const at = unsent.indexOf(response);
    if (at >= 0) unsent.splice(at, 1);
    if (connection.last === req && req.complete) connection.last = null;
    connection.settle?.();
    if (!isBehindLast) onClosed();
  });
  return !isBehindLast;
}

function connectionOf(socket: Socket): Connection {
  let connection = connections.get(socket);
  if (connection === undefined) {
    connection = { unsent: [], last: null, settle: null };
    connections.set(socket, connection);
    const { unsent } = connection;
    socket.once('close', () => {
      process.nextTick(closeAll, unsent);
    });
  }
  return connection;
}

/** Node emits `close` for the current response only; the handlers of those behind it would wait forever. */
function closeAll(unsent: readonly ServerResponse[]): void {
  for (const response of [...unsent]) response.emit('close');
}

const CLIENT_CLOSED_REQUEST = 499;
/** Statuses of problems that were written instead of a request's own response. */
const refusals = new WeakMap<ServerResponse, number>();

/**
 * The status that the client received, once the response is closed: 499, as in nginx, if the client disconnected before
 * all of it was sent.
 */
export function sentStatus(response: ServerResponse): number {
  const isSent = response.writableFinished && response.req.socket.errored === null;
  return refusals.get(response) ?? (isSent ? response.statusCode : CLIENT_CLOSED_REQUEST);
}

/** Counts a request whose head cannot be parsed. It throws a ProblemError to refuse the request. */
export type CountUnread = (socket: Socket) => void;

/**
 * Handles bytes that Node cannot parse as a request, and a request that did not arrive in time (`clientError` of Node's
 * server); only the socket exists. Pending responses are sent first, then one for the request at fault if it has none.
 * If no request waits for a response, nothing is written. The connection is closed.
 */
export function refuseBrokenRequest(
  error: NodeJS.ErrnoException,
  socket: Socket,
  countUnread: CountUnread,
): void {
  // The connection is closed, its client has disconnected, or it was never used.
  if (!socket.writable || !isFault(error) || socket.bytesRead === 0) {
    socket.destroy();
    return;
  }
  const connection = connectionOf(socket);
  // Node reports each further piece of bytes that it cannot parse.
  if (connection.settle !== null) return;
  const isUnread = connection.last?.complete !== false && error.code !== BEHIND_THE_LAST;
  let problem = PROBLEMS[error.code ?? ''] ?? MALFORMED;
  try {
    if (isUnread) countUnread(socket);
  } catch (refusal) {
    if (refusal instanceof ProblemError) problem = refusal;
  }
  connection.settle = () => {
    closeAfterResponses(socket, connection, isUnread, problem);
  };
  connection.settle();
}

/**
 * Closes the connection once every response ahead is sent. If a request waits for a response, the problem is written.
 * @param isUnread Whether the head of the request was not parsed; otherwise its body is incomplete.
 */
function closeAfterResponses(
  socket: Socket,
  { unsent, last }: Connection,
  isUnread: boolean,
  problem: ProblemError,
): void {
  const own = isUnread ? undefined : unsent.find(({ req }) => req === last && !req.complete);
  const waits = isUnread || own?.headersSent === false;
  const ahead = unsent.length - (waits && own !== undefined ? 1 : 0);
  if (ahead > 0) return;
  if (own !== undefined && waits) refusals.set(own, problem.status);
  if (waits) write(socket, problem);
  else socket.destroySoon();
}

/** Bytes that follow a request with `Connection: close`. */
const BEHIND_THE_LAST = 'HPE_CLOSED_CONNECTION';
const TIMEOUT = 'ERR_HTTP_REQUEST_TIMEOUT';

/** Whether the bytes are invalid or missing; any other error is the socket's. */
function isFault({ code = '' }: NodeJS.ErrnoException): boolean {
  return code === TIMEOUT || code.startsWith('HPE_');
}

class BrokenRequestError extends ProblemError {}

const MALFORMED = new BrokenRequestError('bad_request', 'This is not a well-formed HTTP request.');
const PROBLEMS: Readonly<Record<string, ProblemError>> = {
  HPE_HEADER_OVERFLOW: new BrokenRequestError(
    'headers_too_large',
    'The request line and headers are over 16 KiB. Shorten the token or the headers.',
  ),
  [TIMEOUT]: new BrokenRequestError('request_timeout', 'The request did not arrive in time. Send it again.'),
};

function write(socket: Socket, problem: ProblemError): void {
  const problemDocument = problemBody(problem);
  const { status, title } = problemDocument;
  const body = JSON.stringify(problemDocument);
  const head = writeHeaders([
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
    ...Object.entries(problem.headers).flat(),
    'Content-Type',
    'application/problem+json; charset=utf-8',
    'Content-Length',
    String(Buffer.byteLength(body)),
    'Connection',
    'close',
  ]);
  socket.end(`HTTP/1.1 ${status} ${title}\r\n${head}\r\n${body}`);
}
