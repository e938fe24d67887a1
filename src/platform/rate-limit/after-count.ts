/**
 * Counts a request, then proceeds with it or refuses it.
 * @param count Returns a promise if it waits for Redis; throws, or rejects, if the request is refused.
 */
export function afterCount(
  count: () => Promise<void> | undefined,
  proceed: () => void,
  refuse: (error: unknown) => void,
): void {
  let counted: Promise<void> | undefined;
  try {
    counted = count();
  } catch (error) {
    refuse(error);
    return;
  }
  if (counted === undefined) proceed();
  else counted.then(proceed, refuse);
}
