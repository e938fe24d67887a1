/** Members of which each may be there or not, and none is undefined. */
export type WithoutUndefined<T> = { [Member in keyof T]?: Exclude<T[Member], undefined> };

/** The members that were given: a change that writes no others undoes nothing that is written beside it. */
export function omitUndefined<T extends object>(members: T): WithoutUndefined<T> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as WithoutUndefined<T>;
}
