import { keepEmbeddedSecrets } from '../config/embedded-secrets.js';
import { processVariables, readEnvironment } from '../config/environment.js';
import { openAhead } from '../database/embedded-postgres.js';
import type { ServiceMessage } from './service-message.js';

/** The service as the test kit forks it: without demo rows, it tells its parent the origin and ends with it. */
const tell = (message: ServiceMessage): void => {
  process.send?.(message);
};

try {
  const environment = readEnvironment(processVariables(), keepEmbeddedSecrets);
  if (environment.database.kind === 'embedded') openAhead(environment.database.dataDir);
  // Not before: the database comes up while it is loaded.
  const { createApp } = await import('../app.js');
  const app = await createApp(environment);
  // Also when the parent was killed: nothing is left behind.
  process.once('disconnect', () => {
    void app.close().finally(() => process.exit());
  });
  await app.listen(environment.port, environment.host);
  tell({ origin: await app.getUrl() });
} catch (error) {
  tell({ failure: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  process.disconnect();
}
