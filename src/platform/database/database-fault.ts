import { QueryFailedError } from 'typeorm';
import { isTlsError } from './connection-setting.error.js';

/** Node's codes for a server that cannot be reached or went away. */
const SYSTEM_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND',
  'EAI_AGAIN', 'ENOENT',
]); // prettier-ignore

// SQLSTATE: connection exceptions, too many connections or full disks, shutdown and termination; a query that
// statement_timeout cancelled; a standby that a failover has left read-only; and a server that lets nobody in: to a
// database that takes no connections or is gone, or with a password that was changed.
const SQL_STATES = /^(08...|53...|57P0.|57014|25006|28...|3D000|55000)$/;

// What `pg` throws of its own accord has no code.
const MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client (was closed|has encountered a connection error)|Cannot use a pool after)/;

/** Why the database did not do what it was asked, where the reason lies with it or the way to it. */
export type DatabaseFault = 'lost' | 'slow';

/**
 * Tells a database that is gone (`lost`: at once worth another connection) or does not answer in time (`slow`) from
 * an error of ours; null for anything else.
 */
export function findDatabaseFault(error: unknown): DatabaseFault | null {
  const cause: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (!(cause instanceof Error)) return null;
  const code = 'code' in cause ? String(cause.code) : '';
  if (code === '57014' || /timeout/i.test(cause.message)) {
    return code === '57014' || MESSAGES.test(cause.message) ? 'slow' : null;
  }
  // ENOENT is a missing socket's, but also a missing file's.
  if (code === 'ENOENT') return 'syscall' in cause && cause.syscall === 'connect' ? 'lost' : null;
  const known =
    SYSTEM_CODES.has(code) || SQL_STATES.test(code) || MESSAGES.test(cause.message) || isTlsError(cause);
  return known ? 'lost' : null;
}

/** Whether the database gave a transaction up for another, as deadlocks end: nothing is kept, and it may be run again. */
export function isConflict(error: unknown): boolean {
  if (!(error instanceof QueryFailedError)) return false;
  const { code } = error.driverError as { code?: string };
  return code === '40001' || code === '40P01';
}
