import { createApp } from './app.js';
import { keepEmbeddedSecrets } from './config/embedded-secrets.js';
import { processVariables, readEnvironment } from './config/environment.js';
import { createDemoRows, welcome } from './demo/demo.js';

try {
  const environment = readEnvironment(processVariables(), keepEmbeddedSecrets);
  const app = await createApp(environment);
  // A service that ends as it was told to ends with 0, not with the signal.
  app.enableShutdownHooks([], { useProcessExit: true });
  const { database, host, port } = environment;
  if (database.kind === 'embedded') await createDemoRows(app, environment.deliveryMode);
  await app.listen(port, host);
  if (database.kind === 'embedded') process.stdout.write(await welcome(app, environment));
} catch (error) {
  // The message alone: what stops a start is a setting, a folder or a database, and its text says what to do.
  process.stderr.write(`Pixseal did not start. ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
