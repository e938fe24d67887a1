import cluster from 'node:cluster';
import { loadEmbeddedSecrets } from './platform/config/embedded-secrets.js';
import { type Environment, processVariables, readEnvironment } from './platform/config/environment.js';
import { readVersion } from './platform/config/package-version.js';
import { prewarm } from './platform/database/embedded-postgres.js';
import { announceAddress } from './platform/database/folder-lock.js';
import { ListenError } from './platform/http/listen.error.js';
import { readDefaultPolicy } from './policy/recommended-policy.js';

/** The members of the first log line. */
async function describeService({ cloudinary, database, deliveryMode }: Environment): Promise<object> {
  const { describeDatabase } = await import('./platform/database/database-servers.js');
  return {
    mode: deliveryMode,
    cloud_name: cloudinary.cloudName,
    database: describeDatabase(database),
    // The supervisor of several logs their number.
    ...(cluster.isWorker ? { worker: process.pid } : { workers: 1 }),
    version: readVersion(),
    node: process.version,
  };
}

const ending = new AbortController();
try {
  const environment = readEnvironment(processVariables(), loadEmbeddedSecrets, readDefaultPolicy);
  const { database, host, port } = environment;
  if (database.kind === 'embedded') prewarm(database.dataDir);
  // Not before: the database starts while these are loaded.
  const [{ createApp }, { createLogger }] = await Promise.all([
    import('./app.js'),
    import('./platform/observability/json.logger.js'),
  ]);
  const app = await createApp(environment);
  // A service that is stopped exits with 0, not with the signal.
  app.enableShutdownHooks([], { useProcessExit: true });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      ending.abort();
    });
  const demo = database.kind === 'embedded' ? await import('./operations/demo/demo.js') : null;
  await demo?.createDemoRows(app, environment.deliveryMode);
  const welcome = await demo?.welcome(app, environment);
  await app.listen(port, host).catch((cause: unknown) => {
    throw new ListenError({ host, port }, cause);
  });
  const address = await app.getUrl();
  if (database.kind === 'embedded') announceAddress(database.dataDir, address);
  if (welcome) process.stdout.write(welcome(address));
  else {
    createLogger(environment.logLevel).info(
      { address, ...(await describeService(environment)) },
      'listening',
    );
  }
} catch (error) {
  // A start that is stopped fails, and the process exits with 0.
  if (!ending.signal.aborted) {
    // Only the message: the cause is a setting, a folder or a database, and the message says what to do.
    process.stderr.write(
      `Pixseal did not start. ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exit(1);
  }
}
