import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { HOUR, USAGE_DAYS } from '../../directory/issuer-usage.service.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import { tenantFilter } from '../../platform/actor/actor.js';
import type { ReadUsageDto } from './usage.dto.js';

const DAY = 24 * HOUR;
/** Milliseconds of a request's range: the sum over all issuers reads all their hours. */
const MAX_RANGE = 7 * DAY;

/** The counts of one hour. */
export interface UsageHour {
  /** Its start. */
  readonly hour: Date;
  readonly redirects: number;
  readonly refusals: number;
}

/** Counts of every hour between two instants. */
export interface Usage {
  readonly from: Date;
  readonly to: Date;
  readonly hours: readonly UsageHour[];
}

/** Reads the redirects and refusals of the actor's issuers. */
@Injectable()
export class UsageService {
  constructor(private readonly dataSource: DataSource) {}

  /** @returns every hour of the range. @throws InvalidRequestError (422) for a range that is empty, too long or too old. */
  async read({ issuer_id: issuerId, ...range }: ReadUsageDto): Promise<Usage> {
    const { from, to } = readRange(range);
    const own = tenantFilter().issuerId ?? null;
    const rows = await this.dataSource.query<{ hour: Date; redirects: string; refusals: string }[]>(
      `SELECT hour, sum(redirects) AS redirects, sum(refusals) AS refusals FROM issuer_usage
        WHERE hour >= $1 AND hour < $2
          AND ($3::uuid IS NULL OR issuer_id = $3) AND ($4::uuid IS NULL OR issuer_id = $4)
        GROUP BY hour`,
      [from, to, own, issuerId ?? null],
    );
    const counted = new Map(rows.map((row) => [row.hour.getTime(), row]));
    const starts = Array.from({ length: (to.getTime() - from.getTime()) / HOUR }, (_, index) => {
      return from.getTime() + index * HOUR;
    });
    const hours = starts.map((start) => {
      const { redirects = 0, refusals = 0 } = counted.get(start) ?? {};
      return { hour: new Date(start), redirects: Number(redirects), refusals: Number(refusals) };
    });
    return { from, to, hours };
  }
}

function readRange({ from, to }: Pick<ReadUsageDto, 'from' | 'to'>): { from: Date; to: Date } {
  const now = Math.ceil(Date.now() / HOUR) * HOUR;
  // The clock of a client may be ahead.
  const end = to == null ? now : Math.min(now, Math.ceil(Date.parse(to) / HOUR) * HOUR);
  const start = from == null ? end - DAY : Math.floor(Date.parse(from) / HOUR) * HOUR;
  const fault =
    start >= end
      ? 'must be before `to`, and in the past'
      : end - start > MAX_RANGE
        ? 'must be at most 7 days before `to`'
        : start < now - USAGE_DAYS * DAY
          ? `must be at most ${USAGE_DAYS} days ago: older counts are deleted`
          : null;
  if (fault !== null) throw new InvalidRequestError([{ key: 'from', detail: fault }]);
  return { from: new Date(start), to: new Date(end) };
}
