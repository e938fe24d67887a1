/** Every member is optional, and none is undefined. */
export type WithoutUndefined<T> = { [Member in keyof T]?: Exclude<T[Member], undefined> };

/** Omits undefined members, so that an update writes only what was sent and keeps concurrent writes of other columns. */
export function omitUndefined<T extends object>(members: T): WithoutUndefined<T> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as WithoutUndefined<T>;
}
