/** A value that is known now, or the promise of one: what needs no waiting does not wait for a microtask either. */
export type Soon<T> = T | Promise<T>;

/** Goes on with a value, at once where it is known. Throws at once what `next` throws at once. */
export function after<T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
