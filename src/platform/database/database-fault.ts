import { QueryFailedError } from 'typeorm';
import { isTlsError } from './connection-setting.error.js';

/** Node's codes for a server that is unreachable or closed the connection. */
const SYSTEM_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND',
  'EAI_AGAIN', 'ENOENT',
]); // prettier-ignore

// SQLSTATE: connection exceptions, too many connections or full disks, shutdown and termination; a query that
// statement_timeout cancelled; a standby that is read-only after a failover; a database that accepts no connections or
// was dropped; a password that was changed.
const SQL_STATES = /^(08...|53...|57P0.|57014|25006|28...|3D000|55000)$/;

// Errors of `pg` itself have no code.
const MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client (was closed|has encountered a connection error)|Cannot use a pool after)/;

/** Why a query failed, where the reason is the database or the connection to it. */
export type DatabaseFault = 'lost' | 'slow';

/**
 * Classifies an error of a query: `lost` where the connection is closed, so that a new one may succeed at once; `slow`
 * where no response arrived in time; null for anything else.
 */
export function findDatabaseFault(error: unknown): DatabaseFault | null {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (!(cause instanceof Error)) return null;
  const code = 'code' in cause ? String(cause.code) : '';
  if (code === '57014' || /timeout/i.test(cause.message)) {
    return code === '57014' || MESSAGES.test(cause.message) ? 'slow' : null;
  }
  // Of a missing socket, but also of a missing file.
  if (code === 'ENOENT') return 'syscall' in cause && cause.syscall === 'connect' ? 'lost' : null;
  const known =
    SYSTEM_CODES.has(code) || SQL_STATES.test(code) || MESSAGES.test(cause.message) || isTlsError(cause);
  return known ? 'lost' : null;
}

/** Whether the database aborted a transaction for a conflict, such as a deadlock: it may be retried. */
export function isConflict(error: unknown): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  const { code } = error.driverError as { code?: string };
  return code === '40001' || code === '40P01';
}

/**
 * Whether a session lacks a statement that was prepared by name (26000), or has one of that name already (42P05): a
 * pooler has changed the session.
 */
export function isStatementFault(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '26000' || error.code === '42P05');
}

/**
 * Whether a migration changed the columns of a prepared statement's result (0A000). The statement fails on its connection
 * until it is prepared under another name. By the code alone: servers translate the message.
 */
export function isStalePlan(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '0A000';
}
