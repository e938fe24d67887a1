import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Debian's Chromium; another one by `CHROMIUM_PATH`. */
const EXECUTABLE = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

/** No requests of its own, and no sandbox: tests run as root in containers. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-proxy-server',
];

/**
 * Whether a browser is installed. Without one, its suites are skipped with a warning.
 * @throws with `REQUIRE_BROWSER=1`, so that no run of CI passes without it.
 */
export function hasBrowser(): boolean {
  if (existsSync(EXECUTABLE)) return true;
  if (process.env['REQUIRE_BROWSER'] === '1') throw new Error(`There is no browser at ${EXECUTABLE}`);
  process.stderr.write(
    `\n*** LEFT OUT: the suites in a browser. There is none at ${EXECUTABLE} (Debian: apt-get install chromium). ***\n\n`,
  );
  return false;
}

/** Starts headless Chromium; the caller closes it. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: EXECUTABLE, headless: true, args: ARGUMENTS });
