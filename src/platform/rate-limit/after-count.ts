/**
 * Counts a request, and goes on with it or refuses it.
 * @param count Gives a promise where it waits for Redis; throws, or rejects, when the request is refused.
 */
export function afterCount(
  count: () => Promise<void> | undefined,
  goOn: () => void,
  refuse: (error: unknown) => void,
): void {
  let counted: Promise<void> | undefined;
  try {
    counted = count();
  } catch (error) {
    refuse(error);
    return;
  }
  if (counted === undefined) goOn();
  else counted.then(goOn, refuse);
}
