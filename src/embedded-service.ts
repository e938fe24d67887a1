import { rmSync } from 'node:fs';
import type { INestApplication } from '@nestjs/common';
import { loadEmbeddedSecrets } from './platform/config/embedded-secrets.js';
import { processVariables, readEnvironment } from './platform/config/environment.js';
import { prewarm } from './platform/database/embedded-postgres.js';
import type { ServiceMessage } from '../packages/testing/src/service-message.js';
import { readDefaultPolicy } from './policy/recommended-policy.js';

/** The service as the test kit forks it: without demo rows. It reports its origin to its parent and exits with it. */
const report = (message: ServiceMessage): Promise<void> =>
  new Promise((resolve) =>
    process.send?.(message, undefined, undefined, () => {
      // Sent, or the parent has exited.
      resolve();
    }),
  );

/** The folder that the test kit created for this process. DATA_DIR may name another, which is not deleted. */
const [, , folder] = process.argv;
let app: INestApplication | undefined;
let ending: Promise<void> | undefined;

async function start(): Promise<void> {
  try {
    const environment = readEnvironment(processVariables(), loadEmbeddedSecrets, readDefaultPolicy);
    if (environment.database.kind === 'embedded') prewarm(environment.database.dataDir);
    // Not before: the database starts while it is loaded.
    const { createApp } = await import('./app.js');
    app = await createApp(environment);
    await app.listen(environment.port, environment.host);
    await report({ origin: await app.getUrl() });
  } catch (error) {
    await report({ failure: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    endOnce();
  }
}

/** Removes the folder: a parent that was killed, or interrupted with this process, cannot. */
async function end(): Promise<void> {
  try {
    // A database that is still starting would continue to write.
    await started;
    await app?.close();
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    process.exit();
  }
}

const endOnce = (): void => {
  ending ??= end();
};
const started = start();
process.once('disconnect', endOnce);
// Not `once`: a second Ctrl-C would kill it.
process.on('SIGINT', endOnce);
process.on('SIGTERM', endOnce);
// The parent exited before this ran.
if (!process.connected) endOnce();
