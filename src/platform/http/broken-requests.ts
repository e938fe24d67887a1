import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { writeHeaders } from './header-list.js';
import { afterCount } from '../rate-limit/after-count.js';
import { problemBody } from '../../domain/problem-body.js';
import { ProblemError } from '../../domain/problem.error.js';

/** What a connection has of the requests whose heads Node has read. */
interface Connection {
  /** Responses that are not sent yet, in the order of their requests. */
  readonly unsent: ServerResponse[];
  /** The last request, as long as its response is unsent or its body is incomplete. */
  last: IncomingMessage | null;
  /** Closes the connection if its turn has come; null while nothing is wrong with its bytes. */
  settle: (() => void) | null;
}

const connections = new WeakMap<Socket, Connection>();

/**
 * A response that its connection knows of until it is sent: what `refuseBrokenRequest` decides by. To be passed to
 * Node's server as its `ServerResponse`, which is the class of every response.
 */
export class TrackedResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /**
   * Whether an earlier response ends the connection: the request gets no response, so it must not be carried out. Its
   * client sends it again.
   */
  readonly isBehindLast: boolean;

  /** @param args As Node passes them: the request, then options that are Node's own. */
  constructor(...args: [request: Request]) {
    super(...args);
    const { req } = this;
    const connection = connectionOf(req.socket);
    this.isBehindLast = !req.socket.writable || connection.unsent.some((earlier) => !earlier.shouldKeepAlive);
    connection.unsent.push(this);
    connection.last = req;
    this.on('close', forget);
  }
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

/** Node closes the response under way and forgets those that wait behind it, whose handlers would wait in vain. */
function closeAll(unsent: readonly ServerResponse[]): void {
  for (const response of [...unsent]) response.emit('close');
}

const CLIENT_CLOSED_REQUEST = 499;
/** Status of the problem that was written in the place of a request's own response. */
const refusals = new WeakMap<ServerResponse, number>();

/**
 * The status that a request's client got, once its response is closed: 499 where the client left before all of it was
 * sent, as nginx logs it.
 */
export function sentStatus(response: ServerResponse): number {
  const isSent = response.writableFinished && response.req.socket.errored === null;
  return refusals.get(response) ?? (isSent ? response.statusCode : CLIENT_CLOSED_REQUEST);
}

function forget(this: ServerResponse): void {
  const { req } = this;
  const connection = connectionOf(req.socket);
  const at = connection.unsent.indexOf(this);
  if (at >= 0) connection.unsent.splice(at, 1);
  if (connection.last === req && req.complete) connection.last = null;
  connection.settle?.();
}

/** Counts a request whose head could not be read. It throws a ProblemError, or rejects with it, to refuse the request. */
export type CountUnread = (socket: Socket) => Promise<void> | undefined;

/**
 * Handles bytes that Node could not read as a request, and a request that did not arrive in time (`clientError` of
 * Node's server). There is only the socket to write to. Responses that are under way are sent first, then one for the
 * request at fault if it has none; where no request waits for a response, nothing is written. The connection is closed.
 */
export function refuseBrokenRequest(
  error: NodeJS.ErrnoException,
  socket: Socket,
  countUnread: CountUnread,
): void {
  // A connection that is closed already, whose client has left, or that was opened and never used.
  if (!socket.writable || !isFault(error) || socket.bytesRead === 0) {
    socket.destroy();
    return;
  }
  const connection = connectionOf(socket);
  // Node reports each piece of what follows bytes that it could not read.
  if (connection.settle !== null) return;
  const isUnread = connection.last?.complete !== false && error.code !== BEHIND_THE_LAST;
  const closeWith = (problem: ProblemError): void => {
    connection.settle = () => {
      closeAfterResponses(socket, connection, isUnread, problem);
    };
    connection.settle();
  };
  connection.settle = () => undefined;
  const problem = PROBLEMS[error.code ?? ''] ?? MALFORMED;
  afterCount(
    () => (isUnread ? countUnread(socket) : undefined),
    () => {
      closeWith(problem);
    },
    (refusal) => {
      closeWith(refusal instanceof ProblemError ? refusal : problem);
    },
  );
}

/**
 * Closes the connection once every response ahead is sent, and writes the problem first where a request waits for it.
 * @param isUnread Whether the head of the request was not read; else its body was not.
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

/** Whether the bytes are at fault, or their absence; everything else is the socket's. */
function isFault({ code = '' }: NodeJS.ErrnoException): boolean {
  return code === TIMEOUT || code.startsWith('HPE_');
}

/** A request that Node did not read to its end. */
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
