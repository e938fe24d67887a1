/** A moment as a DTO or a row has it, as a date; null stays null, and what was not given undefined. */
export function toDate<None extends null | undefined>(moment: string | Date | None): Date | None {
  return moment == null ? moment : new Date(moment);
}
