/** Milliseconds: generous, since it only limits the duration of a failing test. */
const DEADLINE = 15_000;
const PAUSE = 20;

/** Polls until the condition is true. @throws after a deadline. */
export async function waitUntil(
  what: string,
  condition: () => Promise<boolean> | boolean,
  deadline = DEADLINE,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Timed out waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
