import { Transform } from 'class-transformer';
import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import { canonicalUuid } from '../../domain/uuid.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { IntegerMember, PatternMember } from './members.js';

const MAX_LIMIT = 100;

/** The query of a list. Rows are ordered by id, so added rows shift no page. */
export class PageQueryDto {
  @Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value,
  )
  @IntegerMember({ description: 'Rows per page.', min: 1, max: MAX_LIMIT, optional: true, default: 50 })
  limit = 50;

  @PatternMember({
    description: 'The `next_cursor` of the previous page.',
    pattern: /^[\w-]{1,64}$/,
    message: 'must be the next_cursor of a previous page',
    optional: true,
  })
  cursor?: string;
}

/** Rows of a list, and the cursor of the next page; null on the last. */
export interface Page<T> {
  readonly rows: T[];
  readonly nextCursor: string | null;
}

/** One page of a query, ordered by the id of its main alias. @throws InvalidRequestError (422) for an invalid cursor. */
export async function findPage<T extends ObjectLiteral & { id: string }>(
  rows: SelectQueryBuilder<T>,
  { limit, cursor }: PageQueryDto,
): Promise<Page<T>> {
  const id = `${rows.alias}.id`;
  if (cursor !== undefined) rows.andWhere(`${id} > :after`, { after: readCursor(cursor) });
  const found = await rows
    .orderBy(id)
    .limit(limit + 1)
    .getMany();
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const more = found.length > limit && last !== undefined;
  return { rows: page, nextCursor: more ? Buffer.from(last.id).toString('base64url') : null };
}

function readCursor(cursor: string): string {
  const id = canonicalUuid(Buffer.from(cursor, 'base64url').toString());
  if (id === null)
    throw new InvalidRequestError([{ key: 'cursor', detail: 'must be the next_cursor of a previous page' }]);
  return id;
}

/** A condition on a column, whatever the case of its letters; `%` and `_` match only themselves. */
export function contains<T extends ObjectLiteral>(
  rows: SelectQueryBuilder<T>,
  column: string,
  search: string,
): void {
  rows.andWhere(`${rows.alias}.${column} ILIKE :search`, {
    search: `%${search.replace(/[\\%_]/g, '\\$&')}%`,
  });
}
