/**
 * The result of `work`, or of `onExpiry` once `milliseconds` have passed. The work is not stopped; its later result or
 * error is ignored.
 * @param onExpiry Returns a result in place of the work's, or throws.
 */
export async function withDeadline<T>(work: Promise<T>, milliseconds: number, onExpiry: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let settled = false;
  const expired = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      // A blocked event loop runs the timer first and reads responses that came in time after it.
      setImmediate(() => {
        setImmediate(resolve);
      });
    }, milliseconds);
  }).then(() => (settled ? work : onExpiry()));
  try {
    return await Promise.race([work, expired]);
  } finally {
    settled = true;
    clearTimeout(timer);
  }
}
