/** An instant of a DTO or a row as a `Date`; null and undefined are returned unchanged. */
export function toDate<None extends null | undefined>(instant: string | Date | None): Date | None {
  return instant == null ? instant : new Date(instant);
}
