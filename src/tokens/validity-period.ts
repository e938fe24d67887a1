/** Milliseconds since 1970, `from` included and `until` excluded. */
export interface ValidityPeriod {
  readonly from: number;
  readonly until: number;
}

export const ALWAYS: ValidityPeriod = { from: -Infinity, until: Infinity };
export const NEVER: ValidityPeriod = { from: Infinity, until: -Infinity };

/** The period within both. */
export function intersect(one: ValidityPeriod, other: ValidityPeriod): ValidityPeriod {
  return { from: Math.max(one.from, other.from), until: Math.min(one.until, other.until) };
}

/** Whether it includes no instant. */
export const isEmpty = ({ from, until }: ValidityPeriod): boolean => from >= until;

/** @param now Milliseconds since 1970. */
export function includesInstant({ from, until }: ValidityPeriod, now: number): boolean {
  return now >= from && now < until;
}
