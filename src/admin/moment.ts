/** A moment as a DTO or a row has it, as a date; null stays null. */
export function toDate(moment: string | Date | null): Date | null {
  return moment === null ? null : new Date(moment);
}
