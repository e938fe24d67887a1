import { QueryFailedError } from 'typeorm';
import { IssuerNotFoundError } from '../issuers/issuer.errors.js';
import { IdTakenError, PublicIdTakenError } from './admin.errors.js';

/** Runs a write and names the constraint it broke (SQLSTATE class 23): the database, not a look before, decides. */
export async function translateConstraintErrors<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (!(error instanceof QueryFailedError)) throw error;
    const { code, constraint = '' } = error.driverError as { code?: string; constraint?: string };
    if (code === '23505')
      throw constraint.includes('public_id') ? new PublicIdTakenError() : new IdTakenError();
    if (code === '23503') throw new IssuerNotFoundError();
    throw error;
  }
}
