/** Milliseconds: generous, since it only bounds how long a failing test takes. */
const DEADLINE = 15_000;
const PAUSE = 20;

/** Asks again and again until the answer is yes. @throws after a deadline. */
export async function waitUntil(
  what: string,
  condition: () => Promise<boolean> | boolean,
  deadline = DEADLINE,
): Promise<void> {
  const end = performance.now() + deadline;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`It never came to be that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
