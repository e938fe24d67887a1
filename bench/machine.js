import { cpus, release } from 'node:os';

/** One line that says on what, with what and when figures were taken. */
export function describeRun(postgresVersion) {
  const [{ model }] = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}; ${model.trim()}, ${cpus().length} cores; Linux ${release()}; Node ${process.version}; PostgreSQL ${postgresVersion}.`;
}
