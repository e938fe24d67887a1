import { Agent } from 'node:http';
import { request } from './http.js';
import { assertLocation } from './location-parser.js';

/** Clients that request a path of a `ServedImage` repeatedly over persistent connections, until `stop` is called. */
export interface Load {
  readonly count: () => number;
  /** @returns all errors, and all responses except a 302 with an allowed Location. */
  readonly stop: () => Promise<readonly string[]>;
}

export function startLoad(port: number, path: string, clients = 16): Load {
  const agent = new Agent({ keepAlive: true });
  let stopped = false;
  let count = 0;
  const failures: string[] = [];
  const all = Array.from({ length: clients }, async () => {
    while (!stopped) {
      const outcome = await request({ port, path, agent }).then(
        ({ status, headers }) => {
          if (status !== 302) return `status ${status}`;
          assertLocation(headers.location ?? '', { images: ['served'], layers: [], steps: 1 });
          return null;
        },
        (error: unknown) => String(error),
      );
      count += 1;
      if (outcome !== null) failures.push(outcome);
    }
  });
  return {
    count: () => count,
    stop: async () => {
      stopped = true;
      await Promise.all(all);
      agent.destroy();
      return failures;
    },
  };
}
